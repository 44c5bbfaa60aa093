"""What a clinician asks of each arm: areas, an operating point, calibration, net benefit, and whether it is fair."""

import math
from collections.abc import Iterator

from synthgen.core.report import Block, Paragraph, Table
from synthgen.evaluate.analysis.comparison import ALL, GAP
from synthgen.evaluate.analysis.per_class import EVERY, FEWEST, ClassFigure, PerClass, treat_all
from synthgen.evaluate.analysis.predictions import ArmKey
from synthgen.evaluate.report import formatting

FIGURES_HEADER = (
    "arm", "strategy", "n_real", "ratio", "of", "metric", "subset", "threshold", "positives", "negatives", "value",
    "low", "high", "difference", "difference_low", "difference_high", "standard_error", "seeds", "p",
)  # fmt: skip
RELIABILITY_HEADER = ("arm", "strategy", "n_real", "ratio", "of", "low", "high", "predicted", "observed", "count")
_NAMED = ("arm", "strategy", "n", "ratio")


def figure_rows(known: PerClass) -> Iterator[list[object]]:
    """The rows of class_figures.csv: every figure with its interval, and its paired difference from ``real``."""
    for one in known.figures:
        value, less = one.value, one.difference
        difference = [less.value, less.low, less.high, less.standard_error, less.seeds, less.p] if less else [""] * 6
        counted: list[object] = [one.threshold, one.positives, one.negatives]
        yield [
            *_arm(one.arm),
            one.of,
            one.metric,
            one.subset,
            *counted,
            value.value,
            value.low,
            value.high,
            *difference,
        ]


def reliability_rows(known: PerClass) -> Iterator[list[object]]:
    """The rows of reliability.csv: tenths of the predictions, what they said on average, and what was so."""
    for one in known.reliability:
        yield [*_arm(one.arm), one.of, one.low, one.high, one.predicted, one.observed, one.count]


def blocks(known: PerClass) -> Iterator[Block]:
    """The section of the report, without its heading."""
    yield Paragraph(_about(known))
    yield _together(known)
    table = _each(known)
    if table:
        yield table
    yield from _odds(known)
    yield from _by_tone(known)
    yield from _benefit(known)


def _about(known: PerClass) -> str:
    point = (
        f"the threshold at which {100 * known.specificity:g} % of the validation images of other classes stay below it"
    )
    at = (
        f"Sensitivity and specificity are at {point}, chosen for each classifier by itself."
        if known.validation
        else "No predictions for validation images are kept, so no threshold could be chosen without test images."
    )
    few = (
        f" {formatting.counted(known.left_out, 'class')} in groups of skin tones with fewer than {FEWEST} images of "
        "the class, or of others, are left out."
        if known.left_out
        else ""
    )
    return (
        "Described, not tested: 95 % intervals are over seeds and test images, groups resampled as wholes, each of one "
        f"figure; differences are paired, from real images alone. {at}{few}"
    )


def _together(known: PerClass) -> Table:
    """All classes together: areas, Brier's score, and calibration of the most probable class."""
    metrics = ("auroc", "average_precision", "brier", "calibration_intercept", "calibration_slope")
    header = (*_NAMED, "macro AUROC", "difference", "macro AUPRC", "Brier", "intercept", "slope")
    rows = []
    for arm in known.arms:
        found = {one.metric: one for one in known.figures if (one.arm, one.of, one.subset) == (arm, EVERY, ALL)}
        shown = [_shown(found.get(metric)) for metric in metrics]
        rows.append((*_named(arm), shown[0], _difference(found.get("auroc")), *shown[1:]))
    caption = (
        "All classes: areas under the ROC and the precision-recall curve in percent, the mean over classes; Brier's "
        "score, 0 at best and 2 at worst; calibration of the most probable class, intercept 0 and slope 1 at best, a "
        "slope below 1 where it is too sure."
    )
    return Table(caption, header, rows, names=2)


