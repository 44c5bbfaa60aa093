"""KID is unbiased, and grows with what sets differ in."""

import numpy as np
import pytest

from synthgen.vision.metrics.kid import discrepancy, kid

RNG = np.random.default_rng(0)


def test_discrepancy_is_the_formula_written_out() -> None:
    """Pairs of one image with itself don't count."""
    first, second = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 1.0], [2.0, 0.0]])

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 2 + 1) ** 3)

    across = np.mean([kernel(x, y) for x in first for y in second])
    assert discrepancy(first, second) == pytest.approx(kernel(*first) + kernel(*second) - 2 * across)


def test_sets_of_one_distribution_are_at_zero_in_the_mean() -> None:
    """Over many pairs of small sets, the mean is within three standard errors of 0, and not each above 0."""
    found = np.array([kid(*RNG.normal(size=(2, 20, 4))).value for _ in range(200)])
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found))
    assert (found < 0).any()


def test_a_shifted_set_is_many_standard_errors_away() -> None:
    """The error is small beside a real difference."""
    found = kid(RNG.normal(1, 1, (300, 4)), RNG.normal(0, 1, (300, 4)))
    assert found.value > 5 * found.standard_error > 0


def test_the_error_is_the_spread_of_repetitions_and_that_is_less_than_of_blocks() -> None:
    """Over repeated sets, the jackknife's error is the spread, not less; the mean over ten blocks spreads more."""
    found, blocks = [], []
    for _ in range(100):
        first, second = RNG.normal(0.1, 1, (100, 16)), RNG.normal(0, 1, (100, 16))
        found.append(kid(first, second))
        parts = zip(np.split(first, 10), np.split(second, 10), strict=True)
        blocks.append(np.mean([discrepancy(one, other) for one, other in parts]))
    spread = np.std([one.value for one in found])
    assert spread == pytest.approx(np.mean([one.standard_error for one in found]), rel=0.4)
    assert np.mean([one.standard_error for one in found]) > 0.9 * spread
    assert np.std(blocks) > 1.5 * spread


def test_order_says_nothing() -> None:
    """Sets in the same order give what they give in any."""
    first, second = RNG.normal(size=(60, 4)), RNG.normal(size=(40, 4))
    shuffled = kid(RNG.permutation(first), RNG.permutation(second))
    assert (shuffled.value, shuffled.standard_error) == pytest.approx(
        (kid(first, second).value, kid(first, second).standard_error)
    )


def test_a_set_many_times_larger_is_sampled() -> None:
    """However unlike the sets are in size, no more than 10,000 of one are taken."""
    found = kid(RNG.normal(size=(20, 2)), RNG.normal(size=(11_000, 2)))
    assert np.isfinite(found.value)


def test_too_few_images_give_a_reason() -> None:
    """Nineteen images are not measured."""
    assert "19 and 30" in kid(np.ones((19, 2)), np.ones((30, 2))).note
