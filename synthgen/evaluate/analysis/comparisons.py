"""Which arms a study compares, and the families that Holm's correction is over."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synthgen.evaluate.analysis import dose_response, metrics, statistics
from synthgen.evaluate.analysis.metrics import top_k
from synthgen.evaluate.analysis.predictions import ArmKey, Predictions
from synthgen.evaluate.analysis.statistics import Estimate
from synthgen.plan.manifest.evaluate import UNCURATED

Kind = Literal["arms", "strategies", "curation"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm against another at the same number of real images.

    Attributes:
        cell: The arm that is compared.
        against: The arm that it is compared with.
        metric: Of :class:`~synthgen.evaluate.analysis.metrics.Scores`.
        subset: ``all`` test images, those of one tone group, or the gap between light and dark.
        mean: The arm's own figure.
        mean_against: That of the arm that it is compared with.
        difference: The first less the second.
        p_holm: Corrected over the family: every comparison with the same arm in ``against``, as one of the same
            :attr:`sort`, in the same metric and kind of subset; NaN where one seed of several is left.
        family: How many comparisons are in it that have a p value.
    """

    cell: ArmKey
    against: ArmKey
    metric: str
    subset: str
    mean: float
    mean_against: float
    difference: Estimate
    p_holm: float = float("nan")
    family: int = 0

    @property
    def sort(self) -> Kind:
        """Whether two arms are compared, two strategies in one arm, or the images of one before and after curation."""
        if self.against.arm != self.cell.arm:
            return "arms"
        return "curation" if self.against.strategy.startswith(UNCURATED) else "strategies"

    @property
    def significant(self) -> bool:
        """Whether it is significant at 5 % after Holm's correction."""
        return self.p_holm < 1 - statistics.LEVEL


