"""Shares with intervals, differences of two shares, and how far readers agree.

Own few lines: scipy's score interval takes whole counts, and an image that two of three readers call so counts two
thirds; it has none of a difference; and scikit-learn and statsmodels would come along for one formula each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Z = 1.959963984540054  # of a normal distribution, 97.5 % lie below
_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval.

    Attributes:
        value: The number; NaN where nothing gives it.
        low: The interval's lower end.
        high: Its upper end.
        images: The images that it rests on.
        answers: The answers that it rests on.
    """

    value: float
    low: float
    high: float
    images: int
    answers: int


def share(right: Mapping[str, Sequence[bool]]) -> Estimate:
    """The share of answers that are so, with Wilson's score interval (JASA 1927, 22:209).

    Readers see the same images, so the interval has as many trials as images: it is one for these readers and other
    images like these, each of another patient. What other readers would say it does not know.

    Args:
        right: Of each image, of each answer to it, whether it is so; an image without answers counts for nothing.
    """
    means = [sum(some) / len(some) for some in right.values() if some]
    answers = sum(map(len, right.values()))
    n = len(means)
    if not n:
        return Estimate(math.nan, math.nan, math.nan, 0, 0)
    p = sum(means) / n
    centre, reach = (p + Z**2 / (2 * n)) / (1 + Z**2 / n), Z / (1 + Z**2 / n)
    reach *= math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Estimate(p, max(0.0, centre - reach), min(1.0, centre + reach), n, answers)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """One share less another's, of other images, with Newcombe's hybrid score interval (Stat Med 1998, 17:873)."""
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - below, value + above, one.images + other.images, one.answers + other.answers)


def kappa(pairs: Sequence[tuple[str, str]], seed: int) -> Estimate:
    """Cohen's kappa of two readers (Educ Psychol Meas 1960, 20:37), with a percentile interval over draws of images.

    The interval is NaN where more than one draw of twenty gives no kappa, as where nearly all answers are one.

    Args:
        pairs: The two answers to each image that both have answered.
        seed: Of the draws.
    """
    import numpy as np

    n = len(pairs)
    if n < 2:
        return Estimate(math.nan, math.nan, math.nan, n, 2 * n)
    names = sorted({one for pair in pairs for one in pair})
    places = np.array([[names.index(one) for one in pair] for pair in pairs])
    value = _kappa(places, len(names))
    rng = np.random.default_rng(seed)
    drawn = [_kappa(places[rng.integers(n, size=n)], len(names)) for _ in range(_DRAWS)]
    whole = [one for one in drawn if not math.isnan(one)]
    enough = len(whole) >= 0.95 * _DRAWS and not math.isnan(value)
    low, high = np.percentile(whole, [2.5, 97.5]) if enough else (math.nan, math.nan)
    return Estimate(value, float(low), float(high), n, 2 * n)


def _kappa(places: np.ndarray, names: int) -> float:
    """Kappa of an array (n, 2) of answers' places; NaN where both gave one and the same answer to all."""
    import numpy as np

    observed = float((places[:, 0] == places[:, 1]).mean())
    shares = [np.bincount(places[:, reader], minlength=names) / len(places) for reader in (0, 1)]
    chance = float(shares[0] @ shares[1])
    return math.nan if chance == 1 else (observed - chance) / (1 - chance)
