"""The figures of a classifier on a test set: pure functions of labels and probabilities.

Written by hand rather than taken from scikit-learn, which nothing else here needs at run time; tests hold every figure
against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgen.plan import skin_tones

LIGHT, DARK = "light", "dark"


def members_by_group(scale: str, tones: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """The members of each tone group among N images, light first; only groups that have any; none without a scale."""
    groups = {name: np.isin(tones, values) for name, values in skin_tones.GROUPS.get(scale, {}).items()}
    return {name: members for name, members in groups.items() if members.any()}


def members_by_tone(scale: str, tones: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """The members of each tone of the scale among N images, in its order, ``unknown`` last; only tones with any."""
    if scale not in skin_tones.NAMES:
        return {}
    order = [*skin_tones.NAMES[scale], 0]
    masks = {skin_tones.name(scale, value): np.asarray(tones == value) for value in order}
    return {name: members for name, members in masks.items() if members.any()}


def tones_of_group(scale: str, group: str) -> str:
    """The tones of a group as the scale writes them: ``I-II``; empty where the scale has no such group."""
    values = skin_tones.GROUPS.get(scale, {}).get(group, ())
    names = [skin_tones.name(scale, value) for value in values]
    return names[0] if len(names) == 1 else "-".join((names[0], names[-1])) if names else ""


ECE_BINS = 15  # as Guo et al. 2017 have them

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of one trial on one set of test images; a figure that can't be had is NaN.

    Attributes:
        n: How many images.
        top1: Share whose most probable class is the true one.
        top3: Share whose true class is among the three most probable.
        balanced_accuracy: The mean recall of the classes that occur.
        macro_f1: The mean F1 of the classes that occur or are predicted.
        macro_auroc: The mean one-against-rest area under the ROC curve, of the classes that occur.
        ece: The expected calibration error of the most probable class, over 15 bins of equal width.
    """

    n: int
    top1: float
    top3: float
    balanced_accuracy: float
    macro_f1: float
    macro_auroc: float
    ece: float


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The figures of one class: its n, precision, recall, F1 and area under the ROC curve; NaN where there is none."""

    n: int
    precision: float
    recall: float
    f1: float
    auroc: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """All that one trial shows.

    Attributes:
        overall: Of all test images.
        by_class: By column of the probabilities.
        by_tone: By skin tone as the scale writes it; empty without skin tones.
        by_group: By tone group: light, medium, dark.
        worst_group: The tone group of the lowest top-1; empty without skin tones.
        gap: The top-1 of the light group less that of the dark; NaN where one of them has no image.
    """

    overall: Scores
    by_class: tuple[ClassScores, ...]
    by_tone: Mapping[str, Scores]
    by_group: Mapping[str, Scores]
    worst_group: str
    gap: float


def metrics(labels: Labels, probabilities: Probabilities, tones: Labels, scale: str = "") -> Metrics:
    """All figures of one trial.

    Args:
        labels: The true classes, (N,).
        probabilities: (N, K).
        tones: (N,); 0 is unknown.
        scale: The tones' scale; empty for none.
    """

    def scored(members: NDArray[np.bool_]) -> Scores:
        return score(labels[members], probabilities[members])

    by_tone = {name: scored(members) for name, members in members_by_tone(scale, tones).items()}
    by_group = {name: scored(members) for name, members in members_by_group(scale, tones).items()}
    worst = min(by_group, key=lambda name: by_group[name].top1, default="")
    ends = [by_group[name].top1 if name in by_group else np.nan for name in (LIGHT, DARK)]
    return Metrics(
        score(labels, probabilities), per_class(labels, probabilities), by_tone, by_group, worst, ends[0] - ends[1]
    )


def score(labels: Labels, probabilities: Probabilities) -> Scores:
    """The figures of one set of N images, of labels (N,) and probabilities (N, K); all NaN where N is 0."""
    if not len(labels):
        return Scores(0, *[float("nan")] * 6)
    counts = confusion(labels, probabilities)
    hits, occurs = np.diag(counts), counts.sum(1) > 0
    either = occurs | (counts.sum(0) > 0)
    f1 = 2 * hits[either] / (counts.sum(0) + counts.sum(1))[either]
    return Scores(
        len(labels),
        float(top_k(labels, probabilities, 1).mean()),
        float(top_k(labels, probabilities, 3).mean()),
        float((hits[occurs] / counts.sum(1)[occurs]).mean()),
        float(f1.mean()),
        _mean(auroc(labels, probabilities)),
        expected_calibration_error(labels, probabilities),
    )


def per_class(labels: Labels, probabilities: Probabilities) -> tuple[ClassScores, ...]:
    """The figures of each of K classes."""
    counts, areas = confusion(labels, probabilities), auroc(labels, probabilities)
    rows = zip(np.diag(counts), counts.sum(0), counts.sum(1), areas, strict=True)
    return tuple(
        ClassScores(int(n), _share(hits, predicted), _share(hits, n), _share(2 * hits, n + predicted), float(area))
        for hits, predicted, n, area in rows
    )


def confusion(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """The number of images of each class (rows) that were taken for each class (columns): (K, K)."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def top_k(labels: Labels, probabilities: Probabilities, k: int) -> NDArray[np.bool_]:
    """Whether the true class is among the k most probable, (..., N) of (..., N, K); the first of equals ranks first."""
    true = np.take_along_axis(probabilities, np.broadcast_to(labels, probabilities.shape[:-1])[..., None], -1)
    earlier = np.arange(probabilities.shape[-1]) < labels[:, None]
    ahead = (probabilities > true) | ((probabilities == true) & earlier)
    return np.asarray(ahead.sum(-1) < k)


def auroc(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """The area under each class's one-against-rest ROC curve, (K,), as Mann and Whitney's U; NaN without both sides."""
    from scipy.stats import rankdata

    positive = labels[:, None] == np.arange(probabilities.shape[1])
    n_positive = positive.sum(0)
    pairs = n_positive * (len(labels) - n_positive)
    u = (rankdata(probabilities, axis=0) * positive).sum(0) - n_positive * (n_positive + 1) / 2
    return np.where(pairs > 0, u / np.maximum(pairs, 1), np.nan)


def expected_calibration_error(labels: Labels, probabilities: Probabilities, bins: int = ECE_BINS) -> float:
    """The mean distance of confidence from accuracy, by bins of confidence (Guo et al., ICML 2017, equation 3)."""
    confidence = probabilities.max(1).astype(np.float64)
    surplus = confidence - (probabilities.argmax(1) == labels)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(place, surplus, bins)).sum() / len(labels))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
