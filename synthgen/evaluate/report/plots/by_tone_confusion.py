"""Plots of one size: top-1 by skin tone, and confusion matrices."""

import numpy as np

from synthgen.evaluate.analysis import metrics
from synthgen.evaluate.analysis.comparisons import REAL, Analysis
from synthgen.evaluate.analysis.metrics import confusion
from synthgen.evaluate.report.plots import style
from synthgen.evaluate.report.plots.style import OF_ARM, Plot, PlotData


def by_tone(analysis: Analysis) -> Plot | None:
    """The plot of top-1 by skin tone, a bar for each plotted arm; ``None`` without skin tones."""
    found = metrics.members_by_tone(analysis.predictions.study.scale, analysis.predictions.tones)
    known = {name: members for name, members in found.items() if name != "unknown"}
    if not known:
        return None
    figure, (panel,) = style.panels(1, wide=True)
    width, rows = 0.84 / len(analysis.plotted), list[tuple[object, ...]]()
    for place, arm in enumerate(analysis.plotted):
        look = style.style_of(analysis, arm)
        figures = [analysis.estimate_on(arm, members) for members in known.values()]
        counted = zip(known.items(), figures, strict=True)
        rows += [
            (tone, members.sum(), *style.mark(arm), one.value, one.low, one.high) for (tone, members), one in counted
        ]
        at = np.arange(len(known)) + (place - (len(analysis.plotted) - 1) / 2) * width
        heights = [100 * one.value for one in figures]
        ends = [[100 * (one.value - max(one.low, 0)), 100 * (min(one.high, 1) - one.value)] for one in figures]
        face = "#4d4d4d" if arm.name == REAL else "white"
        label = style.legend_name(arm)
        panel.bar(at, heights, width * 0.9, label=label, facecolor=face, edgecolor=look.colour, hatch=look.hatch)
        panel.errorbar(at, heights, np.nan_to_num(ends).T, fmt="none", ecolor="black", capsize=2)
    panel.set_xticks(range(len(known)), [f"{name}\nn = {members.sum()}" for name, members in known.items()])
    panel.set_ylabel("top-1 accuracy, %")
    caption = (
        f"Top-1 accuracy by skin tone, {style.size_shown(analysis)}, with 95 % intervals over seeds and test images."
    )
    data = PlotData(("skin_tone", "images", *OF_ARM, "top1", "low", "high"), rows)
    return style.finish(figure, [panel], "by-skin-tone", caption, data)


def confusions(analysis: Analysis) -> Plot | None:
    """The plot of the confusion matrix of each plotted arm, in percent of the true class, over all seeds."""
    known, labels = analysis.predictions, analysis.predictions.study.labels
    side = 1.3 + 0.34 * len(labels)
    figure, panels = style.panels(len(analysis.plotted), size=(side, side + 0.3), share=True)
    rows = list[tuple[object, ...]]()
    for arm, panel in zip(analysis.plotted, panels, strict=True):
        counts = sum(confusion(known.labels, known.probabilities[row]) for row in known.arms[arm].values())
        shares = 100 * counts / np.maximum(np.asarray(counts).sum(1, keepdims=True), 1)
        panel.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (true, taken), share in np.ndenumerate(shares):
            shade = "white" if share > 55 else "black"
            rows.append((*style.mark(arm), labels[true], labels[taken], share / 100))
            panel.text(taken, true, f"{share:.0f}", ha="center", va="center", fontsize=7.5, color=shade)
        panel.set_title(style.legend_name(arm))
        panel.grid(visible=False)
        panel.set_xticks(range(len(labels)), labels, rotation=90)
        panel.set_yticks(range(len(labels)), labels)
        panel.set_xlabel("predicted")
    panels[0].set_ylabel("true")
    caption = f"Confusion matrices, {style.size_shown(analysis)}: percent of each true class, all seeds together."
    data = PlotData((*OF_ARM, "label", "predicted", "share"), rows)
    return style.finish(figure, [], "confusion", caption, data)
