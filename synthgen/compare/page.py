"""The page of a comparison, as blocks: what is told apart, the sheet, the league tables, and how to read them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from synthgen.compare.intervals import Estimate
from synthgen.compare.league import ALL_MEASURES, COSTS, OF_IMAGES, OF_SETS, REAL, League, written
from synthgen.core.report import Block, Figure, Heading, Paragraph, Table
from synthgen.curate.fidelity.measure import MEMORISED
from synthgen.curate.fidelity.tables import format_value
from synthgen.vision.metrics import Measured

if TYPE_CHECKING:
    from synthgen.compare.matching import Generator, Matched
    from synthgen.compare.pairs import Pairing
    from synthgen.compare.sheet import SheetRow

SHEET = "sheet.png"
_JUDGED = (*OF_IMAGES, *OF_SETS, *COSTS)
READING = (
    "The images of a row of the sheet, and of a pair, were asked for by the same prompt and the same seed. Only images "
    "that every generator made, and at the same attempt, are compared: what a generator fails at is counted in the "
    "table of generators, and in no other.",
    "An interval is one of 95 %. Two generators are told apart only where no value of one's interval lies in the "
    "other's, and nothing is said where a measure has no interval. That is stricter than a test of the difference, so "
    "what is not told apart may still differ: look at the pairs, or make more images. None of it is corrected for "
    "there being many measures and groups.",
    "Label agreement: the share of images of which probes, trained on real training images alone, name the label that "
    "was asked for. Degrees from the tone: the median of how far the border's skin is from the range of angles of the "
    "tone asked for, 0 within it; within the tone: the share that is. Near-duplicates: the share that looks like "
    "another compared image of the same generator as copies do; near-copies of real: like a real image of any split, "
    "but the image's own source. Kept: the share that the runs' own rules keep. Intervals of shares are Wilson's, of "
    "medians order statistics.",
    "Fréchet distance to memorised are those of the fidelity report, against real training images; real test images "
    "are the yardstick, at equal numbers, and ± is a standard error that does not cover what other real images would "
    "have changed. The Vendi score is the measure of diversity: near the yardstick is good, as is density.",
    "Time is that of one device, as receipts say: of the run's finished work shards, with what was tried in vain. A "
    "kept image costs what an image costs, divided by the share that is kept; its interval is that share's. How times "
    "vary from run to run is not known, so no generator is said to be faster or cheaper: the numbers are there.",
)


def blocks(
    matched: Matched,
    found: League,
    paired: Sequence[Pairing],
    rows: Sequence[SheetRow],
    sheet: bytes,
    *,
    notes: Sequence[str],
    price: float | None,
) -> Iterator[Block]:
    """The blocks of the page, from top to bottom.

    Args:
        matched: The generators and their images.
        found: The league table.
        paired: The comparisons by pairs.
        rows: What the sheet shows.
        sheet: The sheet as a PNG.
        notes: Sentences that a reader must know.
        price: What an hour of one device costs; ``None`` where nobody said.
    """
    yield Heading("In short")
    yield from (Paragraph(sentence) for sentence in (*in_short(found), *paired_in_short(paired, found), *notes))
    yield Heading("The same prompts and seeds")
    yield Figure(SHEET, _caption(len(rows), matched), _caption(len(rows), matched), sheet)
    yield Heading("Labels, skin tones and copies")
    yield _of_images(found)
    yield Heading("Told apart")
    yield _told_apart(found)
    yield _light_and_dark(found)
    if paired:
        yield Heading("Image by image")
        yield _paired(paired, matched.generators[0].name)
    yield Heading("Fidelity and diversity")
    if any(row.measure in OF_SETS for row in found.rows):
        yield _of_sets(found)
        yield from (Paragraph(text) for text in _reasons(found))
    else:
        yield Paragraph("Nothing was held against real images: the manifests name none (`real:`).")
    yield Heading("Time and cost")
    yield _costs(matched, found, price)
    yield Heading("Generators")
    yield _generators(matched)
    differences = [(one.name, line) for one in matched.generators for line in one.differs]
    if differences:
        yield Table(f"What a manifest says otherwise than that of {found.generators[0]}", ("generator", "key"),
                    differences, names=2)  # fmt: skip
    yield Heading("What the sheet shows")
    yield Table("", ("key", "label", "skin tone", "seed", "prompt"), _shown(rows), names=5)
    yield Heading("How to read it")
    yield from (Paragraph(text) for text in READING)


def in_short(found: League) -> Iterator[str]:
    """What is told apart among all images, and what is not, in sentences."""
    group = found.groups[0]
    apart, together, unknown = list[str](), list[str](), list[str]()
    for measure in _JUDGED:
        title = ALL_MEASURES[measure].title
        if pairs := found.told_apart(group, measure):
            apart.append(f"{title}: {_pairs(pairs)}")
        elif found.bounded(group, measure):
            together.append(title)
        elif any((one := found.of(group, name, measure)) and one.known for name in found.generators):
            unknown.append(title)
    if apart:
        yield f"Told apart by their intervals, over all images: {'; '.join(apart)}."
    if together:
        yield f"Not told apart, so no generator is better by it as far as this shows: {', '.join(together)}."
    if unknown:
        yield f"Measured without an interval or a direction, so nothing is said of who is better: {', '.join(unknown)}."


def paired_in_short(paired: Sequence[Pairing], found: League) -> Iterator[str]:
    """What pairs show of all images, in a sentence."""
    first, shown = found.generators[0], dict[tuple[str, str], list[str]]()
    for one in paired:
        if one.group == found.groups[0] and one.shown:
            shown.setdefault((one.generator, one.verdict), []).append(ALL_MEASURES[one.measure].title)
    if shown:
        said = (f"{name} {verdict} than {first} by {', '.join(titles)}" for (name, verdict), titles in shown.items())
        yield f"Image by image, over all pairs: {'; '.join(said)}."
    elif paired:
        yield f"Image by image, over all pairs, no generator is shown to be better or worse than {first}."


def summary_lines(found: League, paired: Sequence[Pairing] = ()) -> Iterator[str]:
    """A line a generator with its measures of all images, and what is told apart."""
    group = found.groups[0]
    for name in found.generators:
        said = [
            f"{ALL_MEASURES[measure].title} {written(measure, one)}"
            for measure in ("agreement", "tone_distance", "kid", "kept", "seconds", "cost_kept")
            if (one := found.of(group, name, measure)) and one.known
        ]
        most = max((one.n for one in (found.of(group, name, measure) for measure in ALL_MEASURES) if one), default=0)
        yield f"{name}, {most:,} images: {', '.join(said) or 'nothing is known'}"
    yield from in_short(found)
    yield from paired_in_short(paired, found)


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Who is better than whom, each of the better ones once."""
    better = dict[str, list[str]]()
    for one, other in pairs:
        better.setdefault(one, []).append(other)
    return ", ".join(f"{one} better than {' and '.join(others)}" for one, others in better.items())


