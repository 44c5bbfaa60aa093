"""The Vendi score counts what is different."""

import numpy as np
import pytest

from synthgen.vision.metrics.vendi import score, vendi_score

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("each", [1, 3, 10])
def test_orthogonal_groups_count_as_one_each(each: int) -> None:
    """Seven groups of equal images at right angles score 7, of whatever length and in whatever number."""
    groups = np.repeat(np.eye(7, 20), each, axis=0) * RNG.uniform(1, 9, (7 * each, 1))
    assert score(RNG.permutation(groups)) == pytest.approx(7)


def test_both_gram_matrices_give_one_score() -> None:
    """Blocks of the small matrix agree with the kernel itself."""
    features = RNG.normal(size=(40, 12))
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(rows @ rows.T / 40).clip(1e-300)
    assert score(features, block=7) == pytest.approx(np.exp(-(values * np.log(values)).sum()))


def test_features_with_much_in_common_still_tell_copies_from_images() -> None:
    """Standardised by real images, fifty images ten times count as fewer than five hundred, which raw cosines miss."""
    real = 100 + RNG.normal(size=(500, 30))
    distinct, repeated = 100 + RNG.normal(size=(500, 30)), np.repeat(100 + RNG.normal(size=(5, 30)), 100, 0)
    assert score(repeated) == pytest.approx(score(distinct), rel=0.01)
    assert vendi_score(repeated, real).value < 0.3 * vendi_score(distinct, real).value
    assert vendi_score(distinct, real).note == ""
    assert "without real images" in vendi_score(distinct).note


def test_a_feature_that_is_the_same_in_all_real_images_tells_nothing() -> None:
    """It has no deviation to be taken in."""
    real, made = RNG.normal(size=(50, 4)), RNG.normal(size=(50, 4))
    real[:, 0], made[:, 0] = 3, 4 * RNG.normal(size=50)
    assert vendi_score(made, real).value == pytest.approx(vendi_score(made[:, 1:], real[:, 1:]).value)


def test_too_few_images_give_a_reason() -> None:
    """Nineteen images are not measured."""
    assert "has 19" in vendi_score(np.eye(19)).note
