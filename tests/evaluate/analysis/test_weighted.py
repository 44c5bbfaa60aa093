"""Figures under draws of the test images are scikit-learn's with the draws as weights."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from synthgen.evaluate.analysis import weighted

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def known() -> tuple[Array, NDArray[np.float32], NDArray[np.bool_]]:
    """Draws of 80 images, probabilities of two trials with many ties, and what is so."""
    rng = np.random.default_rng(1)
    positive = rng.random(80) < 0.3
    logits = 1.5 * positive + rng.standard_normal((2, 80)) - 1
    probabilities = np.round(1 / (1 + np.exp(-logits)), 1).clip(0.05, 0.95).astype(np.float32)
    drawn = np.vstack([np.ones(80), rng.multinomial(80, np.full(80, 1 / 80), 5)]).astype(float)
    return drawn, probabilities, positive


def test_areas_are_sklearns(known: tuple[Array, NDArray[np.float32], NDArray[np.bool_]]) -> None:
    """Under the ROC and the precision-recall curve, of every draw and trial, ties included."""
    drawn, probabilities, positive = known
    for found, expected in (
        (weighted.auroc(drawn, probabilities, positive), roc_auc_score),
        (weighted.average_precision(drawn, probabilities, positive), average_precision_score),
        (weighted.brier(drawn, probabilities, positive), brier_score_loss),
    ):
        asked = [[expected(positive, one, sample_weight=weights) for one in probabilities] for weights in drawn]
        assert np.allclose(found, asked, atol=1e-6)


def test_pairs_are_compared_part_by_part(
    known: tuple[Array, NDArray[np.float32], NDArray[np.bool_]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large test set, whose pairs do not fit in memory together, has the same area."""
    whole = weighted.auroc(*known)
    monkeypatch.setattr(weighted, "_PAIRS", 100)
    assert np.allclose(weighted.auroc(*known), whole, atol=1e-6)


def test_calibration_is_that_of_a_logistic_regression(
    known: tuple[Array, NDArray[np.float32], NDArray[np.bool_]],
) -> None:
    """The slope is the regression's on the logit; the intercept is 0 and the slope 1 where probabilities are right."""
    drawn, probabilities, positive = known
    intercept, slope = weighted.recalibration(drawn, probabilities, positive)
    for row, weights in enumerate(drawn):
        for place, one in enumerate(probabilities):
            logits = np.log(one / (1 - one)).astype(float)[:, None]
            fitted = LogisticRegression(C=np.inf, tol=1e-8).fit(logits, positive, sample_weight=weights)
            assert slope[row, place] == pytest.approx(fitted.coef_[0, 0], abs=1e-3)
            shifted = 1 / (1 + np.exp(-(logits[:, 0] + intercept[row, place])))
            assert weights @ shifted == pytest.approx(weights @ positive, abs=1e-4)  # calibrated in the large
    rng = np.random.default_rng(2)
    sure = rng.random((1, 20_000)).astype(np.float32)
    so = rng.random(20_000) < sure[0]
    right = weighted.recalibration(np.ones((1, 20_000)), sure, so)
    assert [float(one[0, 0]) for one in right] == pytest.approx([0, 1], abs=0.06)


def test_what_tells_all_apart_has_no_slope() -> None:
    """Where every positive lies above every negative a slope would be infinite, and there is none."""
    positive = np.array([False, False, True, True])
    _, slope = weighted.recalibration(np.ones((1, 4)), np.array([[0.1, 0.2, 0.8, 0.9]], np.float32), positive)
    assert np.isnan(slope).all()


@pytest.mark.parametrize("specificity", [0.5, 0.9, 0.99])
def test_a_threshold_leaves_the_share_asked_below(specificity: float) -> None:
    """It is the least that does so, as on scikit-learn's ROC curve, and takes the positives that lie above."""
    rng = np.random.default_rng(3)
    positive = rng.random(200) < 0.4
    scores = np.round(rng.random((1, 200)) + 0.3 * positive, 2).astype(np.float32)
    (threshold,) = weighted.threshold_of(scores, positive, specificity)
    assert (scores[0, ~positive] < threshold).mean() >= specificity
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong, right, _ = roc_curve(positive, scores[0], drop_intermediate=False)
    best = right[1 - wrong >= specificity - 1e-9].max()
    taken = weighted.share_taken(np.ones((1, 200)), scores, np.array([threshold]), positive)
    assert taken[0, 0] == pytest.approx(best)


def test_net_benefit_is_vickers(known: tuple[Array, NDArray[np.float32], NDArray[np.bool_]]) -> None:
    """True positives less false ones at the odds, an image."""
    drawn, probabilities, positive = known
    found = weighted.net_benefit(drawn, probabilities, positive, 0.25)
    taken = probabilities[1] >= 0.25
    for weights, value in zip(drawn, found[:, 1], strict=True):
        true, false = weights @ (taken & positive), weights @ (taken & ~positive)
        assert value == pytest.approx((true - false / 3) / weights.sum())


def test_a_draw_without_one_side_has_no_figure(known: tuple[Array, NDArray[np.float32], NDArray[np.bool_]]) -> None:
    """NaN, and no warning, where no positive or no negative is drawn."""
    _, probabilities, positive = known
    for drawn in (positive[None].astype(float), (~positive)[None].astype(float)):
        assert np.isnan(weighted.auroc(drawn, probabilities, positive)).all()
    assert np.isnan(weighted.average_precision((~positive)[None].astype(float), probabilities, positive)).all()