def _caption(count: int, matched: Matched) -> str:
    names = ", ".join(one.name for one in matched.generators)
    return (
        f"{count:,} of {len(matched.images):,} compared images, light and dark skin of each label in turn, "
        f"chosen by a hash of their keys. Each row has one prompt and one seed; from left to right: {names}."
    )


def _of_images(found: League) -> Table:
    names = [name for name in OF_IMAGES if any(row.measure == name and row.found.known for row in found.rows)]
    header = ("images", "generator", "n", *(ALL_MEASURES[name].title for name in names))
    lines = []
    for group in found.groups:
        for generator in found.generators:
            of = [found.of(group, generator, name) for name in names]
            n = max((one.n for one in of if one), default=0)
            lines.append(
                (group, generator, f"{n:,}", *(written(name, one, n) for name, one in zip(names, of, strict=True)))
            )
    return Table("Values with their 95 % intervals; n is the number of images", header, lines, names=2)


def _told_apart(found: League) -> Table:
    lines = []
    for measure in _JUDGED:
        if any(found.bounded(group, measure) for group in found.groups):
            cells = [
                _pairs(pairs) if (pairs := found.told_apart(group, measure))
                else "no two" if found.bounded(group, measure) else "not known"
                for group in found.groups
            ]  # fmt: skip
            lines.append((ALL_MEASURES[measure].title, *cells))
    caption = "Generators of which no value of one's interval lies in the other's"
    return Table(caption, ("measure", *found.groups), lines, names=1 + len(found.groups))


def _light_and_dark(found: League) -> Table:
    """Of each generator, whether its light and its dark skin are told apart."""
    sides = {name.partition(" ")[0]: name for name in found.groups}
    lines = []
    if {"light", "dark"} <= set(sides):
        for measure in (*OF_IMAGES, "cost_kept"):
            for generator in found.generators:
                light, dark = (found.of(sides[side], generator, measure) for side in ("light", "dark"))
                if light and dark and light.known and dark.known:
                    said = _fares(light.above(dark), dark.above(light), ALL_MEASURES[measure].better)
                    values = written(measure, light), f"{light.n:,}", written(measure, dark), f"{dark.n:,}"
                    lines.append((ALL_MEASURES[measure].title, generator, *values, said))
    return Table(
        "Light beside dark skin", ("measure", "generator", "light", "n", "dark", "n", "told apart"), lines, names=2
    )


