"""What is estimated over images, with its 95 % interval; by scipy.stats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthgen.core.types import Bools, Doubles

LEVEL = 0.95
_HALF_WIDTH = 1.959964  # standard errors on either side, of a normal distribution at that level


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its interval, and how much it is of.

    Attributes:
        value: The value; NaN where there is none.
        low: The lower end of its interval; NaN where no interval is known.
        high: The upper end.
        n: How many images it is of.
        note: Why there is no value, or what biases it; empty where nothing has to be said.
        interval: How the interval was found; empty where there is none.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    note: str = ""
    interval: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def above(self, other: Estimate) -> bool:
        """Whether its whole interval lies above another's; False where one has none."""
        return self.low > other.high


def share(flags: Bools) -> Estimate:
    """The share of images that something is true of, with the score interval of E. B. Wilson (JASA 1927, 22:209).

    Args:
        flags: Shape (n,).
    """
    from scipy.stats import binomtest

    if not len(flags):
        return Estimate(math.nan, note="no image")
    count = int(flags.sum())
    ends = binomtest(count, len(flags)).proportion_ci(LEVEL, method="wilson")
    return Estimate(count / len(flags), float(ends.low), float(ends.high), len(flags), interval="Wilson")


def median(values: Doubles) -> Estimate:
    """The median, between the order statistics that hold it in 95 of 100 samples at the least.

    That is the interval of W. J. Conover (Practical Nonparametric Statistics 1999, 3.2), whatever the distribution;
    there is none where the values are too few for it.

    Args:
        values: Shape (n,), none NaN.
    """
    import numpy as np
    from scipy.stats import quantile_test

    if not len(values):
        return Estimate(math.nan, note="no image")
    ends = quantile_test(values, p=0.5).confidence_interval(LEVEL)
    low, high = float(ends.low), float(ends.high)
    known = "order statistics" if math.isfinite(low) and math.isfinite(high) else ""
    if not known:
        low = high = math.nan
    return Estimate(float(np.median(values)), low, high, len(values), interval=known)


def of_error(value: float, standard_error: float, n: int, note: str = "") -> Estimate:
    """A value that has a standard error, with 1.96 of it on either side; without an interval where that is NaN."""
    half = _HALF_WIDTH * standard_error
    known = "" if math.isnan(half) or math.isnan(value) else "standard error"
    return Estimate(value, value - half, value + half, n, note, known)


def share_of(count: int, total: int) -> Estimate:
    """A share of few, with the exact interval of C. J. Clopper and E. S. Pearson (Biometrika 1934, 26:404)."""
    from scipy.stats import binomtest

    if not total:
        return Estimate(math.nan, note="none differs")
    ends = binomtest(count, total).proportion_ci(LEVEL, method="exact")
    return Estimate(count / total, float(ends.low), float(ends.high), total, interval="Clopper-Pearson")
