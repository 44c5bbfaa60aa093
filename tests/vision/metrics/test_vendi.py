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


def test_too_few_images_give_a_reason() -> None:
    """Nineteen images are not measured."""
    assert "has 19" in vendi_score(np.eye(19)).note
