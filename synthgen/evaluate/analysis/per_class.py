"""What each classifier does as a test for a class: discrimination, an operating point, calibration, and for whom.

All of it is described and not tested, with the intervals of one comparison each: what a report claims is its primary
family's alone (:mod:`~synthgen.evaluate.analysis.families`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthgen.evaluate.analysis import metrics, statistics, weighted
from synthgen.evaluate.analysis.comparison import ALL, GAP, REAL
from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.predictions import ArmKey, Predictions
from synthgen.evaluate.analysis.statistics import Estimate, Part, Resampling
from synthgen.plan.manifest.evaluate import Strategy, Target

DRAWS = 500  # of test images and seeds: a standard error is known to 3 % by them
FEWEST = 10  # images of a class, and of others, below which a group of skin tones has no figure of it
KNOWN = 0.9  # of the draws: where a figure is defined in fewer, it has no interval
EVERY = "all classes"
SPECIFICITY = 0.9  # where a study names no target
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of a decision curve
BINS = 10

Array = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ClassFigure:
    """One figure of one arm.

    Attributes:
        arm: The arm.
        of: The class that is told from all others, the name of the study's target, or all classes.
        metric: ``auroc``, ``average_precision``, ``sensitivity`` and ``specificity`` at the threshold that validation
            chose, ``brier``, ``calibration_intercept``, ``calibration_slope``, or ``net_benefit`` at a threshold.
        subset: ``all`` test images, a group of skin tones, or the gap: light less dark.
        threshold: Of ``net_benefit``; NaN elsewhere.
        positives: Test images of the class in the subset; of a gap in the smaller of both.
        negatives: The others.
        value: The figure.
        difference: It less that of ``real`` of the same size; ``None`` for ``real`` itself, or without it.
    """

    arm: ArmKey
    of: str
    metric: str
    subset: str
    threshold: float
    positives: int
    negatives: int
    value: Estimate
    difference: Estimate | None


@dataclass(frozen=True, slots=True)
class Bin:
    """The trials' predictions of one arm between two probabilities: their mean, what share was so, and how many."""

    arm: ArmKey
    of: str
    low: float
    high: float
    predicted: float
    observed: float
    count: int


@dataclass(frozen=True)
class _Question:
    """A class, or several, told from all others, of the R trials that are shown.

    Attributes:
        name: The class, or the name of the study's target.
        scores: The probability that each trial gives each test image, (R, N).
        positive: Whether it is so, (N,).
        thresholds: What validation chose for each trial, (R,); NaN where it could not.
    """

    name: str
    scores: NDArray[np.float32]
    positive: Marks
    thresholds: Array


@dataclass(frozen=True)
class _Where:
    """Of which class and on which test images figures are, under which draws, and how many of the class and not."""

    of: str
    subset: str
    drawn: Resampling
    counts: tuple[int, int]