def _fares(light_above: bool, dark_above: bool, better: str) -> str:
    if not (light_above or dark_above):
        return "no"
    return "DARK SKIN FARES WORSE" if light_above == (better == "higher") else "light skin fares worse"


def _paired(paired: Sequence[Pairing], first: str) -> Table:
    lines = [
        (ALL_MEASURES[one.measure].title, one.generator, one.group,
         *(f"{count:,}" for count in (one.n, one.better, one.worse, one.n - one.better - one.worse)),
         _share(one), one.verdict)
        for one in paired if one.better + one.worse
    ]  # fmt: skip
    counts = ("pairs", "better", "worse", "alike")
    header = ("measure", "generator", "images", *counts, "better of those that differ", f"than {first}")
    return Table(f"Beside {first}, of the same prompts and seeds, where a pair differs at all", header, lines, names=3)


def _share(one: Pairing) -> str:
    if not one.share.known:
        return "-"
    return f"{one.share.value:.1%} ({one.share.low:.1%} to {one.share.high:.1%})"


def _of_sets(found: League) -> Table:
    names = [name for name in OF_SETS if any(row.measure == name for row in found.rows)]
    header = ("images", "generator", "n", *(ALL_MEASURES[name].title for name in names))
    lines = []
    for group in found.groups:
        for generator in (*found.generators, REAL):
            of = {name: one for name in names if (one := found.of(group, generator, name)) is not None}
            n = max((one.n for name, one in of.items() if name != MEMORISED), default=0)
            lines.append((group, generator, f"{n:,}", *(_plus_minus(name, one, n) for name, one in of.items())))
    caption = "Against the group's real training images, ± a standard error; n is the number of images a draw"
    return Table(caption, header, lines, names=2)


def _plus_minus(name: str, found: Estimate, n: int) -> str:
    error = (found.high - found.low) / 2 / 1.959964 if found.bounded else math.nan
    said = format_value(name, Measured(found.value, error))
    return said + (f", n = {found.n:,}" if name == MEMORISED and found.n != n and found.known else "")


def _reasons(found: League) -> Iterator[str]:
    """Each note of a measure of sets once, and the groups that it is about."""
    about: dict[str, list[str]] = {}
    for row in found.rows:
        if row.measure in OF_SETS and row.found.note:
            text = f"{ALL_MEASURES[row.measure].title}: {row.found.note.partition(', has')[0]}"
            about.setdefault(text, []).append(row.group)
    yield from (f"{text} ({', '.join(dict.fromkeys(names))})." for text, names in about.items())


def _costs(matched: Matched, found: League, price: float | None) -> Table:
    """Time an image, and where a price was given what images cost, made and kept, light and dark."""
    header = ["generator", "device", "dtype", "batch", "n", "work shards", "seconds an image", "by work shard"]
    if price is not None:
        header += [ALL_MEASURES["cost"].title, *(f"{ALL_MEASURES['cost_kept'].title}, {name}" for name in found.groups)]
    lines = []
    for one in matched.generators:
        rates = [shard.receipt.timing["seconds"] / shard.receipt.count for shard in one.finished if shard.receipt.count]
        line = [one.name, *environment(one), f"{one.made:,}", f"{len(one.finished):,}"]
        line += [written("seconds", found.of(found.groups[0], one.name, "seconds"))]
        line += [" to ".join(f"{ends:#.3g}" for ends in (min(rates), max(rates)))]
        if price is not None:
            line += [written("cost", found.of(found.groups[0], one.name, "cost"))]
            line += [written("cost_kept", found.of(group, one.name, "cost_kept")) for group in found.groups]
        lines.append(tuple(line))
    caption = "As receipts say" if price is None else f"At {price:,.2f} an hour of one device"
    return Table(caption, tuple(header), lines, names=3)


def environment(one: Generator) -> list[str]:
    """Device, dtype and batch size of a generator's shards; several are named together."""
    facts = [shard.receipt.environment for shard in one.finished]
    return [
        ", ".join(dict.fromkeys(str(fact.get(name, "")) for fact in facts))
        for name in ("device_name", "dtype", "batch_size")
    ]


def _generators(matched: Matched) -> Table:
    header = ("generator", "made by", "planned", "made", "failed", "at a later attempt", "compared")
    lines = [
        (one.name, one.made_by, *(f"{count:,}" for count in (one.planned, one.made, one.failed, one.later)),
         f"{len(matched.images):,}")
        for one in matched.generators
    ]  # fmt: skip
    return Table("", header, lines, names=2)


def _shown(rows: Sequence[SheetRow]) -> list[tuple[str, ...]]:
    return [(row.image.key, row.image.label, row.image.tone, str(row.seed), row.prompt) for row in rows]
