"""Each arm as a test for each class: figures of the predictions, thresholds of validation, pairs with real images."""

import dataclasses
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from synthgen.evaluate.analysis import weighted
from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.per_class import EVERY, ClassFigure, PerClass, treat_all
from synthgen.evaluate.analysis.predictions import ArmKey, Predictions
from synthgen.evaluate.report import class_tables
from synthgen.plan.manifest.evaluate import Strategy, Target

REAL, ADDED = ArmKey("real", Strategy(), 8, 0), ArmKey("real+synthetic", Strategy("text"), 8, 10)
CELLS = {REAL: 0.5, ADDED: 0.7}
TARGET = {"name": "inflammatory", "labels": ["eczema", "psoriasis"], "specificity": 0.8}


def study(simulated: ModuleType, images: int = 150, **about: Any) -> Predictions:
    """Predictions of two arms over three seeds."""
    found: Predictions = simulated.study(CELLS, seeds=3, images=images, about=about, seed=images)
    return found


@pytest.fixture(scope="module")
def shown(simulated: ModuleType) -> PerClass:
    """The figures of a study with a target and validation images."""
    validation = study(simulated, 90, target=TARGET)
    return PerClass(Analysis(study(simulated, target=TARGET), draws=200), validation)


def figure(known: PerClass, of: str, metric: str, subset: str = "all", arm: ArmKey = ADDED) -> ClassFigure:
    (found,) = [one for one in known.figures if (one.of, one.metric, one.subset, one.arm) == (of, metric, subset, arm)]
    return found


def test_areas_are_means_over_seeds_with_paired_differences(shown: PerClass) -> None:
    """Of a class, of the target, whose probability is the sum of its labels', and of all classes, their mean."""
    known = shown.predictions
    areas = {
        arm: [
            [roc_auc_score(known.labels == place, known.probabilities[row][:, place]) for place in range(3)]
            for row in rows.values()
        ]
        for arm, rows in known.arms.items()
    }
    for place, label in enumerate(known.study.labels):
        found = figure(shown, label, "auroc")
        assert found.value.value == pytest.approx(np.mean(areas[ADDED], 0)[place], abs=1e-6)
        assert found.difference is not None
        gain = np.mean(areas[ADDED], 0)[place] - np.mean(areas[REAL], 0)[place]
        assert found.difference.value == pytest.approx(gain, abs=1e-6)
        assert found.difference.low < found.difference.value < found.difference.high
        assert found.positives == (known.labels == place).sum()
    assert figure(shown, EVERY, "auroc").value.value == pytest.approx(np.mean(areas[ADDED]), abs=1e-6)
    either = known.probabilities[..., :2].sum(-1)
    of_target = [roc_auc_score(known.labels < 2, either[row]) for row in known.arms[REAL].values()]
    assert figure(shown, "inflammatory", "auroc", arm=REAL).value.value == pytest.approx(np.mean(of_target), abs=1e-6)
    assert figure(shown, "inflammatory", "auroc", arm=REAL).difference is None


def test_a_threshold_is_chosen_on_validation_alone(shown: PerClass) -> None:
    """Each trial's own, at the target's specificity; test images only say what it does there."""
    held, known = shown.validation, shown.predictions
    assert held is not None
    rows = [*known.arms[ADDED].values()]
    thresholds = weighted.threshold_of(held.probabilities[rows][..., :2].sum(-1), held.labels < 2, 0.8)
    taken = known.probabilities[rows][..., :2].sum(-1) >= thresholds[:, None]
    found = figure(shown, "inflammatory", "sensitivity").value.value
    assert found == pytest.approx(taken[:, known.labels < 2].mean())
    assert figure(shown, "inflammatory", "specificity").value.value == pytest.approx(
        1 - taken[:, known.labels == 2].mean()
    )


