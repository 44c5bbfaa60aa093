"""The tables of a report: every arm, tone groups, and what synthetic images are worth."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from synthgen.core.report import Table
from synthgen.evaluate.analysis import metrics
from synthgen.evaluate.analysis.comparisons import ADDED, ALL, GAP, PRIMARY, REAL, Analysis, Comparison
from synthgen.evaluate.analysis.dose_response import Saturation
from synthgen.evaluate.analysis.metrics import Metrics
from synthgen.evaluate.analysis.predictions import ArmKey, Predictions
from synthgen.evaluate.report import formatting
from synthgen.plan.manifest.evaluate import Strategy

_FIGURES = ("top3", "balanced_accuracy", "macro_f1", "macro_auroc")


def arms(analysis: Analysis, scored: Sequence[Metrics]) -> Table:
    """The table of every arm: its figures over seeds, and its difference from ``real`` with Holm's p."""
    compared = {one.arm: one for one in analysis.comparisons if _with_real(one)}
    rows = []
    for arm in sorted(analysis.predictions.arms, key=lambda arm: (arm.n_real, arm)):
        means, known = _means(analysis, arm, scored), analysis.estimate(arm)
        one = compared.get(arm)
        against = (
            (formatting.points(one.difference), formatting.p_value(one.p_report))
            if one
            else (formatting.NONE, formatting.NONE)
        )
        rows.append((*_named(arm), str(known.seeds), formatting.percent(known), *means, *against))
    caption = (
        "Every arm, percent: means over seeds, with 95 % intervals of top-1 and of its paired difference from real "
        "images alone, each of one comparison; p, corrected over all that is tested, of what is tested alone. Where "
        "one seed of several is left there is neither."
    )
    figures = ("top-1", "top-3", "balanced acc.", "macro F1", "macro AUROC", "ECE", "difference, points", "p")
    return Table(caption, ("arm", "strategy", "n", "ratio", "seeds", *figures), rows, names=2)


def by_tone(analysis: Analysis) -> Table | None:
    """The table of top-1 by tone group, the worst group and the gap, of plotted arms; ``None`` without skin tones."""
    if not analysis.tone_groups:
        return None
    scale = analysis.predictions.study.scale
    heads = [
        f"{name} {metrics.tones_of_group(scale, name)}, n = {formatting.images_of(analysis, name)}"
        for name in analysis.tone_groups
    ]
    gaps = {one.arm: one for one in analysis.family(REAL, PRIMARY, GAP)}
    rows = []
    for arm in analysis.plotted:
        figures = [analysis.estimate(arm, PRIMARY, name) for name in analysis.tone_groups]
        worst = list(analysis.tone_groups)[int(np.argmin([one.value for one in figures]))]
        gap = (
            formatting.points(analysis.estimate(arm, PRIMARY, GAP))
            if (PRIMARY, GAP) in analysis.scores
            else formatting.NONE
        )
        change = (
            (formatting.points(gaps[arm].difference), formatting.p_value(gaps[arm].p_report))
            if arm in gaps
            else ("", "")
        )
        rows.append((*_named(arm), *map(formatting.percent, figures), worst, gap, *change))
    caption = (
        "Tone groups: top-1, percent, with 95 % intervals; the gap is light less dark, and its change from real images "
        "alone is in points, with p where it is tested. The lowest of several uncertain figures is likely to look "
        "worse than it is."
    )
    header = ("arm", "strategy", "n", "ratio", *heads, "worst group", "gap", "change of gap", "p")
    return Table(caption, header, rows, names=2)


def tested_on(predictions: Predictions) -> Table:
    """The table of the test images: how many of each class, on each skin tone."""
    scale = predictions.study.scale
    tones = metrics.members_by_tone(scale, predictions.tones) if scale else {}
    rows = []
    for place, label in enumerate(predictions.study.labels):
        of_label = predictions.labels == place
        rows.append((label, *(f"{(of_label & members).sum():,}" for members in tones.values()), f"{of_label.sum():,}"))
    return Table("The test images: real, by class and skin tone.", ("class", *tones, "all"), rows)


def worth(analysis: Analysis) -> Iterator[Table]:
    """The tables of where gains saturate, and of what a synthetic image is worth in real ones."""
    added = [arm for arm in analysis.predictions.arms if arm.name == ADDED]
    curves = sorted({(arm.strategy, arm.n_real) for arm in added})
    found = [(*curve, analysis.saturation(*curve)) for curve in curves]
    known = [(strategy, n, one) for strategy, n, one in found if one is not None]
    if known:
        caption = (
            "The ratio that reaches 90 % of what a curve a + g (1 - exp(-ratio / t)) ends at, fitted to real and every "
            "ratio, where the interval of the mean gain lies above 0; else nothing could saturate. The last step is "
            "from the last ratio but one to the last, in points; it is called rising only where the report tests and "
            "claims that. Of draws without any gain in truth half have a mean gain above 0."
        )
        curves_known = [(str(strategy), str(n), *_saturated(analysis, strategy, n, one)) for strategy, n, one in known]
        header = ("strategy", "n", "saturation ratio", "last step", "draws with a mean gain (50 % by chance)")
        yield Table(caption, header, curves_known)
    rates = [(arm, analysis.exchange(arm)) for arm in added]
    rows = [(*_named(arm)[1:], formatting.exchange_rate(one)) for arm, one in rates if one is not None]
    if rows:
        caption = (
            "Real images that one synthetic image is worth, with 95 % intervals: 1 is as good as a real one, below 0 "
            "does harm. Read off the curve of real and real-more, made monotone, linear in the logarithm of n."
        )
        yield Table(caption, ("strategy", "n", "ratio", "real images"), rows)


def _saturated(analysis: Analysis, strategy: Strategy, n: int, known: Saturation) -> tuple[str, str, str]:
    step = analysis.last_step(strategy, n)
    rising = "; still rising" if step and step.significant and step.difference.value > 0 else ""
    added = formatting.points(step.difference) + rising if step else formatting.NONE
    return formatting.saturation_ratio(known), added, f"{100 * known.with_gain:.0f} %"


def _with_real(one: Comparison) -> bool:
    return (one.kind, one.against.name, one.metric, one.subset) == ("arms", REAL, PRIMARY, ALL)


def excluded(counts: Mapping[str, int]) -> Table | None:
    """The table of synthetic images that no trial used, by reason; ``None`` where every one was used."""
    rows = [(reason, f"{count:,}") for reason, count in counts.items()]
    return Table("Synthetic images that no trial used.", ("reason", "images"), rows) if rows else None


def _named(arm: ArmKey) -> tuple[str, str, str, str]:
    return arm.name, str(arm.strategy) or formatting.NONE, str(arm.n_real), f"{arm.ratio:g}"


def _means(analysis: Analysis, arm: ArmKey, scored: Sequence[Metrics]) -> tuple[str, ...]:
    chosen = [scored[row].overall for row in analysis.predictions.arms[arm].values()]
    means = [np.mean([getattr(one, name) for one in chosen]) for name in (*_FIGURES, "ece")]
    return tuple(formatting.number(100 * float(mean)) for mean in means)
