"""A whole study: every verb that a manifest asks for, one after the other, each taking up where it was left."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synthgen import datasets_on_disk, generate, preview, runs, tars
from synthgen import pack as packing
from synthgen.all_doors import DOORS
from synthgen.devices import Wish
from synthgen.errors import InputError, StoppedError
from synthgen.generate import Selection
from synthgen.ledger import Ledger
from synthgen.pack import PackedShard
from synthgen.plan import Plan
from synthgen.preview import Picture
from synthgen.sample import Record


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a study begins: the verb, and what it is about to do."""

    verb: str
    total: int = 0
    done: int = 0


def run(plan: Plan, out: Path, wish: Wish, *, stop: Callable[[], bool], **options: Any) -> Iterator[Stage | object]:
    """Generate, pack and preview into ``out``; yields each stage as it begins, and then its receipts.

    Args:
        plan: The plan.
        out: The study's folder: ``work/``, ``dataset/``, ``preview.html`` and ``preview.png``.
        wish: What was asked of the device.
        stop: Whether a signal asked to stop.
        options: As :func:`synthgen.generate.generate` takes them.
    """
    job = generate.prepare(plan, out / "work", Selection())
    yield Stage("generate", plan.samples, sum(job.finished))
    yield from generate.generate(job, wish, stop=stop, **options)
    if stop():
        raise StoppedError("stopped by a signal; run the same command again to go on")
    yield Stage("pack", plan.samples)
    yield from pack(out / "work", out / "dataset")
    yield Stage("preview")
    yield gallery(out / "work", out / "preview.html")


def pack(root: Path, out: Path, *, partial: bool = False) -> Iterator[PackedShard]:
    """Pack a run into a dataset folder with a card and a contact sheet."""
    yield from packing.pack(root, out, DOORS, _draw_sheet, partial=partial)


def gallery(root: Path, out: Path, limit: int = 5000) -> Path:
    """Write the gallery of a run or a dataset, and the contact sheet beside it as ``.png``; returns the sheet's path.

    Args:
        root: A run or a packed dataset.
        out: The HTML file.
        limit: Pictures shown at the most, the same number of each entry, label and skin tone.

    Raises:
        InputError: The folder is neither, holds no image yet, or ``out`` is not ours to write over.
    """
    plan = plan_of(root)
    pictures = _pictures(root, plan, limit)
    if not pictures:
        raise InputError(f"{root}: no image here yet")
    document = plan.manifest.document
    title = document.publish.pretty_name or document.name
    facts = {"manifest": document.name, "seed": str(document.seed), "plan": plan.digest[:16]}
    facts["models"] = ", ".join(sorted({entry.recipe.model.name for entry in plan.entries.values()}))
    if len(pictures) < plan.samples:
        facts["shown"] = f"{len(pictures):,} of {plan.samples:,} planned images"
    sheet = out.with_suffix(".png")
    preview.write_gallery(pictures, out, title=title, facts=facts, reproduce_dir=str(root))
    preview.write_contact_sheet(pictures, sheet, title=title)
    return sheet


def plan_of(root: Path) -> Plan:
    """The plan of a run or of a packed dataset.

    Raises:
        InputError: The folder is neither.
    """
    if runs.is_run(root):
        return runs.read_plan(root, DOORS)
    if datasets_on_disk.is_dataset(root):
        return datasets_on_disk.read_plan(root, DOORS)
    raise InputError(f"{root}: neither a run (run.json) nor a packed dataset (provenance.json)")


def _pictures(root: Path, plan: Plan, limit: int) -> list[Picture]:
    """The first pictures of each cell; stops reading once every cell has its share."""
    cells = sum(len(entry.cells) for entry in plan.entries.values())
    share, room = max(1, limit // cells), Counter[tuple[str, str, str]]()
    wanted = sum(min(share, cell.count) for entry in plan.entries.values() for cell in entry.cells)
    pictures: list[Picture] = []
    for path in _tars(root, plan):
        for sample in tars.read(path):
            if len(pictures) == wanted:
                return pictures
            record = json.loads(sample.files["json"])
            cell = (record["entry"], record["label"], record["skin_tone"])
            room[cell] += 1
            if room[cell] <= share:
                image = next(content for name, content in sample.files.items() if name not in ("json", "cls"))
                pictures.append(Picture(record, image))
    return pictures


def _tars(root: Path, plan: Plan) -> Iterator[Path]:
    if not runs.is_run(root):
        yield from sorted((root / "data").glob("*.tar"))
        return
    for name, entry in plan.entries.items():
        ledger = Ledger(root, name, entry.digest)
        yield from (ledger.tar(number) for number in range(entry.shards) if ledger.trusted(number))


def _draw_sheet(pairs: Sequence[tuple[Record, bytes]], path: Path, title: str) -> None:
    pictures = [Picture(asdict(record), content) for record, content in pairs]
    preview.write_contact_sheet(pictures, path, title=title)


def failed(plan: Plan, root: Path) -> int:
    """How many samples of a run could not be made."""
    receipts = (
        Ledger(root, name, entry.digest).trusted(number)
        for name, entry in plan.entries.items()
        for number in range(entry.shards)
    )
    return sum(receipt.failed for receipt in receipts if receipt)
