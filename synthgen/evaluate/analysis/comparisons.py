"""The comparisons of a study's arms, in the families that Holm's correction is over."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthgen.evaluate.analysis import dose_response, families, metrics, statistics
from synthgen.evaluate.analysis.comparison import (
    ADDED,
    ALL,
    AUGMENT,
    GAP,
    MATCHED,
    MORE,
    PERMUTED,
    PRIMARY,
    REAL,
    Comparison,
    Kind,
)
from synthgen.evaluate.analysis.metrics import top_k
from synthgen.evaluate.analysis.predictions import ArmKey, Predictions
from synthgen.evaluate.analysis.statistics import Estimate, Part
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.plan.manifest.primary import AUGMENTED, Primary

__all__ = [
    "ADDED",
    "ALL",
    "AUGMENT",
    "GAP",
    "MATCHED",
    "MORE",
    "PERMUTED",
    "PRIMARY",
    "REAL",
    "Analysis",
    "Comparison",
]

FEWEST_SEEDS = 3  # that a p value is given for

Array = NDArray[np.float64]


class Analysis:
    """All that a study's predictions show of its arms.

    Args:
        predictions: The study's.
        draws: How often test images and seeds are resampled.
        seed: Decides the draws.
    """

    def __init__(self, predictions: Predictions, draws: int = statistics.DRAWS, seed: int = 0) -> None:
        self.predictions = predictions
        self.drawn = statistics.resampling(predictions.groups, draws, seed)
        self.tone_groups = metrics.members_by_group(predictions.study.scale, predictions.tones)

    @cached_property
    def groups(self) -> Mapping[str, int]:
        """The number of groups (patients, lesions) that the test images are in: of all, and of each tone group."""
        names = np.asarray(self.predictions.groups)
        return {ALL: len(set(names))} | {name: len(set(names[members])) for name, members in self.tone_groups.items()}

    @cached_property
    def scores(self) -> Mapping[tuple[str, str], Array]:
        """The figure of each trial under each draw of the test images, (1 + draws, T), by metric and subset."""
        known, images = self.predictions, self.drawn.images
        predicted = known.probabilities.argmax(-1)
        right = [top_k(known.labels, known.probabilities, k).astype(np.float64) for k in (1, 3)]
        found = {
            ("top1", ALL): statistics.accuracy(images, right[0]),
            ("top3", ALL): statistics.accuracy(images, right[1]),
            ("balanced_accuracy", ALL): statistics.balanced_accuracy(images, predicted, known.labels),
            ("macro_f1", ALL): statistics.macro_f1(images, predicted, known.labels),
        }
        for name, members in self.tone_groups.items():
            found["top1", name] = statistics.accuracy(images[:, members], right[0][:, members])
        if {metrics.LIGHT, metrics.DARK} <= set(self.tone_groups):
            found["top1", GAP] = found["top1", metrics.LIGHT] - found["top1", metrics.DARK]
        return found

    def estimate(self, arm: ArmKey, metric: str = PRIMARY, subset: str = ALL) -> Estimate:
        """An arm's own figure, with its interval."""
        parts = [Part(self._scores(arm, metric, one), groups) for one, groups in self._parts(subset)]
        return self.with_seeds(statistics.estimate(self._scores(arm, metric, subset), self.drawn, parts=parts))

    def estimate_on(self, arm: ArmKey, members: NDArray[np.bool_]) -> Estimate:
        """An arm's top-1 on some of the test images, (N,), with its interval."""
        rows = list(self.predictions.arms[arm].values())
        right = top_k(self.predictions.labels, self.predictions.probabilities[rows], 1)[:, members]
        drawn = self.drawn.among(members)
        scores = statistics.accuracy(drawn.images, right.astype(np.float64))
        return self.with_seeds(statistics.estimate(scores, drawn))

    @property
    def plotted(self) -> tuple[ArmKey, ...]:
        """The arms that pictures of one size show: most real images and greatest ratio, never chosen by result."""
        added = [arm for arm in self.predictions.arms if arm.name == ADDED]
        n = max((arm.n_real for arm in added or self.predictions.arms), default=0)
        ratio = max((arm.ratio for arm in added if arm.n_real == n), default=0)
        ratios = {REAL: 0, AUGMENT: 0, ADDED: ratio}
        return tuple(arm for arm in self.predictions.arms if arm.n_real == n and ratios.get(arm.name) == arm.ratio)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison, the primary family first, p values corrected as :mod:`families` says."""
        pairs = [*self._pairs()]
        found = [self._compare(*pair, metric, subset) for metric, subset in self.scores for pair in pairs]
        return families.corrected(found, self.primary_family, self._training)

    @cached_property
    def primary_family(self) -> Primary:
        """What was named beforehand."""
        return Primary.of(self.predictions.study.primary, {arm.name for arm in self.predictions.arms})

    @property
    def primary(self) -> tuple[Comparison, ...]:
        """The primary family."""
        return tuple(one for one in self.comparisons if one.primary)

    @property
    def gate_open(self) -> bool:
        """Whether all of the primary family is significant, so that the questions behind it are tested."""
        return families.gate(self.primary) < 1 - statistics.LEVEL

    def _training(self, one: Comparison) -> tuple[object, ...]:
        """What two comparisons of the same trainings have in common: their predictions, to the bit."""
        seeds = self._shared([one.arm, one.against])
        known = self.predictions
        return tuple(known.fingerprints[known.arms[arm][seed]] for arm in (one.arm, one.against) for seed in seeds)

    def family(
        self, against: str, metric: str = PRIMARY, subset: str = ALL, kind: Kind = "arms"
    ) -> tuple[Comparison, ...]:
        """The comparisons of one kind with the arm of a name, in one metric, on one subset."""
        chosen = (against, metric, subset, kind)
        return tuple(one for one in self.comparisons if (one.against.name, one.metric, one.subset, one.kind) == chosen)

    def saturation(self, strategy: Strategy, n_real: int) -> dose_response.Saturation | None:
        """The ratio at which the gain of a strategy saturates; ``None`` for fewer than two ratios or no ``real``."""
        real = self._find(REAL, n_real)
        arms = [arm for arm in self.predictions.arms if (arm.name, arm.strategy) == (ADDED, strategy)]
        arms = [arm for arm in arms if arm.n_real == n_real]
        if real is None or len(arms) < 2:
            return None
        seeds = self._shared([real, *arms])
        if not self._enough(len(seeds)):
            return None
        base = self._scores(real, seeds=seeds)
        gains = [statistics.spread(self._scores(arm, seeds=seeds) - base, self.drawn) for arm in arms]
        return dose_response.saturation(np.array([arm.ratio for arm in arms]), np.array(gains).T)

    def exchange(self, arm: ArmKey) -> dose_response.Exchange | None:
        """The real images that one of an arm's synthetic images is worth; ``None`` without a curve of real ones."""
        by_number = {one.n_real: one for one in self.predictions.arms if one.name == REAL}
        more = {round(one.n_real * (1 + one.ratio)): one for one in self.predictions.arms if one.name == MORE}
        points = dict(sorted((more | by_number).items()))
        seeds = self._shared([arm, *points.values()])
        if arm.n_real not in by_number or len(points) < 2 or not self._enough(len(seeds)):
            return None
        draws = [self._spread(one, seeds) for one in (*points.values(), arm)]
        real = np.array(draws[:-1]).T
        return dose_response.exchange_rate(np.array([*points], np.float64), real, arm.n_real, arm.ratio, draws[-1])

    def _spread(self, arm: ArmKey, seeds: tuple[int, ...]) -> Array:
        return statistics.spread(self._scores(arm, seeds=seeds), self.drawn)

    def _pairs(self) -> Iterator[tuple[ArmKey, ArmKey]]:
        """Every arm with ``real``; and synthetic images with augmentation, as many steps, and as many real images.

        And in every arm that has both: images that curation kept with all that were planned, and those of a strategy
        with those of the one that it is to be compared with.
        """
        for arm in self.predictions.arms:
            for strategy in self._strategies_to_compare(arm.strategy):
                other = replace(arm, strategy=strategy)
                if other in self.predictions.arms and self._shared([arm, other]):
                    yield arm, other
            for name in (REAL, AUGMENT, MATCHED, MORE):
                against = self._find(name, arm.n_real, arm.ratio)
                asked = name == self.primary_family.against and arm.name in self.primary_family.arms
                both = name == AUGMENT and arm.name.endswith(AUGMENTED)  # what synthesis adds to augmentation
                if against is None or arm.name == name or (name != REAL and arm.name != ADDED and not (asked or both)):
                    continue
                if self._shared([arm, against]):
                    yield arm, against
            permuted = replace(arm, name=PERMUTED)
            if arm.name == ADDED and permuted in self.predictions.arms and self._shared([arm, permuted]):
                yield arm, permuted
            yield from self._last_step(arm)

    def _last_step(self, arm: ArmKey) -> Iterator[tuple[ArmKey, ArmKey]]:
        """The greatest ratio of a strategy with the one before it, at the same number of real images."""
        if arm.name != ADDED:
            return
        doses = [one for one in self.predictions.arms if replace(one, ratio=arm.ratio) == arm]
        if len(doses) > 1 and arm == doses[-1] and self._shared([arm, doses[-2]]):
            yield arm, doses[-2]

    def last_step(self, strategy: Strategy, n_real: int) -> Comparison | None:
        """What the greatest ratio of a strategy adds to the one before it; ``None`` for fewer than two ratios."""
        known = self.family(ADDED, kind="doses")
        return next((one for one in known if (one.arm.strategy, one.arm.n_real) == (strategy, n_real)), None)

    def _strategies_to_compare(self, strategy: Strategy) -> Iterator[Strategy]:
        """The strategies that one is compared with in the same arm: itself without curation, and that asked for."""
        if strategy.curated:
            yield strategy.uncurated
            asked = self.predictions.study.against.get(strategy.name)
            if asked:
                yield Strategy(asked)

    def _find(self, name: str, n_real: int, ratio: float = 0) -> ArmKey | None:
        """The arm of a name at a size; a control at that ratio alone, others at any where they have none."""
        found = [one for one in self.predictions.arms if (one.name, one.n_real) == (name, n_real)]
        same = [one for one in found if one.ratio == ratio]
        return next(iter(same if name in (MATCHED, MORE) else same or found), None)

    def _compare(self, arm: ArmKey, against: ArmKey, metric: str, subset: str) -> Comparison:
        seeds = self._shared([arm, against])
        a, b = (self._scores(one, metric, subset, seeds) for one in (arm, against))
        means = float(a[0].mean()), float(b[0].mean())
        parts = [
            Part(self._scores(arm, metric, one, seeds) - self._scores(against, metric, one, seeds), groups)
            for one, groups in self._parts(subset)
        ]
        difference = self.with_seeds(statistics.compare(a, b, self.drawn, parts=parts))
        return Comparison(arm, against, metric, subset, *means, difference)

    def _parts(self, subset: str) -> list[tuple[str, int]]:
        """The sets of test images that a figure of a subset is of, and how many groups each is in."""
        return [(one, self.groups[one]) for one in ((metrics.LIGHT, metrics.DARK) if subset == GAP else (subset,))]

    def with_seeds(self, known: Estimate) -> Estimate:
        """A figure without what its number of seeds can't tell.

        One seed of several tells nothing of other draws, so it has no interval. Below three seeds there is no p value:
        how much seeds vary is then all but unknown.
        """
        if not self._enough(known.seeds):
            return Estimate(known.value, math.nan, math.nan, math.nan, math.nan, math.nan, known.seeds)
        return known if known.seeds >= FEWEST_SEEDS else replace(known, p=math.nan)

    def _enough(self, seeds: int) -> bool:
        """Whether so many seeds tell anything of this study: one of several does not."""
        return seeds > 1 or seeds == len({one.seed for one in self.predictions.trials})

    def _scores(
        self, arm: ArmKey, metric: str = PRIMARY, subset: str = ALL, seeds: tuple[int, ...] | None = None
    ) -> Array:
        """An arm's figure of each seed under each draw of the test images, (1 + draws, S)."""
        rows = self.predictions.arms[arm]
        return self.scores[metric, subset][:, [rows[seed] for seed in (rows if seeds is None else seeds)]]

    def _shared(self, arms: list[ArmKey]) -> tuple[int, ...]:
        """The seeds that all of some arms have."""
        return tuple(sorted(set.intersection(*(set(self.predictions.arms[arm]) for arm in arms))))
