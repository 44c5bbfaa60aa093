"""Saturation ratios and exchange rates are found again where they are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from synthgen.evaluate.analysis import dose_response


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9))
def test_isotonic_is_scikit_learns(values: list[float]) -> None:
    """The rising curve is the least-squares one."""
    assert dose_response.isotonic(np.array([values]))[0] == pytest.approx(
        isotonic_regression(np.array(values)), abs=1e-9
    )


def test_a_flat_end_saturates_before_it() -> None:
    """A gain that stops growing at 10 saturates between 1 and 10, where 90 % of it is reached."""
    gains = np.tile([0.02, 0.05, 0.05], (11, 1))
    found = dose_response.saturation(np.array([1.0, 10.0, 75.0]), gains)
    assert 1 < found.ratio < 10
    assert (found.low, found.high) == (found.ratio, found.ratio)
    assert (found.with_gain, found.still_rising) == (1.0, False)


def test_no_gain_has_no_saturation() -> None:
    """Where synthetic images only harm there is nothing to saturate."""
    found = dose_response.saturation(np.array([1.0, 10.0]), np.full((5, 2), -0.01))
    assert np.isnan([found.ratio, found.low, found.high]).all()
    assert found.with_gain == 0


def test_a_growing_gain_is_still_rising() -> None:
    """A last step that every draw has says that there may be more beyond, and so does a curve without a bend."""
    found = dose_response.saturation(np.array([1.0, 2.0, 3.0]), np.tile([0.01, 0.02, 0.03], (3, 1)))
    assert found.still_rising
    assert found.ratio == np.inf


def drawn_curves(truth: list[float], studies: int) -> list[np.ndarray]:
    """The gains of simulated curves at four ratios, each with 200 draws, ``real`` as uncertain as each of them."""
    rng = np.random.default_rng(0)

    def noise(rows: int) -> np.ndarray:
        return np.asarray(rng.normal(0, 0.012, (rows, 4)) - rng.normal(0, 0.012, (rows, 1)))

    observed = [truth + noise(1) for _ in range(studies)]
    return [np.vstack([one, one + noise(200)]) for one in observed]


RATIOS = np.array([1.0, 10.0, 25.0, 75.0])


def test_a_curve_that_is_flat_is_rarely_said_to_rise() -> None:
    """Flat from 10 on: 5 % at most, and their error, have a last step above 0, and the ratio's interval holds."""
    found = [dose_response.saturation(RATIOS, one) for one in drawn_curves([0.02, 0.05, 0.05, 0.05], 100)]
    assert np.mean([one.still_rising for one in found]) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 100)
    assert np.mean([one.low <= 6.2 <= one.high for one in found if one.gains]) >= 0.9


def test_without_a_gain_half_of_the_draws_gain() -> None:
    """So the share of draws with a gain has a null to be held against, and a curve without a gain has no ratio."""
    found = [dose_response.saturation(RATIOS, one) for one in drawn_curves([0.0] * 4, 100)]
    assert np.mean([one.with_gain for one in found]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([one.gains for one in found]) <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / 100)


@pytest.mark.parametrize("worth", [0.0, 0.1, 1.0, -0.25])
def test_exchange_rate_is_found_again(worth: float) -> None:
    """Where accuracy grows with the logarithm of n, a synthetic image is worth what it was made to be."""
    sizes = np.array([2.0, 8.0, 16.0, 32.0, 200.0])
    reached = 0.3 + 0.05 * np.log(8 + worth * 8 * 2)
    found = dose_response.exchange_rate(sizes, np.tile(0.3 + 0.05 * np.log(sizes), (5, 1)), 8, 2, np.full(5, reached))
    assert (found.rate, found.low, found.high) == pytest.approx((worth, worth, worth), abs=1e-6)


def test_beyond_the_curve_is_infinite() -> None:
    """An accuracy above or below all that real images reached says no rate, only its side."""
    sizes, real = np.array([8.0, 32.0]), np.tile([0.5, 0.6], (3, 1))
    assert dose_response.exchange_rate(sizes, real, 8, 10, np.full(3, 0.7)).rate == np.inf
    assert dose_response.exchange_rate(sizes, real, 8, 10, np.full(3, 0.4)).rate == -np.inf
