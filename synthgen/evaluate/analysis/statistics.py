"""Intervals and p values of a study: test images and seeds resampled, paired differences, and Holm's correction.

Seeds and test images are crossed random effects: every seed is judged on every image. Both are resampled (the
two-way bootstrap of A. B. Owen, Annals of Applied Statistics 2007, 1:386), by the same draws for every trial of a
study, so that arms stay paired. That bootstrap counts what seeds and images do together three times, and its seeds
vary by (S - 1) / S of what seeds do; both are put right in the variance, and with few seeds the normal quantile gives
way to Student's t at F. E. Satterthwaite's degrees of freedom (Biometrics Bulletin 1946, 2:110), as in studies of
many readers and many cases (S. L. Hillis, Statistics in Medicine 2007, 26:596).

Written by hand, because `scipy.stats.bootstrap` resamples one way and one figure at a time, and statsmodels, which has
Holm's correction, is a large package for its seven lines; tests hold these against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from synthgen.plan.manifest.primary import Hypothesis

DRAWS = 2000
LEVEL = 0.95
POWER = 0.8  # that sample sizes are planned for

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resampling:
    """Draws of test images and of seeds; the first row of each is what was observed.

    Attributes:
        images: How often each of N images is drawn, (1 + draws, N); groups are drawn as wholes.
        group_of: The number of the group that each image is in, (N,).
        seed: Decides the draws.
    """

    images: Array
    group_of: NDArray[np.int64]
    seed: int

    @property
    def groups(self) -> int:
        """How many groups the images are in."""
        return len(np.unique(self.group_of))

    def among(self, members: NDArray[np.bool_]) -> Self:
        """The same draws of some of the images, (N,), with the groups that these are in."""
        return replace(self, images=self.images[:, members], group_of=self.group_of[members])

    def seeds(self, count: int) -> Array:
        """The share of each of ``count`` seeds in each draw, (1 + draws, count)."""
        return _seed_shares(self.seed, count, len(self.images) - 1)


@lru_cache(maxsize=64)  # every comparison of a study asks for the same
def _seed_shares(seed: int, count: int, draws: int) -> Array:
    drawn = np.random.default_rng([seed, count]).multinomial(count, np.full(count, 1 / count), draws)
    shares: Array = np.vstack([np.ones(count), drawn]) / count
    shares.setflags(write=False)
    return shares


def resampling(groups: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Resampling:
    """Draw test images ``draws`` times, whole groups with replacement; ``groups`` names the group of each image."""
    names, place = np.unique(np.asarray(groups), return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    return Resampling(np.vstack([np.ones(len(names)), drawn])[:, place], place, seed)


def accuracy(drawn: Array, hits: Array) -> Array:
    """The share of hits, (1 + draws, T), of drawn images (1 + draws, N) and hits (T, N); NaN where none is drawn."""
    return _ratio(drawn @ hits.T, drawn.sum(1)[:, None])


def balanced_accuracy(drawn: Array, predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> Array:
    """The mean recall of the classes drawn, (1 + draws, T), of classes predicted (T, N) and true (N,)."""
    total, classes = np.zeros((len(drawn), len(predicted))), np.zeros((len(drawn), 1))
    for label in np.unique(labels):
        members = labels == label
        recall = accuracy(drawn[:, members], (predicted[:, members] == label).astype(np.float64))
        total += np.nan_to_num(recall)
        classes += ~np.isnan(recall[:, :1])
    return _ratio(total, classes)


def macro_f1(drawn: Array, predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> Array:
    """The mean F1 of the classes drawn or predicted, (1 + draws, T), of classes predicted (T, N) and true (N,)."""
    total, classes = np.zeros((len(drawn), len(predicted))), np.zeros((len(drawn), len(predicted)))
    for label in np.union1d(labels, predicted):
        taken = (predicted == label).astype(np.float64)
        members = labels == label
        either = drawn @ taken.T + drawn[:, members].sum(1)[:, None]
        f1 = _ratio(2 * drawn[:, members] @ taken[:, members].T, either)
        total += np.nan_to_num(f1)
        classes += ~np.isnan(f1)
    return _ratio(total, classes)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: The figure on the test set, the mean over seeds.
        low: Where the 95 % interval begins; NaN where there is none.
        high: Where it ends.
        p: Two-sided, against a figure of 0; NaN where there is none.
        standard_error: Over seeds and test images; over images alone where there is one seed.
        degrees_of_freedom: Satterthwaite's.
        seeds: How many.
        fewest_freedom: Satterthwaite's where seeds vary as much as they well may (:func:`p_of` says what for); NaN
            where that is :attr:`degrees_of_freedom`.
    """

    value: float
    low: float
    high: float
    p: float
    standard_error: float
    degrees_of_freedom: float
    seeds: int
    fewest_freedom: float = np.nan

    @property
    def cautious_freedom(self) -> float:
        """The degrees of freedom that a p value is safe with far out in its tail."""
        return self.degrees_of_freedom if np.isnan(self.fewest_freedom) else self.fewest_freedom


