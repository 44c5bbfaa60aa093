"""What a fidelity report says, in sentences, tables and pictures."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthgen.blocks import Block, Figure, Heading, Paragraph, Table
from synthgen.curate.fidelity.groups import ALL, CELL, ENTRY, KEPT, LIGHTNESS, SCOPES
from synthgen.curate.fidelity.reading import READING
from synthgen.curate.fidelity.rows import COLUMNS, MEMORISED, NONE, Row
from synthgen.fidelity import MINIMUM, Measured

_TITLES = {
    "frechet": "Fréchet", "kid": "1000 KID", "precision": "precision", "recall": "recall", "density": "density",
    "coverage": "coverage", "vendi": "Vendi", MEMORISED: "memorised",
}  # fmt: skip
_FORMATS = {"frechet": "{:#.4g}", "kid": "{:.1f}", MEMORISED: "{:.1%}"}
_HEADINGS = {
    ALL: "All images", KEPT: "Kept and rejected by the rules", ENTRY: "By entry", "label": "By label",
    LIGHTNESS: "Light and dark skin", "skin tone": "By skin tone", CELL: "By cell: entry, label and skin tone",
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What a report knows beside its rows.

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


def content(rows: Sequence[Row], facts: Facts) -> Iterator[Block]:
    """The report, block by block."""
    if facts.warning:
        yield Paragraph(facts.warning, strong=True)
    yield Heading("In short")
    yield from (Paragraph(sentence) for sentence in (*_in_short(rows), *facts.notes))
    if facts.figures:
        yield Heading("Nearest training images")
        yield from facts.figures
    for scope in SCOPES:
        of_scope = [row for row in rows if row.group.scope == scope]
        if of_scope:
            yield Heading(_HEADINGS[scope])
            yield from _tables(of_scope)
    if not any(row.group.scope == CELL for row in rows):
        yield Paragraph(f"No two cells (entry, label and skin tone) have {MINIMUM} images, so none is measured alone.")
    yield Heading("How to read it")
    yield from (Paragraph(text) for text in READING)
    yield Heading("How it was done")
    yield Table("", ("setting", "value"), facts.settings, names=2)


def overall(rows: Sequence[Row]) -> Iterator[str]:
    """The measures of all images as lines of text, each beside its yardstick."""
    for row in rows:
        if row.group.scope == ALL and row.reference in ("train", NONE) and not math.isnan(row.generated.value):
            yardstick = "" if math.isnan(row.real.value) else f"  (real: {_text(row.measure, row.real)})"
            yield f"{_TITLES[row.measure]:<10} {_text(row.measure, row.generated)}{yardstick}"


def _in_short(rows: Sequence[Row]) -> Iterator[str]:
    """The measures of all images, and of light beside dark skin, in sentences."""
    overall = {row.measure: row for row in rows if row.group.scope == ALL and row.reference == "train"}
    distance, memorised = overall.get("frechet"), overall.get(MEMORISED)
    if distance and not math.isnan(distance.generated.value) and not math.isnan(distance.real.value):
        yield (
            f"{distance.n:,} generated images are at a Fréchet distance of {_text('frechet', distance.generated)} from "
            f"{distance.references:,} real training images; {distance.real_n:,} real test images are at "
            f"{_text('frechet', distance.real)}."
        )
    if memorised and not math.isnan(memorised.generated.value):
        yield (
            f"{_text(MEMORISED, memorised.generated)} of the generated images are closer to a training image than the "
            f"closest {_text(MEMORISED, memorised.real)} of real test images are."
        )
    yield from _groups_in_short(rows)


def _groups_in_short(rows: Sequence[Row]) -> Iterator[str]:
    """Kept beside rejected images, and light beside dark skin, in sentences."""
    for scope, name, words in (
        (KEPT, "kid", "1000 KID to real training images"),
        (LIGHTNESS, "kid", "1000 KID to real training images of the same tones"),
        (LIGHTNESS, MEMORISED, "Memorised"),
    ):
        of_scope = [row for row in rows if (row.group.scope, row.reference, row.measure) == (scope, "train", name)]
        found = [row for row in of_scope if not math.isnan(row.generated.value)]
        if len(found) > 1:
            yield f"{words}: {'; '.join(_beside(row) for row in found)}."


def _beside(row: Row) -> str:
    """A group's value, and the yardstick where there is one."""
    yardstick = "" if math.isnan(row.real.value) else f" (real {_text(row.measure, row.real)})"
    return f"{row.group.name} {_text(row.measure, row.generated)}{yardstick}"


def _tables(rows: Sequence[Row]) -> Iterator[Block]:
    for reference in dict.fromkeys(row.reference for row in rows):
        held = [row for row in rows if row.reference == reference]
        columns = [name for name in COLUMNS if any(row.measure == name for row in held)]
        if reference == NONE:
            columns = ["vendi"]
        header = ("group", "images", "n", "draws", *(_TITLES[name] for name in columns))
        lines = [line for group in dict.fromkeys(row.group for row in held)
                 for line in _lines([row for row in held if row.group == group], columns, reference)]  # fmt: skip
        yield Table(_caption(held[0].group.scope, reference), header, lines, names=2)
        yield from (Paragraph(text) for text in _reasons(held, columns))


def _caption(scope: str, reference: str) -> str:
    """What the images of a table are held against."""
    if reference == NONE:
        return "Without real images"
    kind = "training" if reference == "train" else reference
    return (
        f"Against all real {kind} images" if scope in (ALL, KEPT, ENTRY) else f"Against the group's real {kind} images"
    )


def _lines(rows: Sequence[Row], columns: Sequence[str], reference: str) -> Iterator[tuple[str, ...]]:
    """The line of the generated images of one group, and the yardstick's."""
    first, by_name = rows[0], {row.measure: row for row in rows}
    found = [_text(name, by_name[name].generated) for name in columns]
    yield (first.group.name, "generated", f"{first.n:,}", str(first.draws), *found)
    if reference != NONE:
        other = "test" if reference == "train" else "train"
        found = [_text(name, by_name[name].real) for name in columns]
        yield ("", f"real {other}", f"{first.real_n:,}", str(first.real_draws), *found)


def _reasons(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    """Each note once without its counts, which the table shows, and the groups that it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        for found in (row.generated, row.real) if row.measure in columns else ():
            if found.note:
                text = f"{_TITLES[row.measure]}: {found.note.partition(', has')[0]}"
                about.setdefault(text, []).append(row.group.name)
    for text, names in about.items():
        several = list(dict.fromkeys(names))
        shown = ", ".join(several[:3]) + (f" and {len(several) - 3} more" if len(several) > 3 else "")
        yield f"{text} ({shown})."


def _text(name: str, found: Measured) -> str:
    """A value and its standard error, to as many places as that shows; a dash where there is none."""
    if math.isnan(found.value):
        return "-"
    form, factor = _FORMATS.get(name, "{:.3f}"), 1000 if name == "kid" else 1
    value, error = found.value * factor, found.standard_error * factor
    if math.isnan(error) or name == MEMORISED:
        return form.format(value) + ("" if math.isnan(error) else f" ± {form.format(error)}")
    places = min(3, max(0, 1 - math.floor(math.log10(error)))) if error > 0 else 3
    return f"{value:.{places}f} ± {error:.{places}f}"
