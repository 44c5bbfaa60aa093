"""The ratio at which a gain saturates, and the real images that a synthetic one is worth, off dose-response curves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgen.evaluate.analysis.statistics import interval

SHARE = 0.9  # of the greatest gain

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Saturation:
    """The synthetic:real ratio that reaches 90 % of the greatest gain on the curve.

    Attributes:
        ratio: It; NaN where no ratio gains anything.
        low: Where its 95 % interval begins, of the draws that gain anything.
        high: Where it ends.
        with_gain: The share of draws that gain anything.
        still_rising: Whether the greatest gain is that of the greatest ratio, so that a greater one may gain more.
    """

    ratio: float
    low: float
    high: float
    with_gain: float
    still_rising: bool


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
    """The ratio at which a dose-response curve saturates.

    Args:
        ratios: P of them above 0, ascending.
        gains: The gain over real images alone at each, (1 + draws, P); the first row is what was observed.
    """
    places = np.log1p(np.concatenate([[0.0], ratios]))
    curve = np.hstack([np.zeros((len(gains), 1)), gains])
    reached = np.expm1(_first_crossing(places, curve, SHARE * curve.max(1)))
    reached[curve.max(1) <= 0] = np.nan
    known = reached[1:][~np.isnan(reached[1:])]
    low, high = interval(known) if known.size else (np.nan, np.nan)
    rising = bool(curve[0].argmax() == len(ratios))
    return Saturation(float(reached[0]), low, high, known.size / max(len(gains) - 1, 1), rising)


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


def _first_crossing(places: Array, curve: Array, height: Array) -> Array:
    """The place at which each row of ``curve`` first reaches its height, on straight lines between places."""
    at = (curve >= height[:, None]).argmax(1)
    before, rows = np.maximum(at - 1, 0), np.arange(len(curve))
    low, high = curve[rows, before], curve[rows, at]
    part = np.divide(height - low, high - low, out=np.ones_like(height), where=high > low)
    return np.asarray(places[before] + part * (places[at] - places[before]))


def _inverse(places: Array, curve: Array, value: float) -> float:
    """The place at which a rising curve has a value; infinite beyond its ends."""
    if value < curve[0]:
        return -np.inf
    if value > curve[-1]:
        return np.inf
    return float(np.interp(value, curve + 1e-12 * np.arange(len(curve)), places))
