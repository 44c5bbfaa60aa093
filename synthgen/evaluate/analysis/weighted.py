"""Figures of a yes-or-no question under every draw of the test images: discrimination, calibration, net benefit.

Each is given draws (1 + D, N), how often each image is drawn, and scores or probabilities (S, N) of S trials, and
gives (1 + D, S). Not scikit-learn's: it takes one weighting and one classifier at a time, and a report asks for
thousands; tests hold each figure against it. A draw in which a figure is not defined has NaN.
"""

import numpy as np
from numpy.typing import NDArray

from synthgen.evaluate.analysis.statistics import accuracy

Array = NDArray[np.float64]
Floats = NDArray[np.float32] | Array
Marks = NDArray[np.bool_]

_PAIRS = 4_000_000  # pairs of a positive and a negative that are compared at a time
_STEPS, _CLOSE, _FARTHEST = 30, 1e-8, 50.0  # of Newton's method, and the slope beyond which it has none
_SURE = 1e-6  # probabilities are kept so far from 0 and 1 before their logits are taken


def auroc(drawn: Array, scores: Floats, positive: Marks) -> Array:
    """The area under the ROC curve, as the share of pairs that are in the right order, ties one half."""
    of_positive, of_negative = (drawn[:, marks].astype(np.float32) for marks in (positive, ~positive))
    pairs = of_positive.sum(1, dtype=float) * of_negative.sum(1, dtype=float)
    at_once = max(1, _PAIRS // max(int((~positive).sum()), 1))
    found = []
    for row in np.asarray(scores):
        high, low = row[positive], row[~positive]
        won = np.zeros(len(drawn))
        for start in range(0, len(high), at_once):
            part = slice(start, start + at_once)
            above = (high[part, None] > low).astype(np.float32) + np.float32(0.5) * (high[part, None] == low)
            won += ((of_positive[:, part] @ above) * of_negative).sum(1, dtype=float)
        found.append(_over(won, pairs))
    return np.stack(found, 1)


def average_precision(drawn: Array, scores: Floats, positive: Marks) -> Array:
    """The area under the precision-recall curve, as the mean precision over recalled positives (AUPRC)."""
    found = []
    for row in np.asarray(scores):
        order = np.argsort(-row, kind="stable")
        last = np.flatnonzero(np.append(np.diff(row[order]) != 0, [True]))  # of each run of equal scores
        weights = drawn[:, order]
        right = np.cumsum(weights * positive[order], 1)[:, last]
        taken = np.cumsum(weights, 1)[:, last]
        gained = np.diff(right, axis=1, prepend=0)
        precision = np.divide(right, taken, out=np.zeros_like(right), where=taken > 0)
        found.append(_over((gained * precision).sum(1), right[:, -1]))
    return np.stack(found, 1)


def share_taken(drawn: Array, scores: Floats, thresholds: Array, members: Marks) -> Array:
    """The share of some images whose score reaches the trial's threshold: of positives the sensitivity.

    Args:
        drawn: As above.
        scores: As above.
        thresholds: One a trial, (S,).
        members: The images, (N,).
    """
    taken = np.asarray(scores, np.float64)[:, members] >= thresholds[:, None]
    return accuracy(drawn[:, members], taken.astype(np.float64))


def threshold_of(scores: Floats, positive: Marks, specificity: float) -> Array:
    """The least threshold of each trial, (S,), that at least this share of negatives stays below; NaN without any."""
    negative = np.sort(np.asarray(scores, np.float64)[:, ~positive], 1)
    if not negative.shape[1]:
        return np.full(len(negative), np.nan)
    place = int(np.ceil(specificity * negative.shape[1] - 1e-9))
    return np.full(len(negative), -np.inf) if place == 0 else np.nextafter(negative[:, place - 1], np.inf)


def brier(drawn: Array, probabilities: Floats, outcome: Marks) -> Array:
    """The mean squared distance of probabilities from what was so (G. W. Brier, Mon Weather Rev 1950, 78:1)."""
    return accuracy(drawn, np.square(np.asarray(probabilities, np.float64) - outcome))


def brier_of_classes(drawn: Array, probabilities: Floats, labels: NDArray[np.int64]) -> Array:
    """Brier's score of all classes together, 0 to 2, of probabilities (S, N, K)."""
    true = np.eye(probabilities.shape[-1])[labels]
    return accuracy(drawn, np.square(np.asarray(probabilities, np.float64) - true).sum(-1))


def recalibration(drawn: Array, probabilities: Floats, outcome: Marks) -> tuple[Array, Array]:
    """The calibration intercept and slope of each trial, 0 and 1 where probabilities are right.

    The slope is that of a logistic regression of the outcome on the logit of the probability (D. R. Cox, Biometrika
    1958, 45:562), below 1 where they are too sure; the intercept is with that slope held at 1, calibration in the
    large, above 0 where they are too low (B. Van Calster et al., BMC Med 2019, 17:230).
    """
    found = [_fitted(drawn, _logits(row), outcome) for row in np.asarray(probabilities, np.float64)]
    return np.stack([one for one, _ in found], 1), np.stack([one for _, one in found], 1)


def net_benefit(drawn: Array, probabilities: Floats, outcome: Marks, threshold: float) -> Array:
    """True positives less false ones at the odds of the threshold, an image (A. J. Vickers and E. B. Elkin, 2006)."""
    taken = np.asarray(probabilities, np.float64) >= threshold
    worth = np.where(outcome, 1.0, -threshold / (1 - threshold))
    return accuracy(drawn, taken.astype(np.float64) * worth)


def _logits(probabilities: Array) -> Array:
    kept = np.clip(probabilities, _SURE, 1 - _SURE)
    return np.asarray(np.log(kept / (1 - kept)))


def _fitted(drawn: Array, logits: Array, outcome: Marks) -> tuple[Array, Array]:
    """The intercept at slope 1, and the slope, of one trial under each draw; Newton's method, all draws at once."""
    alone, _ = _newton(drawn, logits, outcome, sloped=False)
    _, slope = _newton(drawn, logits, outcome, sloped=True)
    return alone, slope


def _newton(drawn: Array, logits: Array, outcome: Marks, *, sloped: bool) -> tuple[Array, Array]:
    intercept, slope = np.zeros(len(drawn)), np.ones(len(drawn))
    moved = np.full(len(drawn), np.inf)
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-(intercept[:, None] + slope[:, None] * logits)))
        missed, spread = drawn * (outcome - expected), drawn * expected * (1 - expected)
        up, along = missed.sum(1), missed @ logits
        one, cross, two = spread.sum(1), spread @ logits, spread @ np.square(logits)
        if sloped:
            whole = one * two - cross**2
            steps = _over(two * up - cross * along, whole), _over(one * along - cross * up, whole)
        else:
            steps = _over(up, one), np.zeros(len(drawn))
        first, second = (np.clip(step, -2, 2) for step in steps)
        intercept, slope, moved = intercept + first, slope + second, np.abs(first) + np.abs(second)
        if not (moved > _CLOSE).any():
            break
    there = (moved <= 1e-4) & (np.abs(slope) < _FARTHEST) & (np.abs(intercept) < _FARTHEST)
    return np.where(there, intercept, np.nan), np.where(there, slope, np.nan)


def _over(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.abs(whole) > 1e-12))