class Part(NamedTuple):
    """What a figure is the sum or difference of: the figure of one set of test images.

    Attributes:
        scores: It, of each seed under each draw of the images, (1 + draws, S).
        groups: How many groups its images are in.
    """

    scores: Array
    groups: int


def estimate(scores: Array, drawn: Resampling, level: float = LEVEL, parts: Sequence[Part] = ()) -> Estimate:
    """A figure over seeds and test images.

    Args:
        scores: The figure of each seed under each draw of the images, (1 + draws, S); or a difference of two such.
        drawn: The draws.
        level: Of the interval.
        parts: The sets of images that the figure is of, no image in two, where it is not of all that are drawn: their
            own numbers of groups decide the degrees of freedom, as in B. L. Welch's test (Biometrika 1947, 34:28).
    """
    from scipy.special import stdtr, stdtrit

    seeds, value = scores.shape[1], float(scores[0].mean())
    value = value if abs(value) > 1e-12 else 0.0  # sums of equal parts differ in their last bits
    error, freedom, fewest = _standard_error(scores, value, drawn, parts or [Part(scores, drawn.groups)])
    if not np.isfinite(error) or not np.isfinite(value):
        return Estimate(value, np.nan, np.nan, np.nan, np.nan, np.nan, seeds)
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(value) / error)) if error else 1.0
    return Estimate(value, value - half, value + half, p, error, freedom, seeds, fewest)


def compare(a: Array, b: Array, drawn: Resampling, level: float = LEVEL, parts: Sequence[Part] = ()) -> Estimate:
    """The paired difference a - b, of two arms' scores (1 + draws, S) for the same seeds under the same draws."""
    return estimate(a - b, drawn, level, parts)


def p_of(known: Estimate, hypothesis: Hypothesis, margin: float = np.nan) -> float:
    """The p value of what is to be shown of a difference, for a family to be corrected; NaN where there is none.

    Corrected p values are read far out in their tail. There Satterthwaite's degrees of freedom, which are too many
    where few seeds happen to differ little, give p values several times too small: with three seeds that matter most,
    and eight comparisons, one family in five claims a difference that is none. So the degrees of freedom are those of
    seeds that vary as much as the 95 % bound of their variance says.

    Non-inferiority to a margin, that the difference is above -margin, is tested on one side at 2.5 %; equivalence,
    that it is within the margin on either side, by two such tests (TOST; D. J. Schuirmann, J Pharmacokinet Biopharm
    1987, 15:657). Their one-sided p is doubled, so that 5 % is the level of all three, and each is shown where the
    95 % interval shows it.

    Args:
        known: The difference.
        hypothesis: What is to be shown.
        margin: Of non-inferiority or equivalence.
    """
    from scipy.special import stdtr

    if np.isnan(known.p) or (hypothesis == "difference" and not known.standard_error):
        return known.p
    if hypothesis == "difference":
        return 2 * float(stdtr(known.cautious_freedom, -abs(known.value) / known.standard_error))
    distances = [known.value + margin] + ([margin - known.value] if hypothesis == "equivalence" else [])
    nearest = min(distances)
    if not known.standard_error:
        return 0.0 if nearest > 0 else 1.0
    return min(1.0, 2 * float(stdtr(known.cautious_freedom, -nearest / known.standard_error)))


def smallest_detectable(known: Estimate, tests: int = 1, power: float = POWER) -> float:
    """The smallest true difference that is found with this power, of so many tests corrected; NaN where unknown.

    It follows from the standard error alone, not from the difference that was seen: (t_(1 - a/2m) + t_power) times
    the standard error, as in J. M. Bland, An Introduction to Medical Statistics (2015), chapter 18.

    Args:
        known: A difference.
        tests: Among how many it is corrected, by the first step of Holm's method; 1 for none.
        power: In how many of all studies it is found.
    """
    from scipy.special import stdtrit

    if np.isnan(known.standard_error):
        return float("nan")
    ends = (1 - (1 - LEVEL) / (2 * max(tests, 1)), power)
    return float(sum(stdtrit(known.cautious_freedom, end) for end in ends)) * known.standard_error


