"""What readers' answers say: whether they can tell synthetic images, what they see in them, how far they agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthgen.core import atomic, checksums
from synthgen.core.hashing import seed_from
from synthgen.core.report import Block, Heading, Paragraph, Table, html, markdown
from synthgen.plan.skin_tones import GROUPS, name
from synthgen.reader_study import answers
from synthgen.reader_study.agreement import Estimate, difference, kappa, share
from synthgen.reader_study.answers import Reader
from synthgen.reader_study.choose import PHOTOGRAPH, SYNTHETIC
from synthgen.reader_study.folder import COLUMNS, REPORT, ReaderStudy, open_study, table
from synthgen.reader_study.questions import LABEL, REAL, Question

_GENERATOR = "synthgen reader-study"


def analyse(root: Path, paths: Sequence[Path]) -> list[Block]:
    """Write ``report/`` into a reader study's folder: a page, the same as Markdown, every answer; returns its blocks.

    Args:
        root: The folder.
        paths: The files that readers gave back.

    Raises:
        InputError: It is no such folder, or a file has answers of something else.
        DamagedError: The study's key is not what was written.
    """
    study = open_study(root)
    readers = answers.read(study, paths)
    blocks = list(_blocks(study, readers))
    title = f"{study.title}: what readers saw"
    folder = root / REPORT
    folder.mkdir(exist_ok=True)
    checksums.clear(folder)
    files = {
        "report.html": html(title, blocks, _GENERATOR).encode(),
        "report.md": markdown(title, blocks).encode(),
        "answers.csv": _all_answers(study, readers),
    }
    for path, content in files.items():
        atomic.write(folder / path, content)
    checksums.write(folder, files)
    return blocks


def _all_answers(study: ReaderStudy, readers: Sequence[Reader]) -> bytes:
    """A row a reader and image, with what the image is; without its name, which of a real image may be a patient's."""
    columns = [one for one in COLUMNS if one != "key"]
    rows = [
        {"reader": reader.name, **{one: row[one] for one in columns}}
        | {asked: given[number] for asked, given in reader.answers.items() if number in given}
        for reader in readers
        for number, row in study.key.items()
    ]
    return table(["reader", *columns, *(one.name for one in study.questions)], rows)


@dataclass(frozen=True, slots=True)
class _Subset:
    """Some images: of some skin tones, of a label, or of an entry and all photographs.

    Attributes:
        title: What it is called.
        tones: The skin tones; all where empty.
        label: The label; all where empty.
        entry: The entry; all where empty.
    """

    title: str
    tones: frozenset[str] = frozenset()
    label: str = ""
    entry: str = ""

    def has(self, row: Mapping[str, str]) -> bool:
        """Whether an image is one of them."""
        return (
            (not self.tones or row["skin_tone"] in self.tones)
            and self.label in ("", row["true_label"])
            and (self.entry in ("", row["entry"]) or row["kind"] == PHOTOGRAPH)
        )


