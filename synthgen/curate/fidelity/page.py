"""The page of a fidelity report, as blocks: sentences, tables and pictures."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthgen.core.report import Block, Figure, Heading, Paragraph, Table
from synthgen.curate.fidelity import small_data
from synthgen.curate.fidelity.groups import ALL, CELL, ENTRY, KEPT, LIGHTNESS, SCOPES
from synthgen.curate.fidelity.measure import MEMORISED, NONE, Measurement
from synthgen.curate.fidelity.tables import TITLES, format_value, tables
from synthgen.vision.metrics import MINIMUM

READING = (
    "Two rows belong together: the generated images, and below them other real images, held against the same real "
    "ones. The second row is the yardstick: what the first would be if the generated images were real. Where one set "
    "is larger it is cut into draws of the smaller one's size, at most five. Numbers are means over draws, and ± is "
    "the standard error that the spread of three or more draws shows (for KID, the jackknife's within them); it does "
    "not cover what other real images would have changed.",
    "Fréchet distance (Heusel et al. 2017): how far the means and covariances of the two sets are apart; less is "
    "better. It is too large by an amount that shrinks as images grow in number, so compare it with the yardstick "
    "below it, never with a number from elsewhere: other features, other units.",
    "KID (Bińkowski et al. 2018), a thousandfold: less is better, 0 in expectation for sets of one distribution "
    "whatever their sizes, and by chance below 0 too.",
    "Precision (Kynkäänniemi et al. 2019): the share of generated images where real ones lie; recall: the share of "
    "real images where generated ones lie. Density and coverage (Naeem et al. 2020) ask the same, and one odd image "
    "does not move them; density is about 1 for real images, and more where generated ones crowd. All four move with "
    "the numbers of images.",
    "Vendi score (Friedman and Dieng 2023): how many different images there are in effect, by the cosine of their "
    "features in standard deviations of the real images'; more is more diverse, and it grows with the number of "
    "images. Without real images features are standardised by themselves, and two runs can't be compared.",
    "Memorised: the share of all generated images that are closer to a training image than the closest 5 % of real "
    "test images are (after Meehan et al. 2020); the yardstick is the share that further real images would have, ± the "
    "spread of as many of them (beta-binomial, since the threshold is drawn too). "
    "Images made from a training image (inpaint, outpaint, img2img) are close to it by intent. A training image is "
    "one of the manifest's training split, whether or not the generator has seen it.",
    "Generated and real images may differ in how many there are of each label and tone. Measures of all images see "
    "that too, and those of a label see the tones; those of a cell see neither.",
)


_HEADINGS = {
    ALL: "All images", KEPT: "Kept and rejected by the rules", ENTRY: "By entry", "label": "By label",
    LIGHTNESS: "Light and dark skin", "skin tone": "By skin tone", CELL: "By cell: entry, label and skin tone",
}  # fmt: skip


@dataclass(frozen=True)
class ReportFacts:
    """What a report says beside its measurements.

    Attributes:
        settings: Names and values of what was measured, and how.
        notes: Sentences that a reader must know.
        warning: One that must not be missed; empty for none.
        figures: Its pictures.
    """

    settings: Sequence[tuple[str, str]]
    notes: Sequence[str]
    warning: str
    figures: Sequence[Figure]


def blocks(rows: Sequence[Measurement], facts: ReportFacts) -> Iterator[Block]:
    """The blocks of the page: headings, paragraphs, tables and figures, from top to bottom."""
    if facts.warning:
        yield Paragraph(facts.warning, strong=True)
    yield Heading("In short")
    yield from (Paragraph(sentence) for sentence in (*small_data.lines(rows), *_in_short(rows), *facts.notes))
    if facts.figures:
        yield Heading("Nearest training images")
        yield from facts.figures
    for scope in SCOPES:
        of_scope = [row for row in rows if row.group.scope == scope]
        without = small_data.unmeasured(of_scope)
        measured = [row for row in of_scope if row.group.name not in without]
        if of_scope:
            yield Heading(_HEADINGS[scope])
            yield from tables(measured)
        if without:
            yield Paragraph(f"Fewer than {MINIMUM} images on a side, so not measured: {', '.join(without)}.")
    if not any(row.group.scope == CELL for row in rows):
        yield Paragraph(f"No two cells (entry, label and skin tone) have {MINIMUM} images, so none is measured alone.")
    yield Heading("How to read it")
    yield from (Paragraph(text) for text in READING)
    yield Heading("How it was done")
    yield Table("", ("setting", "value"), facts.settings, names=2)


def summary_lines(rows: Sequence[Measurement]) -> Iterator[str]:
    """The measures of all images as lines of text, each beside its yardstick, and what can't be told of few images."""
    yield from small_data.lines(rows)
    for row in rows:
        if row.group.scope == ALL and row.reference in ("train", NONE) and not math.isnan(row.generated.value):
            known = not math.isnan(row.real.value)
            missing = "" if row.reference == NONE else "  (no yardstick: too few real test images)"
            yardstick = f"  (real: {format_value(row.measure, row.real)})" if known else missing
            yield f"{TITLES[row.measure]:<10} {format_value(row.measure, row.generated)}{yardstick}"


def _in_short(rows: Sequence[Measurement]) -> Iterator[str]:
    """The measures of all images, and of light beside dark skin, in sentences."""
    overall = {row.measure: row for row in rows if row.group.scope == ALL and row.reference == "train"}
    distance, memorised = overall.get("frechet"), overall.get(MEMORISED)
    if distance and not math.isnan(distance.generated.value) and not math.isnan(distance.real.value):
        yield (
            f"{distance.n:,} generated images are at a Fréchet distance of "
            f"{format_value('frechet', distance.generated)} from {distance.references:,} real training images; "
            f"{distance.real_n:,} real test images are at {format_value('frechet', distance.real)}."
        )
    if memorised and not math.isnan(memorised.generated.value):
        yield (
            f"{format_value(MEMORISED, memorised.generated)} of the generated images are closer to a training image "
            f"than the closest {format_value(MEMORISED, memorised.real)} of real test images are."
        )
    yield from _groups_in_short(rows)


def _groups_in_short(rows: Sequence[Measurement]) -> Iterator[str]:
    """Kept beside rejected images, and light beside dark skin, in sentences."""
    for scope, name, words in (
        (KEPT, "kid", "1000 KID to real training images"),
        (LIGHTNESS, "kid", "1000 KID to real training images of the same tones"),
        (LIGHTNESS, MEMORISED, "Memorised"),
    ):
        of_scope = [row for row in rows if (row.group.scope, row.reference, row.measure) == (scope, "train", name)]
        found = [row for row in of_scope if not math.isnan(row.generated.value)]
        if len(found) > 1:
            yield f"{words}: {'; '.join(_with_yardstick(row) for row in found)}."


def _with_yardstick(row: Measurement) -> str:
    """A group's value, and the yardstick where there is one."""
    yardstick = "" if math.isnan(row.real.value) else f" (real {format_value(row.measure, row.real)})"
    return f"{row.group.name} {format_value(row.measure, row.generated)}{yardstick}"