def test_equalised_odds_are_light_less_dark_at_one_threshold(shown: PerClass) -> None:
    """The gap is the difference of the figures of both groups, and keeps their thresholds."""
    for metric in ("sensitivity", "specificity"):
        ends = [figure(shown, "inflammatory", metric, skin).value.value for skin in ("light", "dark")]
        gap = figure(shown, "inflammatory", metric, "light-dark gap")
        assert gap.value.value == pytest.approx(ends[0] - ends[1])
        assert gap.value.low < gap.value.value < gap.value.high


def test_without_validation_no_operating_point_is_told(simulated: ModuleType) -> None:
    """A report of an earlier version kept none: areas and calibration are there, sensitivity is not, and it says so."""
    known = PerClass(Analysis(study(simulated), draws=100))
    assert {one.metric for one in known.figures} == {
        "auroc", "average_precision", "brier", "calibration_intercept", "calibration_slope"
    }  # fmt: skip
    assert "No predictions for validation images are kept" in str([*class_tables.blocks(known)])
    other = study(simulated, 60)
    other = dataclasses.replace(other, trials=tuple(dataclasses.replace(one, key="x") for one in other.trials))
    assert PerClass(Analysis(study(simulated), draws=100), other).validation is None


def test_small_groups_have_no_figure_and_are_counted(simulated: ModuleType) -> None:
    """Below ten images of a class, or of others, in a group of skin tones nothing is said of it there."""
    known = PerClass(Analysis(study(simulated, 60), draws=100))
    groups = {one.subset for one in known.figures if one.of == "eczema"}
    sizes = {
        name: ((known.predictions.labels == 0) & members).sum()
        for name, members in Analysis(known.predictions, draws=2).tone_groups.items()
    }
    assert groups - {"all"} == {name for name, size in sizes.items() if size >= 10}
    assert known.left_out > 0
    assert f"{known.left_out} class" in str([*class_tables.blocks(known)])


def test_a_figure_that_is_seldom_defined_has_no_interval(simulated: ModuleType) -> None:
    """Of four test images most draws lack a class, and all can be told apart: no warning, and dashes in the tables."""
    known = PerClass(Analysis(study(simulated, 4, target=TARGET), draws=100), study(simulated, 6, target=TARGET))
    assert any(np.isnan(one.value.low) for one in known.figures)
    assert [*class_tables.blocks(known)]
    assert len([*class_tables.figure_rows(known)]) == len(known.figures)


def test_calibration_is_of_what_is_predicted(shown: PerClass) -> None:
    """Tenths hold all predictions of all seeds, and a decision curve is beside acting on all."""
    of_all = [one for one in shown.reliability if (one.arm, one.of) == (ADDED, EVERY)]
    assert sum(one.count for one in of_all) == 3 * 150
    known = shown.predictions
    rows = [*known.arms[ADDED].values()]
    right = (known.probabilities[rows].argmax(-1) == known.labels).mean()
    assert sum(one.observed * one.count for one in of_all) / (3 * 150) == pytest.approx(right)
    assert all(one.low <= one.predicted <= one.high for one in of_all)
    low = next(one for one in shown.figures if one.metric == "net_benefit" and one.threshold == 0.05)
    everyone = treat_all(known, Target.model_validate(TARGET), 0.05)
    assert low.value.value == pytest.approx(everyone, abs=0.1)
    assert figure(shown, "inflammatory", "brier").value.value < 0.5


def test_the_report_has_a_table_of_each(shown: PerClass) -> None:
    """All classes, each class, equalised odds, skin tones and the decision curve; a row of the file for each figure."""
    tables = [one for one in class_tables.blocks(shown) if hasattr(one, "rows")]
    assert len(tables) == 5
    rows = [*class_tables.figure_rows(shown)]
    assert len(rows) == len(shown.figures)
    assert {len(row) for row in rows} == {len(class_tables.FIGURES_HEADER)}
    assert {len(row) for row in class_tables.reliability_rows(shown)} == {len(class_tables.RELIABILITY_HEADER)}
    assert all(len(row) == len(one.header) for one in tables for row in one.rows)
