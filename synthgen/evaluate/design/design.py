"""The design of a study, which images train which trial: pure, of settings, real and synthetic images, and a seed."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from synthgen.errors import InputError
from synthgen.evaluate.design import arms, caveats, feasibility
from synthgen.evaluate.design.leakage import LeakCheck
from synthgen.evaluate.design.seeds import DesignInputs, SeedDesign
from synthgen.evaluate.design.trials import SyntheticImage, Trial
from synthgen.evaluate.note import Note
from synthgen.plan.manifest.evaluate import Evaluate, Strategy
from synthgen.plan.real_index import Index
from synthgen.plan.real_pools import draw

OUTSIDE = "made from real images, or by a generator that saw some, beyond those of every trial"
ALIKE = "looks like a real training image beyond those of every trial"
Excluded = dict[Strategy, Counter[str]]


@dataclass(frozen=True)
class Design:
    """A whole study, before anything is trained.

    Attributes:
        trials: By seed, then n, then arm: a study that is stopped early has whole seeds.
        excluded: How many synthetic images no trial may have, by reason.
        left_out: How many trials there can't be, by reason.
        notes: What a reader of the report has to know of it.
        validation: The ids of the real images that every trial is tuned on.
        test: The ids of the real images that every trial is tested on.
    """

    trials: tuple[Trial, ...]
    excluded: Mapping[str, int]
    left_out: Mapping[str, int]
    notes: tuple[Note, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @cached_property
    def synthetic(self) -> frozenset[str]:
        """The keys of all synthetic images that train a trial."""
        return frozenset().union(*(trial.synthetic for trial in self.trials))

    @cached_property
    def real(self) -> frozenset[str]:
        """The ids of all real images that train a trial."""
        return frozenset().union(*(trial.real for trial in self.trials))

    @cached_property
    def used(self) -> dict[Strategy, int]:
        """The number of synthetic images that train a trial, by strategy."""
        keys: dict[Strategy, set[str]] = {}
        for trial in self.trials:
            if trial.strategy:
                keys.setdefault(trial.strategy, set()).update(trial.synthetic)
        return {strategy: len(found) for strategy, found in sorted(keys.items())}


def design(
    settings: Evaluate,
    index: Index,
    synthetic: Sequence[SyntheticImage],
    *,
    seed: int,
    labels: Sequence[str],
    near_copies: Collection[str] = (),
    look_alikes: Collection[str] = (),
) -> Design:
    """The design of a study.

    Args:
        settings: What is asked.
        index: The real images, opened, so that their sha256 is known.
        synthetic: Every synthetic image there is, in any order.
        seed: The manifest's seed.
        labels: The study's labels, in the manifest's order.
        near_copies: The record keys of synthetic images that look like a validation or test image.
        look_alikes: The ids of real training images that look like one; they train nothing, in any arm.

    Raises:
        InputError: The study can't be done as asked; one line for each fault.
    """
    synthetic = synthetic if arms.uses_synthetic(settings) else ()
    index = _without(index, look_alikes)
    found = feasibility.of_real(settings, index, labels)
    if arms.uses_synthetic(settings):
        found += feasibility.of_synthetic(settings, synthetic)
    refuse(found)
    reasons = _leaks(synthetic, LeakCheck(index, labels, near_copies))
    sound = [image for image in synthetic if image.key not in reasons]
    draws = [draw(index.usable("train"), labels, seed, number) for number in range(settings.seeds)]
    strategies = sorted({one.strategy for one in synthetic})
    aside = tuple(image for image in synthetic if image.key in reasons)
    inputs = DesignInputs(settings, index, tuple(sound), seed, tuple(labels), tuple(strategies), aside)
    seeds = [SeedDesign(inputs, drawn) for drawn in draws]
    allowed = frozenset().union(*(seed.allowed for seed in seeds))
    outside = (image for image in sound if image.key not in allowed)
    reasons |= {image.key: ALIKE if image.looks_like and not image.source_id else OUTSIDE for image in outside}
    refuse(_unusable(inputs, synthetic, seeds, _by_strategy(synthetic, reasons)))
    trials, left_out = _trials(inputs, seeds)
    record_keys = {image.key: image.record_key for image in synthetic}
    return Design(
        trials,
        dict(Counter({record_keys[key]: reason for key, reason in reasons.items()}.values()).most_common()),
        left_out,
        (*caveats.of_design(inputs, draws, left_out), *caveats.of_shortages(_shares_missing(inputs, seeds))),
        tuple(one.id for one in inputs.held("validation")),
        tuple(one.id for one in inputs.held("test")),
    )


def _without(index: Index, look_alikes: Collection[str]) -> Index:
    """The index with real training images at fault that look like a validation or test image."""
    if not look_alikes:
        return index
    fault, gone = "looks like a validation or test image", frozenset(look_alikes)
    return Index(tuple(replace(one, fault=fault) if one.id in gone else one for one in index.sources))


def refuse(found: Sequence[str]) -> None:
    """Raise InputError with the faults found, if any."""
    if found:
        raise InputError(*found)


def _leaks(synthetic: Sequence[SyntheticImage], check: LeakCheck) -> dict[str, str]:
    """The reason why an image may train nothing, by key, of those that carry something of one held out."""
    found = ((image.key, check.reason(image)) for image in synthetic)
    return {key: reason for key, reason in found if reason}


def _by_strategy(synthetic: Sequence[SyntheticImage], reasons: Mapping[str, str]) -> Excluded:
    """The number of images that train nothing, by strategy and reason."""
    excluded: Excluded = {image.strategy: Counter() for image in synthetic}
    for image in synthetic:
        if image.key in reasons:
            excluded[image.strategy][reasons[image.key]] += 1
    return excluded


def _unusable(
    inputs: DesignInputs, synthetic: Sequence[SyntheticImage], seeds: Sequence[SeedDesign], excluded: Excluded
) -> list[str]:
    """The faults of strategies without any image that a trial may have, and of those with too few."""
    there = Counter(image.strategy for image in synthetic)
    none = [strategy for strategy in inputs.strategies if excluded[strategy].total() == there[strategy]]
    found = feasibility.of_strategies(none, excluded)
    worst: dict[Strategy, tuple[int, str]] = {}
    for seed in seeds:
        for strategy, missing, fault in seed.faults():
            if missing > worst.get(strategy, (0, ""))[0]:
                worst[strategy] = missing, fault
    return found + [fault for _, (_, fault) in sorted(worst.items())]


def _shares_missing(inputs: DesignInputs, seeds: Sequence[SeedDesign]) -> dict[Strategy, list[float]]:
    """The share of synthetic images that trials lack, of those that lack any, by strategy."""
    shares: dict[Strategy, list[float]] = {}
    for seed in seeds:
        for condition in inputs.conditions:
            if not condition.synthetic_n or seed.reason_left_out(condition):
                continue
            missing = seed.shortage(condition).missing
            if missing > 0:
                shares.setdefault(condition.strategy, []).append(missing / condition.synthetic_images)
    return shares


def _trials(inputs: DesignInputs, seeds: Sequence[SeedDesign]) -> tuple[tuple[Trial, ...], dict[str, int]]:
    """The trials of all seeds, and how many there can't be, by reason."""
    trials, left_out = [], Counter[str]()
    for seed in seeds:
        for condition in inputs.conditions:
            reason = seed.reason_left_out(condition)
            if reason:
                left_out[reason] += 1
            else:
                trials.append(seed.trial(condition))
    return tuple(trials), dict(left_out)
