"""Memorisation is told from how far held-out real images are."""

import numpy as np
import pytest

from synthgen.vision.metrics.memorisation import EXPECTED, memorisation

RNG = np.random.default_rng(0)


def test_the_threshold_is_a_rank_of_held_out_distances() -> None:
    """Of 39 held-out images the second nearest is the threshold: 2 in 40 of further ones are below it."""
    found = memorisation(np.array([0.5, 1.5, 2.0, 7.0]), np.arange(1.0, 40))
    assert (found.threshold, found.expected.value, found.rate.value) == (2, EXPECTED, 0.5)


def test_no_copy_found_is_no_certainty() -> None:
    """None of a hundred images leaves an error of about two in a hundred."""
    assert memorisation(np.full(100, 99.0), np.arange(1.0, 40)).rate.standard_error == pytest.approx(0.0135, abs=1e-3)


def test_the_interval_knows_that_the_threshold_is_drawn() -> None:
    """Of sets that copy nothing 95 % lie in the range of chance, and the error is wider than the binomial one."""
    found = [memorisation(RNG.gamma(2, 1, 500), RNG.gamma(2, 1, 100)) for _ in range(300)]
    held = [one.by_chance[0] <= one.rate.value <= one.by_chance[1] for one in found]
    assert np.mean(held) >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 300)
    near = [abs(one.rate.value - one.expected.value) <= 1.96 * one.rate.standard_error for one in found]
    binomial = [abs(one.rate.value - one.expected.value) <= 1.96 * np.sqrt(0.05 * 0.95 / 500) for one in found]
    assert np.mean(near) > 0.8 > np.mean(binomial)


def test_images_of_the_real_distribution_are_at_the_expected_rate() -> None:
    """Over many calibrations of 50 images, real ones are below the threshold as often as is said."""
    rates = [memorisation(RNG.gamma(2, 1, 50), RNG.gamma(2, 1, 50)) for _ in range(400)]
    assert np.mean([one.rate.value for one in rates]) == pytest.approx(rates[0].expected.value, abs=0.01)


def test_too_few_held_out_images_give_a_reason() -> None:
    """Eighteen real images can't tell of the lowest 5 %."""
    found = memorisation(np.ones(5), np.ones(18))
    assert np.isnan(found.rate.value)
    assert "has 18" in found.rate.note
