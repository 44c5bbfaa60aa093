"""The folder of a reader study: what is handed to readers, and the key, which is not."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import atomic, checksums
from synthgen.core.hashing import stable_hash
from synthgen.core.report import page
from synthgen.errors import InputError
from synthgen.reader_study.choose import PHOTOGRAPH, SYNTHETIC, Shown, choose
from synthgen.reader_study.questions import REAL, Question, of_plain, read, usual
from synthgen.runs import load_plan
from synthgen.runs.folders import Run

READERS, IMAGES, SHEET, BLANK = "for-readers", "images", "sheet.html", "answers.csv"
KEY, STUDY, REPORT = "key.csv", "study.json", "report"
COLUMNS = ("id", "kind", "key", "entry", "true_label", "skin_tone")
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ReaderStudy:
    """A reader study.

    Attributes:
        title: Its title.
        identity: What tells it from others, in a few letters.
        scale: The scale of skin tones.
        questions: What is asked of each image.
        key: Of each image, by its number as readers see it, the columns of ``key.csv``.
    """

    title: str
    identity: str
    scale: str
    questions: Sequence[Question]
    key: dict[str, dict[str, str]]

    def count(self, kind: str) -> int:
        """How many images of a kind there are."""
        return sum(row["kind"] == kind for row in self.key.values())


def write(
    run: Run,
    out: Path,
    *,
    per_cell: int = 2,
    questions: Path | None = None,
    photographs: bool = True,
    progress: load_plan.Progress | None = None,
) -> ReaderStudy:
    """Write a reader study's folder; returns the study.

    ``for-readers/`` is handed over: the images under numbers, without metadata, of one size, photographs through the
    format that the synthetic ones are stored in; a page to answer on, and the same as a blank table. ``key.csv`` says
    what each is, and stays here.

    Args:
        run: The run.
        out: The folder; it must not exist, or be empty.
        per_cell: Synthetic images of each entry, label and skin tone, at the most.
        questions: A YAML file of questions; whether it is a photograph, what it shows and what is wrong if left out.
        photographs: Whether photographs are among them.
        progress: Told of real images as they are indexed, where that was not done yet.

    Raises:
        InputError: The run has no image yet, the folder holds something, or the questions can't be asked.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not empty; answers may lie there, so choose another folder")
    labels = run.plan.manifest.document.labels
    asked = read(questions, labels) if questions else usual(labels)
    shown = choose(run, per_cell, photographs=photographs, progress=progress)
    if not any(one.kind == PHOTOGRAPH for one in shown):
        asked = [one for one in asked if one.name != REAL]  # they are all synthetic
    if not asked:
        raise InputError(f"{questions}: whether it is a photograph can't be asked where none is among the images")
    document = run.plan.manifest.document
    numbered = {f"{number:0{len(str(len(shown)))}}": one for number, one in enumerate(shown, start=1)}
    study = ReaderStudy(
        document.publish.pretty_name or document.name,
        stable_hash(run.plan.digest, per_cell, *(one.key for one in shown)).hex(),
        document.skin_tones.scale,
        asked,
        {number: _row(number, one) for number, one in numbered.items()},
    )
    scratch = out.with_name(f".{out.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        _fill(scratch, study, numbered)
        if out.exists():
            out.rmdir()
        atomic.publish(scratch, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return study


def _fill(scratch: Path, study: ReaderStudy, numbered: Mapping[str, Shown]) -> None:
    """Write every file of a study."""
    asked = study.questions
    (scratch / READERS / IMAGES).mkdir(parents=True)
    for number, one in numbered.items():
        atomic.write(scratch / READERS / IMAGES / f"{number}.png", _png(one))
    atomic.write(scratch / READERS / SHEET, _sheet(study).encode())
    blank = [{"id": number} for number in numbered]
    atomic.write(scratch / READERS / BLANK, table(["id", *(one.name for one in asked)], blank))
    atomic.write(scratch / KEY, table(COLUMNS, list(study.key.values())))
    (scratch / KEY).chmod(0o600)  # it names patients' images
    said = {
        "format": _FORMAT,
        "title": study.title,
        "identity": study.identity,
        "skin_tone_scale": study.scale,
        "questions": [one.to_dict() for one in asked],
    }
    atomic.write(scratch / STUDY, json.dumps(said, indent=1, ensure_ascii=False).encode())
    checksums.write(scratch, [KEY, STUDY])


def open_study(root: Path) -> ReaderStudy:
    """The study in a folder that :func:`write` made.

    Raises:
        InputError: It is none.
        DamagedError: Its key or its questions are not what was written.
    """
    if not (root / STUDY).is_file() or not (root / KEY).is_file():
        raise InputError(f"{root}: no reader study (no {STUDY}); give the folder that --out named")
    for name in (STUDY, KEY):
        checksums.check(root / name, "put back a copy")
    try:
        said: dict[str, Any] = json.loads((root / STUDY).read_text(encoding="utf-8"))
        rows = list(csv.DictReader(io.StringIO((root / KEY).read_text(encoding="utf-8"))))
        key = {row["id"]: {name: row[name] for name in COLUMNS} for row in rows}
        asked = of_plain(said["questions"])
        return ReaderStudy(str(said["title"]), str(said["identity"]), str(said["skin_tone_scale"]), asked, key)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{root}: no reader study of this version: {error}") from None


def table(columns: Sequence[str], rows: Sequence[dict[str, str]]) -> bytes:
    """A CSV of these columns; what a program of tables would take for a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _plain(value: str) -> str:
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _row(number: str, one: Shown) -> dict[str, str]:
    values = (number, one.kind, one.key, one.entry, one.label, one.skin_tone)
    return dict(zip(COLUMNS, values, strict=True))


def _png(one: Shown) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(one.read()).save(buffer, "PNG")
    return buffer.getvalue()


def _sheet(study: ReaderStudy) -> str:
    """The page that readers answer on."""
    return page.render(
        "synthgen.reader_study",
        "sheet.html.j2",
        title=study.title,
        identity=study.identity,
        numbers=list(study.key),
        folder=IMAGES,
        questions=[one.to_dict() for one in study.questions],
        mixed=study.count(PHOTOGRAPH) > 0 and study.count(SYNTHETIC) > 0,
    )
