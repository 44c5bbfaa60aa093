"""The forest plot of the primary family: each effect, its interval, and what was too small to be found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from synthgen.core.report import palette
from synthgen.evaluate.analysis.comparisons import Analysis, Comparison
from synthgen.evaluate.report import conclusions, formatting
from synthgen.evaluate.report.plots import style
from synthgen.evaluate.report.plots.dose_response import axis_limits
from synthgen.evaluate.report.plots.style import OF_ARM, Plot, PlotData

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _ROW = 6.2, 0.27  # inches; narrow enough to be read on a phone
_HEADER = (
    *OF_ARM, "against", "against_strategy", "metric", "subset", "difference", "low", "high", "shown",
    "smallest_detectable",
)  # fmt: skip


def forest(analysis: Analysis) -> Plot | None:
    """The plot, a row a comparison of the primary family in the order of sizes; ``None`` where there is none."""
    family = sorted(analysis.primary, key=lambda one: (one.arm.name, one.arm.strategy, one.arm.n_real, one.arm.ratio))
    if not family:
        return None
    figure, (panel,) = style.panels(1, size=(_WIDTH, 0.9 + _ROW * len(family)))
    ends = _limits(family)
    for place, one in enumerate(family):
        _row(panel, place, one, ends)
    panel.axvline(0, color="black", linewidth=0.8)
    for margin in _margins(family[0]):
        panel.axvline(margin, color="black", linewidth=0.8, linestyle=(0, (4, 3)))
    panel.set_xlim(*ends)
    panel.set_ylim(len(family) - 0.4, -0.6)
    panel.set_yticks(range(len(family)), named(family))
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")
    beside = panel.secondary_yaxis("right")
    beside.set_yticks(range(len(family)), [formatting.points(one.difference) for one in family])
    beside.tick_params(axis="y", length=0)
    beside.spines["right"].set_visible(False)
    asked = analysis.primary_family
    panel.set_xlabel(f"difference from {asked.against}, points of {conclusions.metric_in_words(asked)}")
    rows = [_data(one) for one in family]
    return style.finish(figure, [], "primary", _caption(family), PlotData(_HEADER, rows))


def named(family: Sequence[Comparison]) -> list[str]:
    """The names of comparisons beside each other: what all of them have in common is left out."""
    arms = len({one.arm.name for one in family}) > 1
    found = []
    for one in family:
        strategy = str(one.arm.strategy)
        parts = [one.arm.name if arms or not strategy else "", strategy, f"n = {one.arm.n_real}"]
        parts.append(f"ratio {one.arm.ratio:g}" if one.arm.ratio else "")
        found.append(", ".join(part for part in parts if part))
    return found


def _row(panel: Axes, place: int, one: Comparison, ends: tuple[float, float]) -> None:
    """Draw a comparison: a marker, filled where it is claimed, its interval, and a band of what is too small."""
    least, known = 100 * one.smallest_detectable, one.difference
    if one.hypothesis == "difference" and math.isfinite(least):
        low, high = max(-least, ends[0]), min(least, ends[1])
        panel.barh([place], [high - low], left=[low], height=0.66, color="#e0e0e0", linewidth=0)
    colour = palette.BLUE if one.significant else palette.BLACK
    bars = np.nan_to_num([[100 * (known.value - known.low)], [100 * (known.high - known.value)]])
    panel.errorbar(
        [100 * known.value],
        [place],
        xerr=bars,
        marker="s" if one.significant else "o",
        mfc=colour if one.significant else "white",
        color=colour,
        markersize=5.5,
        capsize=2,
        linestyle="none",
    )


def _limits(family: Sequence[Comparison]) -> tuple[float, float]:
    """Wide enough for intervals, margins and, up to twice as far as these reach, what was too small to be found."""
    low, high = axis_limits(family)
    low, high = min(low, *_margins(family[0]), 0.0), max(high, *_margins(family[0]), 0.0)
    reach = 2 * max(-low, high)
    least = [100 * one.smallest_detectable for one in family if one.hypothesis == "difference"]
    bands = [min(1.05 * one, reach) for one in least if math.isfinite(one)]
    return min([low, *(-one for one in bands)]), max([high, *bands])


def _margins(one: Comparison) -> tuple[float, ...]:
    """The ends of the margin that is asked for, in points."""
    margins = {"difference": (0.0,), "non-inferiority": (-100 * one.margin,)}
    return margins.get(one.hypothesis, (-100 * one.margin, 100 * one.margin))


def _caption(family: Sequence[Comparison]) -> str:
    said = (
        "The primary comparisons. Bars are 95 % intervals of one comparison each; a filled square is claimed by the "
        "report, a hollow circle is not. "
    )
    if family[0].hypothesis == "difference":
        return said + "A true difference within the grey band would have been missed more than one time in five."
    return said + "The dashed line is the margin."


def _data(one: Comparison) -> tuple[object, ...]:
    known = one.difference
    against = (one.against.name, one.against.strategy, one.metric, one.subset)
    shown = "yes" if one.significant else "no"
    return (*style.mark(one.arm), *against, known.value, known.low, known.high, shown, one.smallest_detectable)
