"""The sentences on what was and was not shown, which claim no more than the corrected intervals do."""

import math
from collections.abc import Iterator, Sequence

from synthgen.core.report import Paragraph
from synthgen.evaluate.analysis.comparisons import (
    ADDED,
    AUGMENT,
    GAP,
    MATCHED,
    MORE,
    PERMUTED,
    PRIMARY,
    REAL,
    Analysis,
    Comparison,
)
from synthgen.evaluate.analysis.families import has_control
from synthgen.evaluate.analysis.predictions import Predictions
from synthgen.evaluate.note import GENERATORS_SAW_ALL, Note
from synthgen.evaluate.report import formatting
from synthgen.evaluate.report.verdicts import detectable, verdict
from synthgen.plan.manifest.evaluate import SYNTHETIC
from synthgen.plan.manifest.primary import AUGMENTED, UNCURATED, Primary

_BETTER, _WIDER = ("better", "worse"), ("wider", "narrower")  # what a higher figure, or gap, and a lower one are called
_CONTROLS = {
    REAL: "real images alone",
    AUGMENT: "real images with classic augmentation",
    MATCHED: "real images trained for as many steps",
    MORE: "as many more real images",
    PERMUTED: "the same images with labels permuted within skin tone",
}


def warnings(predictions: Predictions) -> Iterator[Paragraph]:
    """The paragraphs that a reader has to know before any number: bold where they can turn a conclusion around."""
    study = predictions.study
    if study.generator_pool == "all" and GENERATORS_SAW_ALL not in study.notes:
        yield _paragraph(GENERATORS_SAW_ALL)
    steps = sorted({one.optimizer_steps for one in predictions.trials})
    if len(steps) > 1:
        yield Paragraph(
            f"Optimizer steps differ between trials, from {steps[0]:,} to {steps[-1]:,}: an arm with more images also "
            "trains longer, and only real-step-matched tells the two apart.",
            strong=True,
        )
    if len({one.seed for one in predictions.trials}) == 1:
        yield Paragraph("One seed: intervals are over test images alone and say nothing of other draws.", strong=True)
    yield from map(_paragraph, study.notes)


def _paragraph(note: Note) -> Paragraph:
    return Paragraph(note.plain, strong=note.serious)


def findings(analysis: Analysis) -> list[str]:
    """The sentences that the study ends with, the first of them on what it was."""
    return [
        *_studied(analysis.predictions),
        *_helped(analysis),
        *_gate(analysis),
        *_others(analysis),
        *_controls(analysis),
        *_curated(analysis),
        *_strategies(analysis),
        *_saturates(analysis),
        *_worth(analysis),
        *_tones(analysis),
    ]


def shown(analysis: Analysis) -> list[str]:
    """Those of the sentences that a report has beside its tables: the study, and the family that is claimed from."""
    return [*_studied(analysis.predictions), *_helped(analysis), *_gate(analysis)]


def by_skin(analysis: Analysis) -> list[str]:
    """The sentences on skin tones."""
    return [*_tones(analysis)]


def estimated(analysis: Analysis) -> list[str]:
    """The sentences on what is estimated and not tested."""
    return [*_worth(analysis)]


def _studied(predictions: Predictions) -> Iterator[str]:
    trials, study = predictions.trials, predictions.study
    sizes = formatting.enumerated(sorted({one.n_real for one in trials}))
    groups, images = len(set(predictions.groups)), len(predictions.images)
    whole = f" of {groups:,} groups, resampled as wholes," if groups < images else ""
    by = f" by {study.learner}" if study.learner else ""
    several = len(predictions.arms) > len({one.name for one in predictions.arms})
    at = f" in {len(predictions.arms):,} sizes, ratios and strategies" if several else ""
    yield (
        f"{formatting.counted(len(trials), 'classifier')} were trained{by}: "
        f"{formatting.counted(len({one.name for one in predictions.arms}), 'arm')}{at} over "
        f"{formatting.counted(len({one.seed for one in trials}), 'seed')} with {sizes} real images a class, "
        f"all tested on the same {images:,} real images{whole} of {len(study.labels)} classes."
    )
    steps = {one.optimizer_steps for one in trials}
    if len(steps) == 1:
        yield f"Every trial took the same {steps.pop():,} optimizer steps."


