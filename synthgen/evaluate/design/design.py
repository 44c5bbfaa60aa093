"""Which images train which trial: a pure function of settings, real images, synthetic images and a seed."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from synthgen.errors import InputError
from synthgen.evaluate.design import arms, caveats, feasibility
from synthgen.evaluate.design.leakage import Leaks
from synthgen.evaluate.design.seeds import DesignInputs, SeedDesign
from synthgen.evaluate.design.trials import SyntheticImage, Trial
from synthgen.plan.manifest.evaluate import UNCURATED, Evaluate
from synthgen.plan.real_index import Index
from synthgen.plan.real_pools import draw

OUTSIDE = "made from real images, or by a generator that saw some, beyond those of every trial"
Excluded = dict[str, Counter[str]]


@dataclass(frozen=True)
class Design:
    """A whole study, before anything is trained.

    Attributes:
        trials: By seed, then n, then arm: a study that is stopped early has whole seeds.
        excluded: How many synthetic images no trial may have, by reason.
        left_out: How many trials there can't be, by reason.
        notes: What a reader of the report has to know of it, a sentence or more each, in Markdown.
        validation: The ids of the real images that every trial is tuned on.
        test: The ids of the real images that every trial is tested on.
    """

    trials: tuple[Trial, ...]
    excluded: Mapping[str, int]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
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
    def used(self) -> dict[str, int]:
        """How many synthetic images train a trial, by the entry that made them."""
        by_entry: dict[str, set[str]] = {}
        for trial in self.trials:
            if trial.strategy:
                by_entry.setdefault(trial.strategy, set()).update(trial.synthetic)
        return {entry: len(keys) for entry, keys in sorted(by_entry.items())}


def design(
    settings: Evaluate,
    index: Index,
    synthetic: Sequence[SyntheticImage],
    *,
    seed: int,
    labels: Sequence[str],
    near_copies: Collection[str] = (),
) -> Design:
    """Design a study.

    Args:
        settings: What is asked.
        index: The real images, opened, so that their sha256 is known.
        synthetic: Every synthetic image there is, in any order.
        seed: The manifest's seed.
        labels: The study's labels, in the manifest's order.
        near_copies: The keys of synthetic images that look like a validation or test image.

    Raises:
        InputError: The study can't be done as asked; one line for each fault.
    """
    synthetic = synthetic if arms.uses_synthetic(settings) else ()
    found = feasibility.of_real(settings, index, labels)
    if arms.uses_synthetic(settings):
        found += feasibility.of_synthetic(settings, synthetic)
    refuse(found)
    reasons = _sieve(synthetic, Leaks(index, labels, near_copies))
    sound = [image for image in synthetic if image.key not in reasons]
    draws = [draw(index.usable("train"), labels, seed, number) for number in range(settings.seeds)]
    entries = sorted({one.entry for one in synthetic})
    aside = tuple(image for image in synthetic if image.key in reasons)
    study = DesignInputs(settings, index, tuple(sound), seed, tuple(labels), tuple(entries), aside)
    seeds = [SeedDesign(study, drawn) for drawn in draws]
    allowed = frozenset().union(*(seed.allowed for seed in seeds))
    reasons |= {image.key: OUTSIDE for image in sound if image.key not in allowed}
    refuse(_unusable(study, synthetic, seeds, _by_entry(synthetic, reasons)))
    trials, left_out = _trials(study, seeds)
    return Design(
        trials,
        dict(Counter({key.removeprefix(UNCURATED): reason for key, reason in reasons.items()}.values()).most_common()),
        left_out,
        (*caveats.of_design(study, draws, left_out), *caveats.of_shortages(_short(study, seeds))),
        tuple(one.id for one in study.held("validation")),
        tuple(one.id for one in study.held("test")),
    )


def refuse(found: Sequence[str]) -> None:
    """Raise InputError with the faults found, if any."""
    if found:
        raise InputError(*found)


def _sieve(synthetic: Sequence[SyntheticImage], leaks: Leaks) -> dict[str, str]:
    """Why images that carry something of one held out may train nothing, by key."""
    found = ((image.key, leaks.reason(image)) for image in synthetic)
    return {key: reason for key, reason in found if reason}


def _by_entry(synthetic: Sequence[SyntheticImage], reasons: Mapping[str, str]) -> Excluded:
    """How many images of each entry train nothing, by reason."""
    excluded: Excluded = {image.entry: Counter() for image in synthetic}
    for image in synthetic:
        if image.key in reasons:
            excluded[image.entry][reasons[image.key]] += 1
    return excluded


def _unusable(
    study: DesignInputs, synthetic: Sequence[SyntheticImage], seeds: Sequence[SeedDesign], excluded: Excluded
) -> list[str]:
    """The faults of entries without any image that a trial may have, and of those with too few."""
    there = Counter(image.entry for image in synthetic)
    none = [entry for entry in study.entries if excluded[entry].total() == there[entry]]
    found = feasibility.of_entries(none, excluded)
    worst: dict[str, tuple[int, str]] = {}
    for seed in seeds:
        for entry, missing, fault in seed.shortages():
            if missing > worst.get(entry, (0, ""))[0]:
                worst[entry] = missing, fault
    return found + [fault for _, (_, fault) in sorted(worst.items())]


def _short(study: DesignInputs, seeds: Sequence[SeedDesign]) -> dict[str, list[float]]:
    """The share of synthetic images that trials lack, of those that lack any, by entry."""
    short: dict[str, list[float]] = {}
    for seed in seeds:
        for row in study.rows:
            missing = seed.missing(row)[1] if row.among and not seed.hindrance(row) else 0
            if missing > 0:
                short.setdefault(row.strategy, []).append(missing / (row.among * row.each))
    return short


def _trials(study: DesignInputs, seeds: Sequence[SeedDesign]) -> tuple[tuple[Trial, ...], dict[str, int]]:
    """The trials of all seeds, and how many there can't be, by reason."""
    trials, left_out = [], Counter[str]()
    for seed in seeds:
        for row in study.rows:
            reason = seed.hindrance(row)
            if reason:
                left_out[reason] += 1
            else:
                trials.append(seed.trial(row))
    return tuple(trials), dict(left_out)
