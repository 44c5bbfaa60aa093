"""The look of every plot: colours of Okabe and Ito, and a marker or hatching each, so grey tells them apart."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from synthgen.core.report import palette
from synthgen.evaluate.analysis.comparisons import AUGMENT, MORE, REAL, Analysis
from synthgen.evaluate.analysis.predictions import ArmKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Style(NamedTuple):
    """The colour, line, marker and hatching of an arm, as matplotlib writes them."""

    colour: str
    line: str | tuple[int, tuple[int, ...]]
    marker: str
    hatch: str


# Of arms of real images alone, and of one strategy after another.
_OF_ARM = {
    REAL: Style(palette.BLACK, "-", "", ""),
    AUGMENT: Style("#767676", ":", "P", "...."),
    MORE: Style(palette.ORANGE, "--", "X", "xxxx"),
}
_OF_STRATEGY = (
    Style(palette.BLUE, "-", "o", "////"),
    Style(palette.VERMILION, "--", "s", "\\\\\\\\"),
    Style(palette.GREEN, "-.", "^", "||||"),
    Style(palette.PURPLE, ":", "D", "----"),
    Style(palette.SKY_BLUE, (0, (5, 1, 1, 1, 1, 1)), "v", "oooo"),
    Style(palette.YELLOW, (0, (1, 1)), "*", "++++"),
)
OF_ARM = ("arm", "strategy", "n_real", "ratio")
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
class PlotData:
    """The numbers of a picture as a table, a row a mark; shares and differences are 0 to 1, as in other files."""

    header: tuple[str, ...]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture, and what is drawn in it.

    Attributes:
        name: Of its file, without a suffix.
        caption: What it shows, and how to read it.
        alt: A text in its place.
        svg: The picture.
        data: What is drawn, so that anybody can draw it again.
    """

    name: str
    caption: str
    alt: str
    svg: bytes
    data: PlotData


def panels(
    count: int, *, wide: bool = False, size: tuple[float, float] = (2.6, 3.0), share: bool = True
) -> tuple[Figure, list[Axes]]:
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


def finish(figure: Figure, panels: Sequence[Axes], name: str, caption: str, data: PlotData) -> Plot:
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
    return Plot(name, caption, caption, sink.getvalue(), data)


def mark(arm: ArmKey) -> tuple[object, ...]:
    """The columns that name an arm at its size in the data of a picture, as :data:`OF_ARM` heads them."""
    return arm.name, arm.strategy, arm.n_real, arm.ratio


def style_of(analysis: Analysis, arm: ArmKey) -> Style:
    """The style of an arm; strategies get the same again after six."""
    if not arm.strategy:
        return _OF_ARM[arm.name]
    strategies = sorted({one.strategy for one in analysis.predictions.arms if one.strategy})
    return _OF_STRATEGY[strategies.index(arm.strategy) % len(_OF_STRATEGY)]


def legend_name(arm: ArmKey) -> str:
    """The name of an arm in a legend."""
    return f"real + {arm.strategy}" if arm.strategy else arm.name


def size_shown(analysis: Analysis) -> str:
    """The size that the pictures of one size show."""
    n, ratio = analysis.plotted[-1].n_real, max(arm.ratio for arm in analysis.plotted)
    added = f" and {ratio:g} synthetic images for each" if ratio else ""
    return f"{n} real images a class{added}"