def _helped(analysis: Analysis) -> Iterator[str]:
    """The sentences on the primary family, and on what stands behind it."""
    named, family = analysis.primary_family, analysis.primary
    tested = [one for one in family if one.tested]
    if not tested and any(math.isfinite(one.difference.low) for one in family):
        yield (
            "Differences are of fewer than three seeds: they have intervals and no p value, and nothing about a gain "
            "was shown."
        )
    elif not tested:
        yield (
            f"No arm could be compared with {control(named)} as the primary family asks, so nothing about a "
            "gain was shown."
        )
    else:
        distinct = tested[0].family
        same = f", {distinct} of them distinct trainings" if distinct < len(tested) else ""
        yield (
            f"The primary family, which claims are made from, is {formatting.enumerated(named.arms)} against "
            f"{named.against} in {metric_in_words(named)}: {formatting.counted(len(tested), 'comparison')}{same}, "
            "corrected by Holm's method."
        )
    of_gap = named.subset == "gap"
    adjectives, figure = (_WIDER, ", the gap between light and dark skin") if of_gap else (_BETTER, "")
    for strategy in sorted({one.arm.strategy for one in family if one.arm.name == ADDED}):
        added = [one for one in family if (one.arm.name, one.arm.strategy) == (ADDED, strategy)]
        yield from verdict(f"Adding images of {strategy} to real ones{figure}", added, control(named), adjectives)
    for name in sorted({one.arm.name for one in family} - {ADDED}):
        yield from verdict(
            f"{name}{figure}", [one for one in family if one.arm.name == name], control(named), adjectives
        )
    yield from _power(tested)


def control(named: Primary) -> str:
    """What a primary family is compared with, in words."""
    uncurated = "all that were planned" if named.against == UNCURATED else f"as many of {named.against}"
    return _CONTROLS.get(named.against, uncurated)


def metric_in_words(named: Primary) -> str:
    """The figure of the primary family in words."""
    metric = {"top1": "top-1", "top3": "top-3"}.get(named.metric, named.metric.replace("_", " "))
    subsets = {"all": "", "gap": ", as the gap between light and dark skin"}
    return metric + subsets.get(named.subset, f" on {named.subset} skin")


def _power(family: Sequence[Comparison]) -> Iterator[str]:
    halves = sorted((one.difference.high - one.difference.low) / 2 for one in family)
    halves = [half for half in halves if not math.isnan(half)]
    if halves:
        yield (
            f"Half of the uncorrected 95 % intervals reach {100 * halves[len(halves) // 2]:.1f} points or less to each "
            "side; what was not shown may still be there, up to the ends of its interval."
        )


def _gate(analysis: Analysis) -> Iterator[str]:
    """The sentence on whether what stands behind the primary family is tested."""
    behind = [one for one in analysis.comparisons if not one.primary]
    if not behind:
        return
    if analysis.gate_open:
        count = sum(one.tested for one in behind)
        yield (
            f"All of the primary family is significant, so the {count} questions behind it are tested too, corrected "
            "together."
        )
    else:
        yield (
            "All else is described and not tested: the questions behind the primary family are tested only where all "
            "of it is significant."
        )


def _others(analysis: Analysis) -> Iterator[str]:
    """The sentences on arms beside the primary family, each with real images alone."""
    family = [one for one in analysis.family(REAL) if not one.primary and one.arm.strategy.curated]
    for strategy in sorted({one.arm.strategy for one in family if one.arm.name == ADDED}):
        added = [one for one in family if (one.arm.name, one.arm.strategy) == (ADDED, strategy)]
        yield from verdict(f"Adding images of {strategy} to real ones", added)
    for name in sorted({one.arm.name for one in family} - {ADDED}):
        yield from verdict(name, [one for one in family if one.arm.name == name])


