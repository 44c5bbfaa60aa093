"""The report's CSV files: a row a trial, a trial and skin tone, a trial and class, a comparison; and of each plot."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields

from synthgen.evaluate.analysis.comparisons import Analysis, Comparison
from synthgen.evaluate.analysis.metrics import ClassScores, Metrics, Scores, metrics
from synthgen.evaluate.analysis.per_class import PerClass
from synthgen.evaluate.analysis.predictions import Predictions, TrainedTrial
from synthgen.evaluate.report import class_tables

_FIGURES = tuple(one.name for one in fields(Scores) if one.name != "n")
_TRIAL = ("arm", "strategy", "n_real", "ratio", "seed")
_RESULTS = (*_TRIAL, "optimizer_steps", "n_train", *_FIGURES, "worst_group", "worst_group_top1", "light_dark_gap")
_COMPARED = ("arm", "strategy", "n_real", "ratio", "against", "against_strategy", "against_ratio")
_ESTIMATED = (
    "metric", "subset", "mean", "mean_against", "difference", "low", "high", "standard_error", "degrees_of_freedom",
    "seeds", "p",
)  # fmt: skip
_TESTED = ("p_holm", "family", "primary", "hypothesis", "p_hypothesis", "p_report", "smallest_detectable")


def score_trials(predictions: Predictions) -> tuple[Metrics, ...]:
    """The figures of every trial, in the order of the trials."""
    known = predictions
    return tuple(metrics(known.labels, one, known.tones, known.study.scale) for one in known.probabilities)


def csv_contents(analysis: Analysis, scored: Sequence[Metrics], per_class: PerClass) -> dict[str, bytes]:
    """The bytes of every CSV file by name, of the trials' figures, the comparisons, and the arms as tests."""
    trials, labels = analysis.predictions.trials, analysis.predictions.study.labels
    return {
        "results.csv": csv_text(_RESULTS, map(_result, trials, scored)),
        "by_skin_tone.csv": csv_text((*_TRIAL, "skin_tone", "n", *_FIGURES), _by_tone(trials, scored)),
        "by_label.csv": csv_text(
            (*_TRIAL, "label", *(one.name for one in fields(ClassScores))), _by_class(trials, scored, labels)
        ),
        "comparisons.csv": csv_text((*_COMPARED, *_ESTIMATED, *_TESTED), map(_compared, analysis.comparisons)),
        "class_figures.csv": csv_text(class_tables.FIGURES_HEADER, class_tables.figure_rows(per_class)),
        "reliability.csv": csv_text(class_tables.RELIABILITY_HEADER, class_tables.reliability_rows(per_class)),
    }


def _result(trial: TrainedTrial, scored: Metrics) -> list[object]:
    worst = scored.by_group[scored.worst_group].top1 if scored.worst_group else float("nan")
    steps = [trial.optimizer_steps, trial.n_train]
    return [*_head(trial), *steps, *_figures(scored.overall), scored.worst_group, worst, scored.gap]


def _by_tone(trials: Sequence[TrainedTrial], scored: Sequence[Metrics]) -> Iterator[list[object]]:
    for trial, one in zip(trials, scored, strict=True):
        for name, figures in {**one.by_tone, **one.by_group}.items():
            yield [*_head(trial), name, figures.n, *_figures(figures)]


def _by_class(
    trials: Sequence[TrainedTrial], scored: Sequence[Metrics], labels: Sequence[str]
) -> Iterator[list[object]]:
    for trial, one in zip(trials, scored, strict=True):
        for label, figures in zip(labels, one.by_class, strict=True):
            yield [*_head(trial), label, *asdict(figures).values()]


def _compared(one: Comparison) -> list[object]:
    known, arm, against = one.difference, one.arm, one.against
    named = [arm.name, arm.strategy, arm.n_real, arm.ratio, against.name, against.strategy, against.ratio]
    of_seeds = [known.standard_error, known.degrees_of_freedom, known.seeds]
    difference = [known.value, known.low, known.high, *of_seeds, known.p]
    tested = [one.p_holm, one.family, "yes" if one.primary else "no", one.hypothesis, one.p_hypothesis, one.p_report]
    tested.append(one.smallest_detectable)
    return [*named, one.metric, one.subset, one.mean, one.mean_against, *difference, *tested]


def _head(trial: TrainedTrial) -> list[object]:
    return [getattr(trial, name) for name in _TRIAL]


def _figures(scores: Scores) -> list[object]:
    return [getattr(scores, name) for name in _FIGURES]


def csv_text(header: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """RFC 4180 with plain newlines; six digits, and an empty field for what can't be had."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _field(value: object) -> object:
    if not isinstance(value, float):
        return value
    return "" if value != value else f"{value:.6g}"  # noqa: PLR0124 - NaN is not itself
