"""The figures of a trial are those of scikit-learn, and are NaN rather than wrong where there is nothing to count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from synthgen.evaluate.analysis import metrics


def example(seed: int, n: int, classes: int, coarse: bool) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities at random; coarse ones have ties."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.7), n)
    return rng.integers(0, classes, n), (probabilities.round(1) if coarse else probabilities).astype(np.float32)


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(4, 9))
def test_figures_are_those_of_scikit_learn(seed: int, n: int, classes: int) -> None:
    """Top-k, balanced accuracy, macro-F1 and every class's AUROC equal the reference, whatever classes occur."""
    labels, probabilities = example(seed, n, classes, coarse=False)
    found, predicted, every = metrics.score(labels, probabilities), probabilities.argmax(1), np.arange(classes)
    assert found.top1 == pytest.approx(sk.accuracy_score(labels, predicted))
    assert found.top3 == pytest.approx(sk.top_k_accuracy_score(labels, probabilities, k=3, labels=every))
    assert found.macro_f1 == pytest.approx(sk.f1_score(labels, predicted, average="macro", zero_division=0))
    occurs = np.unique(labels)
    recalls = sk.recall_score(labels, predicted, labels=occurs, average=None)
    assert found.balanced_accuracy == pytest.approx(recalls.mean())
    for label, area in enumerate(metrics.auroc(labels, probabilities)):
        if 0 < (labels == label).sum() < n:
            assert area == pytest.approx(sk.roc_auc_score(labels == label, probabilities[:, label]), abs=1e-6)
        else:
            assert np.isnan(area)


def test_ties_count_half_and_the_first_class_ranks_first() -> None:
    """Where all classes are equally probable, AUROC is a half, and top-k takes the first k classes."""
    labels, flat = np.array([0, 1, 2, 3]), np.full((4, 4), 0.25, np.float32)
    assert metrics.auroc(labels, flat).tolist() == [0.5] * 4
    assert metrics.top_k(labels, flat, 3).tolist() == [True, True, True, False]


def test_calibration_error_by_hand() -> None:
    """Ten images taken with confidence 0.8, of which six are right, are 0.2 off."""
    probabilities = np.tile(np.array([0.8, 0.2], np.float32), (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    assert metrics.expected_calibration_error(labels, probabilities) == pytest.approx(0.2, abs=1e-6)


def test_tones_worst_group_and_gap() -> None:
    """Every tone and tone group is scored with its n; the worst group and the gap are those of top-1."""
    tones = np.array([1, 1, 2, 3, 5, 6, 6, 0])
    labels = np.zeros(8, np.int64)
    right = np.array([1, 1, 1, 1, 0, 1, 0, 1])
    probabilities = np.stack([0.1 + 0.8 * right, 0.9 - 0.8 * right], 1).astype(np.float32)
    found = metrics.metrics(labels, probabilities, tones, "fitzpatrick")
    assert {name: one.n for name, one in found.by_tone.items()} == {
        "I": 2,
        "II": 1,
        "III": 1,
        "V": 1,
        "VI": 2,
        "unknown": 1,
    }
    assert {name: one.n for name, one in found.by_group.items()} == {"light": 3, "medium": 1, "dark": 3}
    assert (found.worst_group, found.gap) == ("dark", pytest.approx(2 / 3))


def test_no_tones_are_no_groups() -> None:
    """Without a scale there is no tone, no worst group and no gap."""
    labels, probabilities = example(0, 10, 4, coarse=True)
    found = metrics.metrics(labels, probabilities, np.zeros(10, np.int64))
    assert (found.by_tone, found.by_group, found.worst_group, np.isnan(found.gap)) == ({}, {}, "", True)


def test_no_images_have_no_figures() -> None:
    """A set without images has n = 0 and no figure."""
    found = metrics.score(np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    assert (found.n, np.isnan(found.top1), np.isnan(found.ece)) == (0, True, True)