def _controls(analysis: Analysis) -> Iterator[str]:
    for control, name in _CONTROLS.items():
        if control == REAL:
            continue
        found = [one for one in analysis.family(control) if not one.primary and one.arm.strategy.curated]
        added = [one for one in found if one.arm.name in (ADDED, f"{ADDED}{AUGMENTED}")]
        for strategy in sorted({one.arm.strategy for one in added}):
            chosen = [one for one in added if one.arm.strategy == strategy]
            yield from verdict(f"Adding images of {strategy} to real ones", chosen, name)
        others = [one for one in found if one not in added]
        for arm in sorted({one.arm.name for one in others}):
            yield from verdict(arm, [one for one in others if one.arm.name == arm], name)


def _curated(analysis: Analysis) -> Iterator[str]:
    """The sentences on leaving out rejected images, for every arm that has synthetic ones."""
    for arm in SYNTHETIC:
        found = [one for one in analysis.family(arm, kind="curation") if not one.primary]
        for strategy in sorted({one.arm.strategy for one in found}):
            chosen = [one for one in found if one.arm.strategy == strategy]
            yield from verdict(f"{arm}: images of {strategy} that curation kept", chosen, "all that were planned")


def _strategies(analysis: Analysis) -> Iterator[str]:
    """The sentences on one strategy beside another, for every arm that has synthetic images."""
    for arm in SYNTHETIC:
        found = [one for one in analysis.family(arm, kind="strategies") if not one.primary]
        for strategy, other in sorted({(one.arm.strategy, one.against.strategy) for one in found}):
            chosen = [one for one in found if one.arm.strategy == strategy]
            yield from verdict(f"{arm}: images of {strategy}", chosen, f"as many of {other}")


def _worth(analysis: Analysis) -> Iterator[str]:
    for arm in analysis.plotted:
        known = analysis.exchange(arm) if arm.name == ADDED else None
        if known is None:
            continue
        if math.isfinite(known.rate) and math.isfinite(known.low) and math.isfinite(known.high):
            yield (
                f"Estimated, not tested: in {formatting.arm_name(arm)} a synthetic image was worth {known.rate:.2f} "
                f"real images (95 % interval {known.low:.2f} to {known.high:.2f})."
            )
        else:
            yield f"In {formatting.arm_name(arm)} the study can't tell what a synthetic image is worth in real ones."


def _saturates(analysis: Analysis) -> Iterator[str]:
    """The sentences on whether the greatest ratio adds anything to the one before it."""
    found = [one for one in analysis.family(ADDED, kind="doses") if one.arm.strategy.curated]
    for strategy in sorted({one.arm.strategy for one in found}):
        chosen = [one for one in found if one.arm.strategy == strategy]
        yield from verdict(f"The greatest ratio of images of {strategy}", chosen, "the ratio before it")


def _tones(analysis: Analysis) -> Iterator[str]:
    if not analysis.tone_groups:
        yield "The dataset has no skin tones, so whether a gain is the same for all of them can't be told."
        return
    named = analysis.primary_family
    gaps = [one for one in analysis.comparisons if (one.metric, one.subset) == (PRIMARY, GAP)]
    gaps = [one for one in gaps if one.arm.name in named.arms and has_control(one, named.against)]
    gaps = [one for one in gaps if one.arm.strategy.curated]
    if (PRIMARY, GAP) not in analysis.scores:
        yield "Light or dark skin has no test image, so the gap between them can't be told."
        return
    for one in gaps:
        if one.arm in analysis.plotted:
            yield _of_groups(analysis, one)
    yield from verdict(
        "For whom, which the change of the gap between light and dark skin alone can tell: the gap",
        gaps,
        f"that of {control(named)}",
        _WIDER,
    )


def _of_groups(analysis: Analysis, gap: Comparison) -> str:
    """What a comparison is on each group of skin tones, together, and the smallest change of the gap it could find."""
    parts = []
    for name in analysis.tone_groups:
        same = (
            one for one in analysis.comparisons if (one.arm, one.against, one.subset) == (gap.arm, gap.against, name)
        )
        parts += [f"{formatting.points(one.difference)} on {name}" for one in same if one.metric == PRIMARY]
    return (
        f"By skin, {formatting.arm_name(gap.arm)} against {gap.against.name}: {formatting.enumerated(parts)}; the gap "
        f"changes by {formatting.points(gap.difference)} points, where {detectable([gap])} is the smallest change that "
        "could have been found (80 % power)."
    )
