"""The Fréchet distance is that of known Gaussians."""

import numpy as np
import pytest

from synthgen.vision.metrics.frechet import Gaussian, frechet

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(200, 6))


def test_moments_are_those_of_the_images_whatever_the_blocks() -> None:
    """A factor made block by block gives numpy's covariance."""
    found = Gaussian.of(FEATURES.astype(np.float32), block=17)
    np.testing.assert_allclose(found.mean, FEATURES.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.factor.T @ found.factor, np.cov(FEATURES.T), atol=1e-6)


def test_distance_of_gaussians_that_share_axes_is_the_closed_form() -> None:
    """For diagonal covariances it is the squared distance of means and of standard deviations."""
    one = Gaussian(np.array([0.0, 1.0]), np.diag([1.0, 2.0]), 100)
    other = Gaussian(np.array([3.0, 1.0]), np.diag([5.0, 1.0]), 100)
    assert frechet(one, other).value == pytest.approx(3**2 + (1 - 5) ** 2 + (2 - 1) ** 2)


def test_distance_agrees_with_the_matrix_square_root_where_covariances_do_not_commute() -> None:
    """The sum of singular values is scipy's trace of the root of a product."""
    from scipy.linalg import sqrtm

    other = FEATURES @ RNG.normal(size=(6, 6)) + 1
    first, second = np.cov(FEATURES.T), np.cov(other.T)
    means = ((FEATURES.mean(0) - other.mean(0)) ** 2).sum()
    expected = means + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet(Gaussian.of(FEATURES), Gaussian.of(other)).value == pytest.approx(expected)


def test_equal_sets_are_at_no_distance_in_any_order_even_of_low_rank() -> None:
    """Fewer images than dimensions give a distance, 0 for the same images shuffled, with a note on its bias."""
    wide = RNG.normal(size=(25, 40))
    found = frechet(Gaussian.of(wide), Gaussian.of(RNG.permutation(wide)))
    assert found.value == pytest.approx(0, abs=1e-10)
    assert "40 dimensions" in found.note


def test_too_few_images_give_no_distance_but_a_reason() -> None:
    """Below twenty images on a side the value is NaN, and the note says why."""
    found = frechet(Gaussian.of(FEATURES[:19]), Gaussian.of(FEATURES))
    assert np.isnan(found.value)
    assert "needs 20" in found.note