def _each(known: PerClass) -> Table | None:
    """The areas and the operating point of the target and of each class, on all test images."""
    found = [one for one in known.figures if one.of != EVERY and one.subset == ALL and one.metric == "auroc"]
    rows = []
    for one in found:
        others = _beside(known, one)
        shown = [_shown(others.get(metric)) for metric in ("average_precision", "sensitivity", "specificity")]
        differences = [_difference(others.get(metric)) for metric in ("auroc", "sensitivity")]
        rows.append(
            (
                one.of,
                *_named(one.arm),
                str(one.positives),
                _shown(one),
                differences[0],
                *shown[:2],
                differences[1],
                shown[2],
            )
        )
    header = (
        "class", *_NAMED, "images", "AUROC", "difference", "AUPRC", "sensitivity", "difference", "specificity",
    )  # fmt: skip
    caption = "Each class told from all others, percent; differences in points."
    return Table(caption, header, rows, names=3) if rows else None


def _odds(known: PerClass) -> Iterator[Table]:
    """Equalised odds: what the operating point does on light skin less what it does on dark."""
    found = [one for one in known.figures if one.subset == GAP and one.metric == "sensitivity"]
    rows = []
    for one in found:
        other = _beside(known, one)["specificity"]
        gaps = [formatting.points(one.value), _difference(one), formatting.points(other.value), _difference(other)]
        rows.append((one.of, *_named(one.arm), *gaps))
    if rows:
        header = ("class", *_NAMED, "sensitivity, light less dark", "change", "specificity, light less dark", "change")
        caption = (
            "Equalised odds, points: sensitivity and specificity at one threshold for all skin, light less dark; both "
            "are 0 where it treats them alike."
        )
        yield Table(caption, header, rows, names=3)


def _by_tone(known: PerClass) -> Iterator[Table]:
    """The areas of the target and of each class by group of skin tones, where there are enough images of both."""
    groups = [name for name in dict.fromkeys(one.subset for one in known.figures) if name not in (ALL, GAP)]
    rows = []
    for one in known.figures:
        if one.metric == "auroc" and one.subset in groups and one.of != EVERY:
            precision = _beside(known, one).get("average_precision")
            named = (one.of, *_named(one.arm), one.subset, f"{one.positives} of {one.positives + one.negatives}")
            rows.append((*named, _shown(one), _difference(one), _shown(precision)))
    if rows:
        header = ("class", *_NAMED, "skin", "images", "AUROC", "difference", "AUPRC")
        yield Table("Each class by skin tone, percent; differences in points.", header, rows, names=3)


def _benefit(known: PerClass) -> Iterator[Table]:
    """The decision curve of the target: net benefit by threshold, beside acting on everyone."""
    if known.target is None:
        return
    found = [one for one in known.figures if one.metric == "net_benefit"]
    thresholds = list(dict.fromkeys(one.threshold for one in found))
    rows = [
        (
            "act on all",
            "",
            "",
            "",
            *(f"{100 * treat_all(known.predictions, known.target, one):.1f}" for one in thresholds),
        )
    ]
    for arm in known.arms:
        values = [
            formatting.percent(one.value) if one.value.value >= 0 else f"{100 * one.value.value:.1f}"
            for one in found
            if one.arm == arm
        ]
        rows.append((*_named(arm), *values))
    caption = (
        f"Decision curve of {known.target.name}: true positives less false ones at the odds of the threshold, of 100 "
        "test images; acting on none is 0. The share of the target in the test set is what it is here."
    )
    yield Table(caption, (*_NAMED, *(f"at {100 * one:g} %" for one in thresholds)), rows, names=2)


def _beside(known: PerClass, one: ClassFigure) -> dict[str, ClassFigure]:
    """The other figures of the same arm, class and subset, by metric."""
    mine = one.arm, one.of, one.subset
    return {other.metric: other for other in known.figures if (other.arm, other.of, other.subset) == mine}


_PLAIN = ("brier", "calibration_intercept", "calibration_slope")


def _shown(one: ClassFigure | None) -> str:
    if one is None or math.isnan(one.value.value):
        return formatting.NONE
    if one.metric not in _PLAIN:
        return formatting.percent(one.value)
    known = one.value
    ends = "" if math.isnan(known.low) else f" ({known.low:.2f} to {known.high:.2f})"
    return f"{known.value:.2f}{ends}"


def _difference(one: ClassFigure | None) -> str:
    return formatting.points(one.difference) if one and one.difference else formatting.NONE


def _arm(arm: ArmKey) -> list[object]:
    return [arm.name, arm.strategy, arm.n_real, arm.ratio]


def _named(arm: ArmKey) -> tuple[str, str, str, str]:
    return arm.name, str(arm.strategy) or formatting.NONE, str(arm.n_real), f"{arm.ratio:g}"