class PerClass:
    """The figures of the arms that pictures show, most real images and the greatest ratio, as tests for each class.

    Args:
        analysis: The study's.
        validation: The predictions of the same trials for the validation images; ``None`` where none were kept, and
            then nothing is said at an operating point.
    """

    def __init__(self, analysis: Analysis, validation: Predictions | None = None) -> None:
        known = self.predictions = analysis.predictions
        self.arms = analysis.plotted
        self.target = Target.model_validate(dict(known.study.target)) if known.study.target else None
        self.specificity = self.target.specificity if self.target else SPECIFICITY
        self.validation = validation if validation and validation.trials == known.trials else None
        self._analysis = analysis
        self._drawn = replace(analysis.drawn, images=analysis.drawn.images[: DRAWS + 1])
        self._rows = [row for arm in self.arms for row in known.arms[arm].values()]
        self._subsets: Mapping[str, Marks] = {ALL: np.ones(len(known.images), bool), **analysis.tone_groups}

    @cached_property
    def figures(self) -> tuple[ClassFigure, ...]:
        """Every figure: of all classes together, then of the target, then of each class."""
        return (*self._of_all(), *(figure for question in self._questions for figure in self._of(question)))

    @cached_property
    def left_out(self) -> int:
        """How many pairs of a class and a group of skin tones have no figure, since they have too few images."""
        groups = [members for name, members in self._subsets.items() if name != ALL]
        return sum(min(_sides(one, members)) < FEWEST for one in self._questions for members in groups)

    @cached_property
    def reliability(self) -> tuple[Bin, ...]:
        """Predicted and observed shares by tenths of the predictions: of the most probable class, and of the target."""
        probabilities, labels = self.predictions.probabilities, self.predictions.labels
        found: list[Bin] = []
        for arm in self.arms:
            rows = [*self.predictions.arms[arm].values()]
            chosen = probabilities[rows]
            found += _bins(arm, EVERY, chosen.max(-1), chosen.argmax(-1) == labels)
            if self.target:
                asked = self._questions[0]
                said = asked.scores[[self._rows.index(row) for row in rows]]
                found += _bins(arm, asked.name, said, np.broadcast_to(asked.positive, said.shape))
        return tuple(found)

    @cached_property
    def _questions(self) -> tuple[_Question, ...]:
        """The target, if there is one, and each class."""
        labels, held = self.predictions.study.labels, self.validation
        named = [(label, [place]) for place, label in enumerate(labels)]
        if self.target:
            named.insert(0, (self.target.name, [labels.index(one) for one in self.target.labels if one in labels]))
        found = []
        for name, places in named:
            thresholds = np.full(len(self._rows), np.nan)
            if held is not None:
                tuned = held.probabilities[self._rows][..., places].sum(-1)
                thresholds = weighted.threshold_of(tuned, np.isin(held.labels, places), self.specificity)
            scores = self.predictions.probabilities[self._rows][..., places].sum(-1)
            found.append(_Question(name, scores, np.isin(self.predictions.labels, places), thresholds))
        return tuple(found)

    def _of_all(self) -> Iterator[ClassFigure]:
        """The figures of all classes together: the mean area over classes, Brier's score, and calibration."""
        probabilities, labels = self.predictions.probabilities[self._rows], self.predictions.labels
        for subset, members in self._subsets.items():
            drawn = self._drawn.among(members)
            where = _Where(EVERY, subset, drawn, (int(members.sum()), 0))
            classes = [one for one in self._questions if not (self.target and one.name == self.target.name)]
            several = [one for one in classes if min(_sides(one, members)) >= FEWEST]
            for metric, function in (("auroc", weighted.auroc), ("average_precision", weighted.average_precision)):
                areas = [function(drawn.images, one.scores[:, members], one.positive[members]) for one in several]
                if areas:
                    yield from self._told(where, metric, np.mean(areas, 0))
            scores = weighted.brier_of_classes(drawn.images, probabilities[:, members], labels[members])
            yield from self._told(where, "brier", scores)
        right = probabilities.argmax(-1) == labels
        fits = [
            weighted.recalibration(self._drawn.images, one[None], so)
            for one, so in zip(probabilities.max(-1), right, strict=True)
        ]
        for place, metric in enumerate(("calibration_intercept", "calibration_slope")):
            scores = np.concatenate([one[place] for one in fits], 1)
            yield from self._told(_Where(EVERY, ALL, self._drawn, (len(labels), 0)), metric, scores)

    def _of(self, asked: _Question) -> Iterator[ClassFigure]:
        """The figures of one class, on all test images and on each group of skin tones with enough of them."""
        for subset, members in self._subsets.items():
            counts = _sides(asked, members)
            if min(counts) < (1 if subset == ALL else FEWEST):
                continue
            drawn, scores, so = self._drawn.among(members), asked.scores[:, members], asked.positive[members]
            where = _Where(asked.name, subset, drawn, counts)
            yield from self._told(where, "auroc", weighted.auroc(drawn.images, scores, so))
            yield from self._told(where, "average_precision", weighted.average_precision(drawn.images, scores, so))
            for metric, values in self._at_threshold(asked, members).items():
                yield from self._told(replace(where, drawn=self._drawn), metric, values, parts=[(values, members)])
        yield from self._odds(asked)
        if self.target and asked.name == self.target.name:
            yield from self._of_target(asked)

    def _at_threshold(self, asked: _Question, members: Marks) -> Mapping[str, Array]:
        """Sensitivity and specificity at the threshold that validation chose; nothing without one."""
        if np.isnan(asked.thresholds).any():
            return {}
        images, scores = self._drawn.images, asked.scores
        taken = weighted.share_taken(images, scores, asked.thresholds, members & asked.positive)
        wrongly = weighted.share_taken(images, scores, asked.thresholds, members & ~asked.positive)
        return {"sensitivity": taken, "specificity": 1 - wrongly}

    def _odds(self, asked: _Question) -> Iterator[ClassFigure]:
        """Equalised odds: sensitivity and specificity on light skin less those on dark (M. Hardt et al., 2016)."""
        if not {metrics.LIGHT, metrics.DARK} <= set(self._subsets):
            return
        ends = [self._subsets[name] for name in (metrics.LIGHT, metrics.DARK)]
        counts = min((_sides(asked, members) for members in ends), key=min)
        if min(counts) < FEWEST:
            return
        light, dark = (self._at_threshold(asked, members) for members in ends)
        where = _Where(asked.name, GAP, self._drawn, counts)
        for metric in light:
            parts = [(light[metric], ends[0]), (dark[metric], ends[1])]
            yield from self._told(where, metric, light[metric] - dark[metric], parts=parts)

    def _of_target(self, asked: _Question) -> Iterator[ClassFigure]:
        """The calibration of the target's probabilities, and the net benefit of acting on them."""
        images = self._drawn.images
        where = _Where(asked.name, ALL, self._drawn, _sides(asked, self._subsets[ALL]))
        intercept, slope = weighted.recalibration(images, asked.scores, asked.positive)
        named = {
            "brier": weighted.brier(images, asked.scores, asked.positive),
            "calibration_intercept": intercept,
            "calibration_slope": slope,
        }
        for metric, values in named.items():
            yield from self._told(where, metric, values)
        for threshold in THRESHOLDS:
            values = weighted.net_benefit(images, asked.scores, asked.positive, threshold)
            yield from self._told(where, "net_benefit", values, threshold=threshold)

    def _told(
        self,
        where: _Where,
        metric: str,
        scores: Array,
        *,
        parts: Sequence[tuple[Array, Marks]] = (),
        threshold: float = math.nan,
    ) -> Iterator[ClassFigure]:
        """A figure of each arm, and its paired difference from ``real``, of scores of the shown trials (1 + D, R)."""
        column = {row: place for place, row in enumerate(self._rows)}
        groups = np.asarray(self.predictions.groups)
        sizes = [len(set(groups[members])) for _, members in parts]

        def estimated(rows: Sequence[int], less: Sequence[int] = ()) -> Estimate:
            def of_rows(values: Array) -> Array:
                found = values[:, [column[row] for row in rows]]
                return found - values[:, [column[row] for row in less]] if less else found

            found = of_rows(scores)
            known = np.asarray(~np.isnan(found).any(1))
            if not known[0] or known.mean() < KNOWN:
                value, none = float(found[0].mean()), math.nan
                return Estimate(value, none, none, none, none, none, found.shape[1])
            split = [Part(of_rows(values), size) for (values, _), size in zip(parts, sizes, strict=True)]
            return self._analysis.with_seeds(statistics.estimate(found, where.drawn, parts=split))

        for arm in self.arms:
            rows, real = self.predictions.arms[arm], ArmKey(REAL, Strategy(), arm.n_real, 0)
            others, difference = self.predictions.arms.get(real, {}) if arm != real else {}, None
            shared = [seed for seed in rows if seed in others]
            if shared and real in self.arms:
                difference = estimated([rows[seed] for seed in shared], [others[seed] for seed in shared])
            value = estimated([*rows.values()])
            yield ClassFigure(arm, where.of, metric, where.subset, threshold, *where.counts, value, difference)