_ALL = _Subset("all")


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers of some readers."""

    study: ReaderStudy
    readers: Sequence[Reader]

    def said(self, question: str, answer: str, kind: str, subset: _Subset = _ALL) -> Estimate:
        """How often some images of a kind got an answer."""
        return self._share(question, kind, subset, lambda _: answer)

    def right(self, kind: str, subset: _Subset) -> Estimate:
        """How often some images of a kind were taken for what they are said to show."""
        return self._share(LABEL, kind, subset, lambda row: row["true_label"])

    def _share(self, question: str, kind: str, subset: _Subset, wanted: Callable[[Mapping[str, str]], str]) -> Estimate:
        given = [one.answers[question] for one in self.readers]
        rows = {number: row for number, row in self.study.key.items() if row["kind"] == kind and subset.has(row)}
        return share(
            {number: [one[number] == wanted(row) for one in given if number in one] for number, row in rows.items()}
        )


def _blocks(study: ReaderStudy, readers: Sequence[Reader]) -> Iterator[Block]:
    photographs, synthetic = study.count(PHOTOGRAPH), study.count(SYNTHETIC)
    said = f"{synthetic:,} synthetic images and {photographs:,} photographs" if photographs else f"{synthetic:,} images"
    count = f"{len(readers)} reader{'' if len(readers) == 1 else 's'}"
    yield Paragraph(f"{count} judged {said} without knowing which is which.")
    yield Paragraph(
        "Intervals are of 95 %, and say what these readers would answer of other such images, not what other readers "
        "would. Of several readers they have as many trials as images, since all see the same ones. An unanswered "
        "question counts for nothing."
    )
    for question in study.questions:
        if question.name == REAL:
            yield from _told_apart(study, readers)
        elif question.name == LABEL:
            yield from _labels(study, readers)
        elif question.answers:
            yield from _other(study, readers, question)
    yield from _agreement(study, readers)


def _told_apart(study: ReaderStudy, readers: Sequence[Reader]) -> Iterator[Block]:
    """Whether readers could tell which were synthetic."""
    yield Heading("Could readers tell them apart?")
    rows, gaps = list[tuple[str, ...]](), list[Estimate]()
    for who, some in _each(readers):
        caught, wrong, gap = _called_synthetic(_Answers(study, some), _ALL)
        gaps.append(gap)
        rows.append((who, _share(caught), _share(wrong), _points(gap), f"{gap.answers:,}"))
    yield Paragraph(_verdict(gaps[0]), strong=True)
    header = ("reader", "synthetic, called so", "photographs, called synthetic", "difference, points", "answers")
    yield Table("A difference of 0 is guessing, whatever the shares; 100 is telling every image.", header, tuple(rows))
    rows = []
    for subset in _subsets(study):
        caught, wrong, gap = _called_synthetic(_Answers(study, readers), subset)
        if caught.images and wrong.images:
            rows.append((subset.title, _share(caught), _share(wrong), _points(gap), f"{gap.images:,}"))
    caption = "On which skin, and of which entry beside all photographs"
    yield Table(caption, ("images", *header[1:4], "images judged"), tuple(rows))


def _called_synthetic(given: _Answers, subset: _Subset) -> tuple[Estimate, Estimate, Estimate]:
    """How often synthetic images are called so, how often photographs are, and the difference."""
    caught, wrong = (given.said(REAL, SYNTHETIC, kind, subset) for kind in (SYNTHETIC, PHOTOGRAPH))
    return caught, wrong, difference(caught, wrong)


def _verdict(gap: Estimate) -> str:
    """What the difference shows, in a sentence."""
    if math.isnan(gap.value):
        return "Whether readers can tell them apart was not answered for both kinds."
    if gap.low > 0:
        return f"Readers told synthetic images from photographs better than by guessing: {_points(gap)} points."
    if gap.high < 0:
        return f"Readers called photographs synthetic more often than synthetic images: {_points(gap)} points."
    return f"That readers can tell them apart was not shown, and not that they can't: {_points(gap)} points."


def _labels(study: ReaderStudy, readers: Sequence[Reader]) -> Iterator[Block]:
    """Whether readers see in an image what was asked for."""
    yield Heading("Do they show what was asked for?")
    labels = sorted({row["true_label"] for row in study.key.values()})
    for caption, title, subsets in (
        ("Answers that are the label asked for, or the photograph's own", "images", (_ALL, *_subsets(study))),
        ("The same by label", "label", [_Subset(label, label=label) for label in labels]),
    ):
        rows = []
        for subset in subsets:
            made, taken = (_Answers(study, readers).right(kind, subset) for kind in (SYNTHETIC, PHOTOGRAPH))
            if made.images:
                said = (_share(made), _share(taken), _points(difference(made, taken)), f"{made.images:,}")
                rows.append((subset.title, *said))
        header = (title, "synthetic", "photographs", "difference, points", "synthetic images judged")
        yield Table(caption, header, tuple(rows))


def _other(study: ReaderStudy, readers: Sequence[Reader], question: Question) -> Iterator[Block]:
    """How often each answer was given."""
    yield Heading(question.ask)
    given, rows = _Answers(study, readers), []
    for answer in question.answers:
        made, taken = (given.said(question.name, answer, kind) for kind in (SYNTHETIC, PHOTOGRAPH))
        rows.append((answer, _share(made), _share(taken), _points(difference(made, taken))))
    yield Table("", ("answer", "synthetic", "photographs", "difference, points"), tuple(rows))


def _agreement(study: ReaderStudy, readers: Sequence[Reader]) -> Iterator[Block]:
    """How far each two readers agree."""
    yield Heading("How far readers agree")
    if len(readers) < 2:
        yield Paragraph("There is one reader, so nothing says whether another would see the same.", strong=True)
        return
    rows = []
    for question in (one for one in study.questions if one.answers):
        for one, other in itertools.combinations(readers, 2):
            both = sorted(set(one.answers[question.name]) & set(other.answers[question.name]))
            pairs = [(one.answers[question.name][number], other.answers[question.name][number]) for number in both]
            found = kappa(pairs, seed_from(study.identity, question.name, one.name, other.name))
            same = f"{sum(a == b for a, b in pairs) / len(pairs):.0%}" if pairs else "-"
            rows.append((question.name, f"{one.name}, {other.name}", same, _number(found), f"{found.images:,}"))
    yield Table(
        "Cohen's kappa: 0 is what chance alone gives, 1 is always the same",
        ("question", "readers", "same answer", "kappa", "images both judged"),
        tuple(rows),
        names=2,
    )


def _subsets(study: ReaderStudy) -> Iterator[_Subset]:
    """The groups of skin tones, and each entry where there are several."""
    for group, tones in GROUPS[study.scale].items():
        yield _Subset(f"{group} skin", frozenset(name(study.scale, tone) for tone in tones))
    entries = sorted({row["entry"] for row in study.key.values()} - {""})
    if len(entries) > 1:
        yield from (_Subset(f"entry {entry}", entry=entry) for entry in entries)


def _each(readers: Sequence[Reader]) -> Iterator[tuple[str, Sequence[Reader]]]:
    """All readers, and where there are several each by itself."""
    if len(readers) == 1:
        yield readers[0].name, readers
        return
    yield "all", readers
    yield from ((one.name, [one]) for one in readers)


def _share(found: Estimate) -> str:
    return "-" if math.isnan(found.value) else f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%})"


def _points(found: Estimate) -> str:
    if math.isnan(found.value):
        return "-"
    return f"{100 * found.value:+.0f} ({100 * found.low:+.0f} to {100 * found.high:+.0f})"


def _number(found: Estimate) -> str:
    if math.isnan(found.low) and not math.isnan(found.value):
        return f"{found.value:.2f} (not known)"
    return "-" if math.isnan(found.value) else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
