"""The smallest difference that a study could find, before anything is made: from its seeds, patients and questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthgen.evaluate.analysis import metrics, statistics
from synthgen.evaluate.analysis.comparisons import FEWEST_SEEDS
from synthgen.evaluate.design import arms
from synthgen.plan import skin_tones
from synthgen.plan.manifest.evaluate import Evaluate, Strategy
from synthgen.plan.manifest.primary import CONTROLS, SYNTHETIC, UNCURATED, Primary
from synthgen.plan.real_index import Source

# How much a paired difference of top-1 varies from one group of test images to another, and from one draw of training
# images to another: about what it was in the studies that are published here, in docs/*/comparisons.csv, which a test
# holds these against. Differences vary least where arms do alike on most images.
_ALIKE, _UNLIKE = (0.1, 0.005), (0.35, 0.03)


@dataclass(frozen=True, slots=True)
class Power:
    """What a study could find with 80 % power, as shares: 0.05 is five points.

    Attributes:
        comparisons: How many are in the primary family.
        seeds: How many draws.
        images: Test images.
        groups: Patients, lesions or images that these are.
        low: The smallest difference where arms do alike on most images.
        high: The same where they differ on many, and from draw to draw.
        gap_low: Of the change of the gap between light and dark skin, one comparison alone; NaN without both.
        gap_high: Likewise.
    """

    comparisons: int
    seeds: int
    images: int
    groups: int
    low: float
    high: float
    gap_low: float
    gap_high: float

    def __str__(self) -> str:
        of = f" of {self.groups:,} groups" if self.groups < self.images else ""
        told = (
            f"{self.seeds} seeds, {self.images:,} test images{of}, {self.comparisons} comparisons in the primary family"
        )
        if np.isnan(self.low):
            return f"{told}: too few to test anything; take {FEWEST_SEEDS} seeds or more, and two groups"
        found = f"the smallest difference that could be found (80 % power) is about {_points(self.low, self.high)}"
        gap = "" if np.isnan(self.gap_low) else f", of the gap of skin tones {_points(self.gap_low, self.gap_high)}"
        return f"{told}: {found}{gap}"


def expected(settings: Evaluate, tested: Sequence[Source], strategies: Sequence[str], scale: str) -> Power:
    """What a study could find.

    Args:
        settings: The study.
        tested: Its test images.
        strategies: What synthetic images will be of, as curated.
        scale: The skin-tone scale.
    """
    groups = len({one.group or one.id for one in tested})
    tests = comparisons(settings, strategies)
    of = skin_tones.GROUPS[scale]
    ends = [
        len({one.group or one.id for one in tested if one.tone in of[name]}) for name in (metrics.LIGHT, metrics.DARK)
    ]
    found = [smallest(kind, settings.seeds, [groups], tests) for kind in (_ALIKE, _UNLIKE)]
    gaps = [smallest(kind, settings.seeds, ends, 1) for kind in (_ALIKE, _UNLIKE)]
    return Power(tests, settings.seeds, len(tested), groups, found[0], found[1], gaps[0], gaps[1])


def comparisons(settings: Evaluate, strategies: Sequence[str]) -> int:
    """How many comparisons the primary family has, trials that turn out not to be possible among them."""
    primary = settings.primary or Primary.of({}, settings.arms)
    named = [Strategy(one) for one in strategies if primary.strategies is None or one in primary.strategies]
    if primary.against not in (*CONTROLS, UNCURATED):
        named = [one for one in named if settings.against.get(one.name) == primary.against]
    asked = [
        one
        for one in arms.conditions(settings, named)
        if one.arm in primary.arms
        and (one.arm not in SYNTHETIC or one.strategy)
        and (primary.n_real is None or one.n_real in primary.n_real)
        and (primary.ratios is None or not one.ratio or one.ratio in primary.ratios)
    ]
    return max(len(asked), 1)


def smallest(spread: tuple[float, float], seeds: int, groups: Sequence[int], tests: int) -> float:
    """The smallest difference found with 80 % power; NaN below three seeds, or where a set has fewer than two groups.

    Args:
        spread: The standard deviations between groups of test images and between seeds.
        seeds: How many.
        groups: Of each set of test images that the figure is of: one, or two whose difference it is.
        tests: Among how many comparisons it is corrected.
    """
    if seeds < FEWEST_SEEDS or min(groups) < 2:
        return float("nan")
    known = statistics.planned(spread[0], spread[1], seeds, groups)
    return statistics.smallest_detectable(known, tests)


def standard_errors(seeds: int, groups: int) -> tuple[float, float]:
    """The standard errors that are expected of a paired difference, the least and the greatest."""
    low, high = (statistics.planned(*kind, seeds, [groups]).standard_error for kind in (_ALIKE, _UNLIKE))
    return low, high


def _points(low: float, high: float) -> str:
    ends = [f"{100 * end:.0f}" if end < 1 else "more than 100" for end in (low, high)]
    return f"{ends[0]} to {ends[1]} points" if ends[0] != ends[1] else f"{ends[0]} points"
