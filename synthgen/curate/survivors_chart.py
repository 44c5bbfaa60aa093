"""Writes what became of each cell as a table, and draws it as bars in colours that colour-blind eyes tell apart."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthgen.core import atomic
from synthgen.core.report import palette
from synthgen.curate.survivors import CellSurvivors, Survivors

FILE, TABLE = "survivors.png", "survivors.csv"
# Hatches tell reasons apart without any colour.
_COLOURS = (
    palette.ORANGE, palette.SKY_BLUE, palette.VERMILION, palette.PURPLE, palette.YELLOW, palette.BLUE, "#999999",
)  # fmt: skip
_HATCHES = ("//", "..", "\\\\", "xx", "++", "oo", "--")
_MOST_BARS = 120
_INCHES_A_BAR, _WIDTH = 0.21, 4.2


def write_table(outcome: Survivors, root: Path) -> Path:
    """Write ``survivors.csv`` into a run: a row a cell, a column a reason; returns its path."""
    text = io.StringIO()
    reasons = [one.reason for one in outcome.facts.filters]
    counts = ("planned", "judged", "kept", "accepted", "lacking")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["entry", "label", "skin_tone", *counts, *reasons])
    for cell in outcome.cells:
        numbers = [getattr(cell, name) for name in counts] + [cell.rejected[reason] for reason in reasons]
        writer.writerow([cell.entry, cell.label, cell.skin_tone, *numbers])
    atomic.write(root / TABLE, text.getvalue().encode())
    return root / TABLE


def draw(outcome: Survivors, root: Path) -> Path:
    """Draw ``survivors.png`` into a run: a panel an entry, a bar a label and skin tone; returns its path.

    An image that several reasons reject is shared out among a cell's reasons in proportion to what each rejects there,
    so that a bar is as long as what was judged.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = _bars(outcome.cells)
    entries = list(dict.fromkeys(cell.entry for cell in outcome.cells))
    figure = Figure((2.2 + _WIDTH * len(entries), 1.6 + _INCHES_A_BAR * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(entries), sharey=True, squeeze=False)[0]
    for panel, entry in zip(panels, entries, strict=True):
        _panel(panel, entry, [_cells_of_bar(outcome.cells, entry, row) for row in rows], outcome)
    panels[0].set_yticks(range(len(rows)), [" ".join(filter(None, row)) for row in rows], fontsize=8)
    panels[0].invert_yaxis()
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", fontsize=8, frameon=False)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": "synthgen curate"})
    atomic.write(root / FILE, buffer.getvalue())
    return root / FILE


def _bars(cells: Sequence[CellSurvivors]) -> list[tuple[str, str]]:
    """The bars: a label and a tone each; only tones where that would be too many."""
    rows = list(dict.fromkeys((cell.label, cell.skin_tone) for cell in cells))
    return rows if len(rows) <= _MOST_BARS else list(dict.fromkeys(("", tone) for _, tone in rows))


def _cells_of_bar(cells: Sequence[CellSurvivors], entry: str, row: tuple[str, str]) -> list[CellSurvivors]:
    return [cell for cell in cells if cell.entry == entry and cell.skin_tone == row[1] and row[0] in ("", cell.label)]


def _panel(panel: Any, entry: str, bars: Sequence[Sequence[CellSurvivors]], outcome: Survivors) -> None:
    places = range(len(bars))
    left = [float(sum(cell.accepted for cell in bar)) for bar in bars]
    panel.barh(places, left, color=palette.GREEN, label="accepted")
    for number, one in enumerate(outcome.facts.filters):
        widths = [sum(_share(cell, one.reason) for cell in bar) for bar in bars]
        style = {"color": _COLOURS[number % len(_COLOURS)], "hatch": _HATCHES[number % len(_HATCHES)]}
        panel.barh(places, widths, left=left, label=one.reason, edgecolor="white", linewidth=0.4, **style)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    panel.set_title(entry, fontsize=10)
    panel.set_xlabel("images", fontsize=8)
    panel.tick_params(axis="x", labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def _share(cell: CellSurvivors, reason: str) -> float:
    """A reason's part of the cell's rejected images."""
    total = sum(cell.rejected.values())
    return (cell.judged - cell.accepted) * cell.rejected[reason] / total if total else 0.0
