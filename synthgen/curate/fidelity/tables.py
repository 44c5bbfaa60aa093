"""The tables of a fidelity report: two lines a group, and below them why a value is missing."""

import math
from collections.abc import Iterator, Sequence

from synthgen.core.report import Block, Paragraph, Table
from synthgen.curate.fidelity.groups import ALL, ENTRY, KEPT
from synthgen.curate.fidelity.measure import COLUMNS, MEMORISED, NONE, Measurement
from synthgen.vision.metrics import Measured

TITLES = {
    "frechet": "Fréchet", "kid": "1000 KID", "precision": "precision", "recall": "recall", "density": "density",
    "coverage": "coverage", "vendi": "Vendi", MEMORISED: "memorised",
}  # fmt: skip
_FORMATS = {"frechet": "{:#.4g}", "kid": "{:.1f}", MEMORISED: "{:.1%}"}


def tables(rows: Sequence[Measurement]) -> Iterator[Block]:
    """The tables of a scope, one for each split that it is held against."""
    for reference in dict.fromkeys(row.reference for row in rows):
        held = [row for row in rows if row.reference == reference]
        columns = [name for name in COLUMNS if any(row.measure == name for row in held)]
        if reference == NONE:
            columns = ["vendi"]
        header = ("group", "images", "n", "draws", *(TITLES[name] for name in columns))
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


def _lines(rows: Sequence[Measurement], columns: Sequence[str], reference: str) -> Iterator[tuple[str, ...]]:
    """The line of the generated images of one group, and the yardstick's."""
    first, by_name = rows[0], {row.measure: row for row in rows}
    found = [format_value(name, by_name[name].generated) for name in columns]
    yield (first.group.name, "generated", f"{first.n:,}", str(first.draws), *found)
    if reference != NONE:
        other = "test" if reference == "train" else "train"
        found = [format_value(name, by_name[name].real) for name in columns]
        yield ("", f"real {other}", f"{first.real_n:,}", str(first.real_draws), *found)


def _reasons(rows: Sequence[Measurement], columns: Sequence[str]) -> Iterator[str]:
    """Each note once without its counts, which the table shows, and the groups that it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        for found in (row.generated, row.real) if row.measure in columns else ():
            if found.note:
                text = f"{TITLES[row.measure]}: {found.note.partition(', has')[0]}"
                about.setdefault(text, []).append(row.group.name)
    for text, names in about.items():
        several = list(dict.fromkeys(names))
        first = ", ".join(several[:3]) + (f" and {len(several) - 3} more" if len(several) > 3 else "")
        yield f"{text} ({first})."


def format_value(name: str, found: Measured) -> str:
    """A value and its standard error, to as many places as that shows; a dash where there is none."""
    if math.isnan(found.value):
        return "-"
    form, factor = _FORMATS.get(name, "{:.3f}"), 1000 if name == "kid" else 1
    value, error = found.value * factor, found.standard_error * factor
    if math.isnan(error) or name == MEMORISED:
        return form.format(value) + ("" if math.isnan(error) else f" ± {form.format(error)}")
    places = min(3, max(0, 1 - math.floor(math.log10(error)))) if error > 0 else 3
    return f"{value:.{places}f} ± {error:.{places}f}"