REAL, AUGMENT, ADDED = "real", "real+augment", "real+synthetic"
MATCHED, MORE = "real-step-matched", "real-more"  # controls of one ratio
PRIMARY = "top1"
ALL, GAP = "all", "light-dark gap"

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

    def of(self, cell: ArmKey, metric: str = PRIMARY, subset: str = ALL) -> Estimate:
        """An arm's own figure, with its interval."""
        return self._told(statistics.estimate(self._scores(cell, metric, subset), self.drawn))

    def of_images(self, cell: ArmKey, members: NDArray[np.bool_]) -> Estimate:
        """An arm's top-1 on some of the test images, (N,), with its interval."""
        rows = list(self.predictions.cells[cell].values())
        right = top_k(self.predictions.labels, self.predictions.probabilities[rows], 1)[:, members]
        drawn = self.drawn.images[:, members]
        return self._told(statistics.estimate(statistics.accuracy(drawn, right.astype(np.float64)), self.drawn))

    @property
    def shown(self) -> tuple[ArmKey, ...]:
        """The arms that pictures of one size show: most real images and greatest ratio, never chosen by result."""
        added = [cell for cell in self.predictions.cells if cell.arm == ADDED]
        n = max((cell.n_real for cell in added or self.predictions.cells), default=0)
        ratio = max((cell.ratio for cell in added if cell.n_real == n), default=0)
        here = [cell for cell in self.predictions.cells if cell.n_real == n]
        wanted = {REAL: 0, AUGMENT: 0, ADDED: ratio}
        return tuple(cell for cell in here if wanted.get(cell.arm) == cell.ratio)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison, Holm-corrected within its family."""
        families: dict[tuple[str, ...], list[Comparison]] = {}
        for metric, subset in self.scores:
            for cell, against in self._pairs():
                kind = "group" if subset in self.tone_groups else subset
                one = self._compared(cell, against, metric, subset)
                families.setdefault((against.arm, one.sort, metric, kind), []).append(one)
        return tuple(one for family in families.values() for one in _corrected(family))

    @property
    def primary(self) -> tuple[Comparison, ...]:
        """The family that the report's claims are made from: every arm against ``real``, top-1, all test images."""
        return self.family(REAL)

    def family(
        self, against: str, metric: str = PRIMARY, subset: str = ALL, sort: Kind = "arms"
    ) -> tuple[Comparison, ...]:
        """The comparisons of one sort with one arm, in one metric, on one subset."""
        chosen = (against, metric, subset, sort)
        return tuple(one for one in self.comparisons if (one.against.arm, one.metric, one.subset, one.sort) == chosen)

    def saturation(self, strategy: str, n_real: int) -> dose_response.Saturation | None:
        """Where the gain of one strategy's images saturates; ``None`` for fewer than two ratios or no ``real``."""
        real = self._cell(REAL, n_real)
        cells = [cell for cell in self.predictions.cells if (cell.arm, cell.strategy) == (ADDED, strategy)]
        cells = [cell for cell in cells if cell.n_real == n_real]
        if real is None or len(cells) < 2:
            return None
        seeds = self._shared([real, *cells])
        if not self._enough(len(seeds)):
            return None
        base = self._scores(real, seeds=seeds)
        gains = [statistics.spread(self._scores(cell, seeds=seeds) - base, self.drawn) for cell in cells]
        return dose_response.saturation(np.array([cell.ratio for cell in cells]), np.array(gains).T)

    def exchange(self, cell: ArmKey) -> dose_response.Exchange | None:
        """What one of a cell's synthetic images is worth in real ones; ``None`` without a curve of real ones."""
        by_number = {one.n_real: one for one in self.predictions.cells if one.arm == REAL}
        more = {round(one.n_real * (1 + one.ratio)): one for one in self.predictions.cells if one.arm == MORE}
        points = dict(sorted((more | by_number).items()))
        seeds = self._shared([cell, *points.values()])
        if cell.n_real not in by_number or len(points) < 2 or not self._enough(len(seeds)):
            return None
        draws = [self._spread(one, seeds) for one in (*points.values(), cell)]
        real = np.array(draws[:-1]).T
        return dose_response.exchange_rate(np.array([*points], np.float64), real, cell.n_real, cell.ratio, draws[-1])

    def _spread(self, cell: ArmKey, seeds: tuple[int, ...]) -> Array:
        return statistics.spread(self._scores(cell, seeds=seeds), self.drawn)

    def _pairs(self) -> Iterator[tuple[ArmKey, ArmKey]]:
        """Every arm with ``real``; and synthetic images with augmentation, as many steps, and as many real images.

        And in every arm that has both: images that curation kept with all that were planned, and those of a strategy
        with those of the one that it is to be compared with.
        """
        of_strategy = self.predictions.study.against
        for cell in self.predictions.cells:
            for name in (UNCURATED + cell.strategy, of_strategy.get(cell.strategy)):
                other = replace(cell, strategy=name) if name else cell
                if other != cell and other in self.predictions.cells and self._shared([cell, other]):
                    yield cell, other
            for arm in (REAL, AUGMENT, MATCHED, MORE):
                against = self._cell(arm, cell.n_real, cell.ratio)
                if against is None or cell.arm == arm or (arm != REAL and cell.arm != ADDED):
                    continue
                if self._shared([cell, against]):
                    yield cell, against

    def _cell(self, arm: str, n_real: int, ratio: float = 0) -> ArmKey | None:
        found = [one for one in self.predictions.cells if (one.arm, one.n_real) == (arm, n_real)]
        same = [one for one in found if one.ratio == ratio]
        return next(iter(same if arm in (MATCHED, MORE) else same or found), None)

    def _compared(self, cell: ArmKey, against: ArmKey, metric: str, subset: str) -> Comparison:
        seeds = self._shared([cell, against])
        a, b = (self._scores(one, metric, subset, seeds) for one in (cell, against))
        means = float(a[0].mean()), float(b[0].mean())
        return Comparison(cell, against, metric, subset, *means, self._told(statistics.compare(a, b, self.drawn)))

    def _told(self, known: Estimate) -> Estimate:
        """A figure without an interval where one seed of several is left: it tells nothing of other draws."""
        if self._enough(known.seeds):
            return known
        return Estimate(known.value, math.nan, math.nan, math.nan, math.nan, math.nan, known.seeds)

    def _enough(self, seeds: int) -> bool:
        """Whether so many seeds tell anything of this study: one of several does not."""
        return seeds > 1 or seeds == len({one.seed for one in self.predictions.trials})

    def _scores(
        self, cell: ArmKey, metric: str = PRIMARY, subset: str = ALL, seeds: tuple[int, ...] | None = None
    ) -> Array:
        rows = self.predictions.cells[cell]
        return self.scores[metric, subset][:, [rows[seed] for seed in (rows if seeds is None else seeds)]]

    def _shared(self, cells: list[ArmKey]) -> tuple[int, ...]:
        return tuple(sorted(set.intersection(*(set(self.predictions.cells[cell]) for cell in cells))))


def _corrected(family: list[Comparison]) -> list[Comparison]:
    adjusted = statistics.holm([one.difference.p for one in family])
    tested = sum(not math.isnan(p) for p in adjusted)
    return [replace(one, p_holm=p, family=tested) for one, p in zip(family, adjusted, strict=True)]
