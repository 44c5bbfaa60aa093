"""Simulated studies end with what is true of them, and with no more."""

from types import ModuleType

import numpy as np
import pytest

from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.predictions import ArmKey
from synthgen.evaluate.report import conclusions
from synthgen.plan.manifest.evaluate import Strategy

SIZES = {1: 0.36, 8: 0.5, 32: 0.6}
TEXT = {n: ArmKey("real+synthetic", Strategy("text"), n, 2) for n in SIZES}


def arms(gain: float) -> dict[ArmKey, float]:
    """The true accuracies of a study in which synthetic images add so much at every size."""
    real = {ArmKey("real", Strategy(), n, 0): value for n, value in SIZES.items()}
    return real | {TEXT[n]: value + gain for n, value in SIZES.items()}


def test_no_effect_is_reported_as_none(simulated: ModuleType) -> None:
    """Over 200 studies without an effect, at most 5 % and its error claim one anywhere in their family."""
    wrong = 0
    for number in range(200):
        study = simulated.study(arms(0.0), images=150, seed=number, scale="")
        wrong += any(one.significant for one in Analysis(study, draws=200).primary)
    assert wrong / 200 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_a_planted_effect_is_found(simulated: ModuleType) -> None:
    """Five points are found by a large test set, with an interval that holds them."""
    noise = simulated.Noise(seed_of_arm=0.02)
    analysis = Analysis(simulated.study(arms(0.05), images=1500, noise=noise, seed=1), draws=500)
    assert all(one.significant and one.difference.low <= 0.05 <= one.difference.high for one in analysis.primary)
    told = "against real images alone: significantly better in 3 of 3"
    assert any(told in line for line in conclusions.findings(analysis))


def test_shuffled_labels_are_never_said_to_help(simulated: ModuleType) -> None:
    """Synthetic images with labels at random cost accuracy; no study of 40 reports a gain."""
    for number in range(40):
        analysis = Analysis(simulated.study(arms(-0.03), images=200, seed=number), draws=200)
        assert not any(one.significant and one.difference.value > 0 for one in analysis.primary)
        assert not any("significantly better" in line for line in conclusions.findings(analysis))


def test_a_second_pool_of_real_images_is_worth_the_same(simulated: ModuleType) -> None:
    """Synthetic images that are real ones in truth come out as worth one, and no different from more real ones."""
    noise = simulated.Noise(seed=0.05, seed_of_arm=0.02)
    sizes = {n: 0.36 + 0.08 * np.log(n) for n in (1, 8, 24, 32, 96)}
    study = {ArmKey("real", Strategy(), n, 0): sizes[n] for n in (1, 8, 32)}
    for n in (8, 32):
        study |= {ArmKey("real-more", Strategy(), n, 2): sizes[3 * n], TEXT[n]: sizes[3 * n]}
    analysis = Analysis(simulated.study(study, images=1500, noise=noise, seed=3), draws=500)
    assert not any(one.significant for one in analysis.family("real-more"))
    assert all(one.significant for one in analysis.primary)
    rate = analysis.exchange(TEXT[8])
    assert rate is not None
    assert rate.low < 1 < rate.high
    assert rate.rate == pytest.approx(1, abs=0.5)