def treat_all(predictions: Predictions, target: Target, threshold: float) -> float:
    """The net benefit of acting on everyone, which a decision curve is held against; that of acting on none is 0."""
    places = [place for place, label in enumerate(predictions.study.labels) if label in target.labels]
    share = float(np.isin(predictions.labels, places).mean())
    return share - (1 - share) * threshold / (1 - threshold)


def _sides(asked: _Question, members: Marks) -> tuple[int, int]:
    """How many of some images are of a class, and how many are not."""
    return int((asked.positive & members).sum()), int((~asked.positive & members).sum())


def _bins(arm: ArmKey, of: str, predicted: NDArray[np.float32], so: Marks) -> Iterator[Bin]:
    """Tenths of the predictions of all seeds, as many in each; a probability that is in two is in the lower."""
    sure, right = predicted.ravel().astype(np.float64), np.asarray(so).ravel()
    ends = np.unique(np.quantile(sure, np.linspace(0, 1, BINS + 1)))
    place = np.clip(np.searchsorted(ends, sure, side="left") - 1, 0, max(len(ends) - 2, 0))
    for one in np.unique(place):
        inside = place == one
        low, high = float(ends[one]), float(ends[min(one + 1, len(ends) - 1)])
        yield Bin(arm, of, low, high, float(sure[inside].mean()), float(right[inside].mean()), int(inside.sum()))
