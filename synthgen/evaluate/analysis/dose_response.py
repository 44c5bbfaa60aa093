"""The ratio at which a gain saturates, and the real images that a synthetic one is worth, off dose-response curves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgen.evaluate.analysis.statistics import LEVEL, interval

LN_10 = float(np.log(10))  # 90 % of the way are reached at so many times the curve's constant
GRID = 160  # constants that are tried

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Saturation:
    """The synthetic:real ratio that reaches 90 % of what a fitted curve ends at.

    Attributes:
        ratio: It; infinite beyond the greatest ratio measured, NaN where the curve gains nothing.
        low: Where its 95 % interval begins, of the draws that gain anything.
        high: Where it ends.
        with_gain: The share of draws whose mean gain over all ratios is above 0: half of them where there is none.
        still_rising: Whether the 95 % interval of the step from the last ratio but one to the last lies above 0.
    """

    ratio: float
    low: float
    high: float
    with_gain: float
    still_rising: bool

    @property
    def gains(self) -> bool:
        """Whether the 95 % interval of the mean gain lies above 0; else there is nothing that could saturate."""
        return self.with_gain >= (1 + LEVEL) / 2


@dataclass(frozen=True, slots=True)
class Exchange:
    """The number of real images that one synthetic image is worth, with its 95 % interval.

    Below 0 it costs some. An end is infinite, or ``rate`` is, where the accuracy lies beyond the real curve: more than
    the study can tell.
    """

    rate: float
    low: float
    high: float


def saturation(ratios: Array, gains: Array) -> Saturation:
    """The ratio at which a dose-response curve saturates, by a fitted curve.

    The curve is a + g (1 - exp(-ratio / t)), with ``real`` at ratio 0 as a point of its own, fitted to every draw by
    least squares; 90 % of g are reached at t ln 10. Not `scipy.optimize.curve_fit`, which fits one curve at a time and
    fails on flat ones: a and g are linear, so a grid over t finds the best of all draws at once.

    Args:
        ratios: P of them above 0, ascending.
        gains: The gain over real images alone at each, (1 + draws, P); the first row is what was observed.
    """
    reached = _reached(ratios, gains)
    known = reached[1:][~np.isnan(reached[1:])]
    low, high = interval(known) if known.size else (np.nan, np.nan)
    above = float((gains[1:].mean(1) > 0).mean()) if len(gains) > 1 else float(gains[0].mean() > 0)
    before = gains[1:, -2] if len(ratios) > 1 else np.zeros(len(gains) - 1)
    rising = len(gains) > 1 and interval(gains[1:, -1] - before)[0] > 0
    return Saturation(float(reached[0]), low, high, above, bool(rising))


def _reached(ratios: Array, gains: Array) -> Array:
    """The ratio at which the fitted curve of each row reaches 90 % of its end, (rows,)."""
    doses = np.concatenate([[0.0], ratios])
    curve = np.hstack([np.zeros((len(gains), 1)), gains])
    about = curve - curve.mean(1, keepdims=True)
    ends = np.geomspace(ratios[0] / 10, 10 * ratios[-1], GRID)
    shapes = 1 - np.exp(-doses * LN_10 / ends[:, None])
    shapes -= shapes.mean(1, keepdims=True)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    gain = about @ shapes.T  # what is left over falls by the square of it
    best = (gain**2).argmax(1)
    reached: Array = ends[best]
    reached[gain[np.arange(len(gain)), best] <= 1e-12] = np.nan
    reached[reached > ratios[-1]] = np.inf
    return reached


def exchange_rate(n_real: Array, real: Array, n: float, ratio: float, reached: Array) -> Exchange:
    """The real images that a synthetic one is worth: (m - n) / (n ratio), where m real ones would be as accurate.

    The real curve is made monotone and is linear in the logarithm of the number of images between its points.

    Args:
        n_real: P numbers of real images a class, ascending.
        real: The accuracy of real images alone at each, (1 + draws, P).
        n: The real images a class that the synthetic ones are added to.
        ratio: How many synthetic images there are to each.
        reached: The accuracy with them, (1 + draws,).
    """
    curve = isotonic(real)
    same = np.array([_inverse(np.log(n_real), row, value) for row, value in zip(curve, reached, strict=True)])
    rates = (np.exp(same) - n) / (n * ratio)
    rates[np.isneginf(same)] = -np.inf
    return Exchange(float(rates[0]), *interval(rates[1:]))


def isotonic(values: Array) -> Array:
    """The rising curve nearest to each row, (rows, P), by least squares."""
    from scipy.optimize import isotonic_regression

    return np.array([isotonic_regression(row).x for row in values])


def _inverse(places: Array, curve: Array, value: float) -> float:
    """The place at which a rising curve has a value; infinite beyond its ends."""
    if value < curve[0]:
        return -np.inf
    if value > curve[-1]:
        return np.inf
    return float(np.interp(value, curve + 1e-12 * np.arange(len(curve)), places))