def planned(of_groups: float, of_seeds: float, seeds: int, groups: Sequence[int]) -> Estimate:
    """What :func:`estimate` would know of a difference of zero, from standard deviations that are assumed.

    Args:
        of_groups: Between the groups of test images, of the difference averaged over seeds.
        of_seeds: Between seeds, of the difference over all images.
        seeds: How many, two at least.
        groups: How many groups each set of images is in that the figure is of, two at least in each.
    """
    from scipy.special import chdtri

    seeded, parts = of_seeds**2 / seeds, [of_groups**2 / count for count in groups]
    of_freedom = sum(part**2 / (count - 1) for part, count in zip(parts, groups, strict=True))
    at_most = seeded * (seeds - 1) / float(chdtri(seeds - 1, LEVEL))
    freedom, cautious = ((one + sum(parts)) ** 2 / (one**2 / (seeds - 1) + of_freedom) for one in (seeded, at_most))
    error = float(np.sqrt(seeded + sum(parts)))
    return Estimate(0.0, np.nan, np.nan, np.nan, error, freedom, seeds, min(freedom, cautious))


def spread(scores: Array, drawn: Resampling) -> Array:
    """Draws of a figure for what is not a plain mean, (1 + draws,): what seeds and images do apart, added up.

    What seeds do is widened to what few of them can tell (Student's t); the first is the figure itself.
    """
    from scipy.special import ndtri, stdtrit

    seeds, value = scores.shape[1], scores[0].mean()
    of_images = scores.mean(1) - value
    if seeds == 1:
        return np.asarray(value + of_images)
    wider = np.sqrt(seeds / (seeds - 1)) * stdtrit(seeds - 1, (1 + LEVEL) / 2) / ndtri((1 + LEVEL) / 2)
    return np.asarray(value + wider * (drawn.seeds(seeds) @ scores[0] - value) + of_images)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values of one family (S. Holm, Scand J Statist 1979, 6:65); a NaN stays one and does not count."""
    values = np.asarray(p, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    values[order] = np.minimum(np.maximum.accumulate(steps * values[order]), 1)
    return [float(value) for value in values]


def interval(draws: Array, level: float = LEVEL) -> tuple[float, float]:
    """The middle ``level`` of draws that may be infinite."""
    ends = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(ends[0]), float(ends[1])


def _standard_error(
    scores: Array, value: float, drawn: Resampling, parts: Sequence[Part]
) -> tuple[float, float, float]:
    """The standard error, its degrees of freedom and the cautious ones; NaN where a part has fewer than two groups."""
    from scipy.special import chdtri

    fewest = min(part.groups for part in parts)
    if fewest < 2:
        return np.nan, np.nan, np.nan
    seeds = scores.shape[1]
    weights = drawn.seeds(seeds)
    known = ~np.isnan(scores).any(1)
    of_seeds = (weights @ scores[0] - value)[known]
    of_images = scores.mean(1)[known] - value
    together = (weights * scores).sum(1)[known] - value - of_seeds - of_images
    images, of_freedom = _of_images(of_images, parts)
    if seeds == 1:
        return _at_least(images, value, fewest), images**2 / of_freedom if of_freedom else float(fewest - 1), np.nan
    few = seeds / (seeds - 1)
    seeded = float(of_seeds.var()) * few
    total = max(seeded, images, seeded + images - together.var() * few)
    at_most = seeded * (seeds - 1) / float(chdtri(seeds - 1, LEVEL))  # where the interval of what seeds do ends
    least = min(seeds, fewest) - 1
    freedom, cautious = (
        float(max(whole**2 / (part**2 / (seeds - 1) + of_freedom), least)) if whole else np.inf
        for whole, part in ((total, seeded), (at_most + images, at_most))
    )
    return _at_least(total, value, fewest), freedom, min(freedom, cautious)


def _of_images(together: Array, parts: Sequence[Part]) -> tuple[float, float]:
    """The variance that test images bring, and the share of the squared variances in Satterthwaite's denominator.

    Each part's variance is too small by (G - 1) / G of its G groups, and is known to G - 1 degrees of freedom.
    """
    raw = [float(np.nanvar(part.scores.mean(1))) for part in parts]
    put_right = [known * part.groups / (part.groups - 1) for known, part in zip(raw, parts, strict=True)]
    scale = float(together.var()) / sum(raw) if sum(raw) else 1.0
    freedom = sum((scale * known) ** 2 / (part.groups - 1) for known, part in zip(put_right, parts, strict=True))
    return scale * sum(put_right), freedom


def _at_least(variance: float, value: float, groups: int) -> float:
    """The standard error; where every image says the same, as if that were one chance in the number of groups."""
    return float(np.sqrt(variance)) if variance > 1e-18 else abs(float(value)) / float(np.sqrt(groups))


def _ratio(part: Array, whole: Array) -> Array:
    unknown = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.asarray(np.divide(part, whole, out=unknown, where=whole > 0))
