"""How every plot looks: colours of Okabe and Ito 2008, and a marker or hatching each, so grey tells them apart."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synthgen.evaluate.analysis.comparisons import AUGMENT, MORE, REAL, Analysis
from synthgen.evaluate.analysis.predictions import ArmKey

# Colour, line, marker and hatching: of arms of real images alone, and of one strategy after another.
_OF_ARM = {
    REAL: ("#000000", "-", "", ""),
    AUGMENT: ("#767676", ":", "P", "...."),
    MORE: ("#E69F00", "--", "X", "xxxx"),
}
_OF_STRATEGY = (
    ("#0072B2", "-", "o", "////"),
    ("#D55E00", "--", "s", "\\\\\\\\"),
    ("#009E73", "-.", "^", "||||"),
    ("#CC79A7", ":", "D", "----"),
    ("#56B4E9", (0, (5, 1, 1, 1, 1, 1)), "v", "oooo"),
    ("#F0E442", (0, (1, 1)), "*", "++++"),
)
_RC: Any = {
    "svg.hashsalt": "synthgen",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture: the name of its file without a suffix, a caption, a text in its place, and its SVG."""

    name: str
    caption: str
    alt: str
    svg: bytes


def panels(count: int, *, wide: bool = False, size: tuple[float, float] = (2.6, 3.0), share: bool = True) -> Any:
    """A figure of ``count`` panels, at most four across, and its panels; ``size`` is a panel's, in inches."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    across = min(count, 4)
    down = -(-count // across)
    with rc_context(_RC):
        figure = Figure(figsize=(9.2, 3.4) if wide else (0.5 + size[0] * across, size[1] * down), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False, sharey=share)
    for spare in grid.flat[count:]:
        spare.set_visible(False)
    return figure, list(grid.flat[:count])


def finish(figure: Any, panels: Sequence[Any], name: str, caption: str) -> Plot:
    """The figure as a plot, below it one legend of what the panels show."""
    from matplotlib import rc_context

    entries = {
        label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    if entries:
        inches = 0.7 + 0.07 * max(map(len, entries))  # of one entry, with what stands between
        columns = max(1, min(len(entries), 4, int(figure.get_figwidth() / inches)))
        figure.legend(entries.values(), entries, loc="outside lower center", ncols=columns, frameon=False)
    sink = io.BytesIO()
    with rc_context(_RC):
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    return Plot(name, caption, caption, sink.getvalue())


def style_of(analysis: Analysis, cell: ArmKey) -> tuple[str, Any, str, str]:
    """The colour, line, marker and hatching of an arm; other strategies get the same again after six."""
    if not cell.strategy:
        return _OF_ARM[cell.arm]
    strategies = sorted({one.strategy for one in analysis.predictions.cells if one.strategy})
    return _OF_STRATEGY[strategies.index(cell.strategy) % len(_OF_STRATEGY)]


def legend_name(cell: ArmKey) -> str:
    """What a legend calls an arm."""
    return f"real + {cell.strategy}" if cell.strategy else cell.arm


def size_shown(analysis: Analysis) -> str:
    """Which size the pictures of one size show."""
    n, ratio = analysis.shown[-1].n_real, max(cell.ratio for cell in analysis.shown)
    added = f" and {ratio:g} synthetic images for each" if ratio else ""
    return f"{n} real images a class{added}"
