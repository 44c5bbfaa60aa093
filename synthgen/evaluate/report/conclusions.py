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
    PRIMARY,
    REAL,
    Analysis,
    Comparison,
)
from synthgen.evaluate.analysis.predictions import Predictions
from synthgen.evaluate.note import GENERATORS_SAW_ALL, Note
from synthgen.evaluate.report import formatting
from synthgen.plan.manifest.evaluate import SYNTHETIC


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
        *_controls(analysis),
        *_curated(analysis),
        *_strategies(analysis),
        *_worth(analysis),
        *_tones(analysis),
    ]


def _studied(predictions: Predictions) -> Iterator[str]:
    trials, study = predictions.trials, predictions.study
    sizes = formatting.enumerated(sorted({one.n_real for one in trials}))
    groups, images = len(set(predictions.groups)), len(predictions.images)
    whole = f" of {groups:,} groups, resampled as wholes," if groups < images else ""
    by = f" by {study.learner}" if study.learner else ""
    yield (
        f"{formatting.counted(len(trials), 'classifier')} were trained{by}: "
        f"{formatting.counted(len(predictions.arms), 'arm')} over "
        f"{formatting.counted(len({one.seed for one in trials}), 'seed')} with {sizes} real images a class, "
        f"all tested on the same {images:,} real images{whole} of {len(study.labels)} classes."
    )
    steps = {one.optimizer_steps for one in trials}
    if len(steps) == 1:
        yield f"Every trial took the same {steps.pop():,} optimizer steps."


def _helped(analysis: Analysis) -> Iterator[str]:
    family = [one for one in analysis.primary if not math.isnan(one.p_holm)]
    if not family and any(math.isfinite(one.difference.low) for one in analysis.primary):
        yield (
            "Differences are of fewer than three seeds: they have intervals and no p value, and nothing about a gain "
            "was shown."
        )
        return
    if not family:
        yield "No arm could be compared with real images alone, so nothing about a gain was shown."
        return
    tested = f"{formatting.counted(len(family), 'comparison')} with real images alone (top-1)"
    if not any(one.significant for one in family):
        yield (
            f"No comparison was significant after Holm's correction over {tested}: that any arm differs from real "
            "images alone was not shown."
        )
    else:
        yield f"Holm's correction is over {tested}."
        for strategy in sorted({one.arm.strategy for one in family if one.arm.name == ADDED}):
            added = [one for one in family if (one.arm.name, one.arm.strategy) == (ADDED, strategy)]
            yield from _verdict(f"Adding images of {strategy} to real ones", added)
        for name in sorted({one.arm.name for one in family} - {ADDED}):
            yield from _verdict(name, [one for one in family if one.arm.name == name])
    yield from _power(family)


def _verdict(
    what: str,
    found: Sequence[Comparison],
    with_what: str = "real images alone",
    adjectives: tuple[str, str] = ("better", "worse"),
) -> Iterator[str]:
    found = [one for one in found if not math.isnan(one.p_holm)]
    if not found:
        return
    higher = [one for one in found if one.significant and one.difference.value > 0]
    lower = [one for one in found if one.significant and one.difference.value < 0]
    of = formatting.counted(len(found), "comparison")
    if not higher and not lower:
        yield f"{what}: no difference from {with_what} was shown in {of}."
        return
    parts = [(f"significantly {adjectives[0]}", len(higher)), (f"significantly {adjectives[1]}", len(lower))]
    counted = [*parts, ("undecided", len(found) - len(higher) - len(lower))]
    shares = formatting.enumerated([f"{word} in {count}" for word, count in counted if count])
    extreme = max([*higher, *lower], key=lambda one: abs(one.difference.value))
    yield (
        f"{what}, against {with_what}: {shares} of {of}; the greatest significant difference, which chance favours, "
        f"was {formatting.points(extreme.difference)} points, in {formatting.arm_name(extreme.arm)}."
    )


def _power(family: Sequence[Comparison]) -> Iterator[str]:
    halves = sorted((one.difference.high - one.difference.low) / 2 for one in family)
    halves = [half for half in halves if not math.isnan(half)]
    if halves:
        yield (
            f"Half of the uncorrected 95 % intervals reach {100 * halves[len(halves) // 2]:.1f} points or less to each "
            "side; what was not shown may still be there, up to the ends of its interval."
        )


def _controls(analysis: Analysis) -> Iterator[str]:
    names = {
        AUGMENT: "real images with classic augmentation",
        MATCHED: "real images trained for as many steps",
        MORE: "as many more real images",
    }
    for control, name in names.items():
        found = analysis.family(control)
        for strategy in sorted({one.arm.strategy for one in found}):
            chosen = [one for one in found if one.arm.strategy == strategy]
            yield from _verdict(f"Adding images of {strategy} to real ones", chosen, name)


def _curated(analysis: Analysis) -> Iterator[str]:
    """The sentences on leaving out rejected images, for every arm that has synthetic ones."""
    for arm in SYNTHETIC:
        found = analysis.family(arm, kind="curation")
        for strategy in sorted({one.arm.strategy for one in found}):
            chosen = [one for one in found if one.arm.strategy == strategy]
            yield from _verdict(f"{arm}: images of {strategy} that curation kept", chosen, "all that were planned")


def _strategies(analysis: Analysis) -> Iterator[str]:
    """The sentences on one strategy beside another, for every arm that has synthetic images."""
    for arm in SYNTHETIC:
        found = analysis.family(arm, kind="strategies")
        for strategy, other in sorted({(one.arm.strategy, one.against.strategy) for one in found}):
            chosen = [one for one in found if one.arm.strategy == strategy]
            yield from _verdict(f"{arm}: images of {strategy}", chosen, f"as many of {other}")


def _worth(analysis: Analysis) -> Iterator[str]:
    for arm in analysis.plotted:
        known = analysis.exchange(arm) if arm.name == ADDED else None
        if known is None:
            continue
        if math.isfinite(known.rate) and math.isfinite(known.low) and math.isfinite(known.high):
            yield (
                f"In {formatting.arm_name(arm)} a synthetic image was worth {known.rate:.2f} real images (95 % "
                f"interval {known.low:.2f} to {known.high:.2f}){_same(known.low, known.high)}."
            )
        else:
            yield f"In {formatting.arm_name(arm)} the study can't tell what a synthetic image is worth in real ones."


def _same(low: float, high: float) -> str:
    if low <= 0 <= high:
        return ": not shown to be worth anything" + ("" if high < 1 else ", nor to be worth less than a real one")
    return ": not shown to be worth less or more than a real one" if low <= 1 <= high else ""


def _tones(analysis: Analysis) -> Iterator[str]:
    if not analysis.tone_groups:
        yield "The dataset has no skin tones, so whether a gain is the same for all of them can't be told."
        return
    gaps = analysis.family(REAL, PRIMARY, GAP)
    if not gaps:
        yield "Light or dark skin has no test image, so the gap between them can't be told."
        return
    yield from _verdict("The gap between light and dark skin", gaps, "that of real images alone", ("wider", "narrower"))
    groups = [one for one in analysis.comparisons if one.against.name == REAL and one.subset in analysis.tone_groups]
    for name in analysis.tone_groups:
        yield from _verdict(f"On {name} skin, all arms", [one for one in groups if one.subset == name])
