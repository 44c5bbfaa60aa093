"""Plots by size and ratio: dose and response, and the gain over real images alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgen.evaluate.analysis.comparisons import ADDED, ALL, AUGMENT, MORE, PRIMARY, REAL, Analysis, Comparison
from synthgen.evaluate.analysis.predictions import ArmKey
from synthgen.evaluate.analysis.statistics import Estimate
from synthgen.evaluate.report.plots import style
from synthgen.evaluate.report.plots.style import OF_ARM, Plot, PlotData
from synthgen.plan.manifest.evaluate import Strategy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TWO = 2


def dose_response(analysis: Analysis) -> Plot | None:
    """The plot of top-1 by synthetic:real ratio, a panel for each n; ``None`` where nothing is added."""
    arms = [arm for arm in analysis.predictions.arms if arm.name in (ADDED, MORE)]
    if not any(arm.name == ADDED for arm in arms):
        return None
    sizes, ratios = sorted({arm.n_real for arm in arms}), sorted({arm.ratio for arm in arms})
    figure, panels = style.panels(len(sizes))
    drawn: dict[ArmKey, Estimate] = {}
    for n, panel in zip(sizes, panels, strict=True):
        panel.set_title(f"n = {n} real images a class")
        for name in (REAL, AUGMENT):
            drawn |= _level(panel, analysis, ArmKey(name, Strategy(), n, 0), [0.0, *ratios])
        for name, strategy in sorted({(arm.name, arm.strategy) for arm in arms}):
            line = [arm for arm in arms if (arm.name, arm.strategy, arm.n_real) == (name, strategy, n)]
            drawn |= _line(panel, analysis, line, ArmKey(REAL, Strategy(), n, 0))
        panel.set_xticks(np.log1p([0, *ratios]), ["0", *(f"{ratio:g}" for ratio in ratios)])
        panel.set_xlabel("images added for each real one")
    panels[0].set_ylabel("top-1 accuracy, %")
    caption = "Dose and response: top-1 accuracy by ratio. Bands are 95 % intervals over seeds and test images."
    rows = [(*style.mark(arm), one.value, one.low, one.high) for arm, one in drawn.items()]
    return style.finish(figure, panels, "dose-response", caption, PlotData((*OF_ARM, "top1", "low", "high"), rows))


def gain(analysis: Analysis) -> Plot | None:
    """The plot of the gain in top-1 over ``real`` by the number of real images, a panel for each ratio."""
    chosen = [one for one in analysis.comparisons if _is_gain(one)]
    ratios = sorted({one.arm.ratio for one in chosen if one.arm.name != AUGMENT})
    if not ratios:
        return None
    sizes = sorted({one.arm.n_real for one in chosen})
    figure, panels = style.panels(len(ratios))
    for ratio, panel in zip(ratios, panels, strict=True):
        panel.set_title(f"{ratio:g} added for each real one")
        panel.axhline(0, color="black", linewidth=0.8)
        lines = sorted({(one.arm.name, one.arm.strategy) for one in chosen})
        for place, line in enumerate(lines):
            here = [one for one in chosen if (one.arm.name, one.arm.strategy) == line]
            here = [one for one in here if one.arm.ratio == ratio or one.arm.name == AUGMENT]
            _bars(panel, analysis, here, sizes, (place - (len(lines) - 1) / 2) * min(0.14, 0.8 / len(lines)))
        panel.set_xticks(range(len(sizes)), [str(n) for n in sizes])
        panel.grid(visible=False, axis="x")
        panel.set_xlabel("real images a class")
    panels[0].set_ylabel("gain over real, points of top-1")
    panels[0].set_ylim(*axis_limits(chosen))
    caption = (
        "Gain over real images alone. Bars are 95 % intervals of one comparison; a filled marker is claimed by the "
        "report, a hollow one is not."
    )
    low, high = panels[0].get_ylim()
    if any(100 * one.difference.low < low or 100 * one.difference.high > high for one in chosen):
        caption += " Bars of two seeds are long, and may end beyond the picture."
    rows = [(*style.mark(one.arm), *_ends(one.difference), "yes" if one.significant else "no") for one in chosen]
    data = PlotData((*OF_ARM, "difference", "low", "high", "claimed"), rows)
    return style.finish(figure, panels, "gain", caption, data)


def _ends(known: Estimate) -> tuple[float, float, float]:
    return known.value, known.low, known.high


def _is_gain(one: Comparison) -> bool:
    known = (one.kind, one.against.name, one.metric, one.subset) == ("arms", REAL, PRIMARY, ALL)
    return known and one.arm.name in (ADDED, AUGMENT, MORE)


def axis_limits(found: Sequence[Comparison]) -> tuple[float, float]:
    """Between which points all intervals lie but those of two seeds, and every mean, with a margin.

    The interval of two seeds has one degree of freedom, and can be ten times as long as all others. Where there are no
    others, these count.
    """
    known = [one.difference for one in found]
    others = [one for one in known if one.seeds != _TWO and np.isfinite(one.low)] or known
    ends = [end for one in others for end in (one.low, one.high)]
    inside = [end for end in [0.0, *(one.value for one in known), *ends] if np.isfinite(end)]
    margin = 0.05 * (max(inside) - min(inside)) or 0.01
    return 100 * (min(inside) - margin), 100 * (max(inside) + margin)


def _level(panel: Axes, analysis: Analysis, arm: ArmKey, ratios: Sequence[float]) -> dict[ArmKey, Estimate]:
    """What an arm without a ratio reaches, drawn across the panel."""
    if arm not in analysis.predictions.arms:
        return {}
    look = style.style_of(analysis, arm)
    known, ends = analysis.estimate(arm), [0, np.log1p(ratios[-1])]
    panel.plot(
        ends,
        [100 * known.value] * 2,
        color=look.colour,
        linestyle=look.line,
        linewidth=1.4,
        label=style.legend_name(arm),
    )
    if arm.name == REAL:
        low, high = (100 * float(np.clip(end, 0, 1)) for end in (known.low, known.high))
        panel.fill_between(ends, [low] * 2, [high] * 2, color=look.colour, alpha=0.1, linewidth=0)
    return {arm: known}


def _line(panel: Axes, analysis: Analysis, arms: Sequence[ArmKey], start: ArmKey) -> dict[ArmKey, Estimate]:
    """What one arm reaches by its ratio, drawn from real images alone on."""
    if not arms:
        return {}
    look = style.style_of(analysis, arms[0])
    points = [start, *arms] if start in analysis.predictions.arms else list(arms)
    known, at = [analysis.estimate(arm) for arm in points], np.log1p([arm.ratio for arm in points])
    ends = (100 * np.array([getattr(one, end) for one in known]) for end in ("low", "value", "high"))
    low, middle, high = (np.clip(end, 0, 100) for end in ends)
    panel.plot(
        at,
        middle,
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markersize=4.5,
        label=style.legend_name(arms[0]),
    )
    panel.fill_between(at, low, high, color=look.colour, alpha=0.13, linewidth=0)
    panel.plot(at, np.array([low, high]).T, color=look.colour, linestyle=look.line, linewidth=0.5, alpha=0.6)
    return dict(zip(points, known, strict=True))


def _bars(panel: Axes, analysis: Analysis, found: Sequence[Comparison], sizes: Sequence[int], shift: float) -> None:
    for one in found:
        look = style.style_of(analysis, one.arm)
        known, at = one.difference, sizes.index(one.arm.n_real) + shift
        ends = np.nan_to_num([[100 * (known.value - known.low)], [100 * (known.high - known.value)]])
        fill = look.colour if one.significant else "white"
        drawn: dict[str, Any] = {
            "color": look.colour,
            "mfc": fill,
            "marker": look.marker,
            "markersize": 5.5,
            "capsize": 2,
            "linestyle": "none",
        }
        bars = panel.errorbar([at], [100 * known.value], ends, label=style.legend_name(one.arm), **drawn)
        bars[2][0].set_linestyle(look.line)
