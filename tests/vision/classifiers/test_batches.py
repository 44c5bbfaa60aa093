"""Batches are class-balanced, exact in number, and mix real with synthetic rows as they are told to."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from synthgen.errors import InputError
from synthgen.vision.classifiers import batches

LABELS = np.array([0] * 4 + [1] * 2 + [0] * 30 + [1] * 10)
REAL, SYNTHETIC, NONE = np.arange(6), np.arange(6, 46), np.array([], np.int64)


def drawn(real: Any, synthetic: Any, mix: Any, steps: int = 20, batch_size: int = 8) -> Any:
    """All batches of a trial, shape (steps, batch_size)."""
    rng = np.random.default_rng(0)
    return np.stack(list(batches(rng, real, synthetic, LABELS, batch_size=batch_size, mix=mix, steps=steps)))


@given(some.integers(1, 30), some.integers(1, 17), some.sampled_from(["union", 0.3, 0, 1, "pretrain-then-real"]))
def test_steps_are_exact(steps: int, batch_size: int, mix: Any) -> None:
    """There are as many batches as steps, all full, and classes differ by two at most over both pools."""
    found = drawn(REAL, SYNTHETIC, mix, steps, batch_size)
    assert found.shape == (steps, batch_size)
    assert abs(np.diff(np.bincount(LABELS[found.ravel()], minlength=2))[0]) <= 2


def test_a_share_is_kept() -> None:
    """A synthetic share that is no whole number of rows is right over the trial, and by one row in each batch."""
    found = drawn(REAL, SYNTHETIC, 0.3) >= 6
    assert found.sum() == round(0.3 * found.size)
    assert set(found.sum(1).tolist()) == {2, 3}


def test_union_draws_rows_of_a_class_alike() -> None:
    """In one pool, a synthetic row comes as often as a real one of its class, by one at most."""
    counts = np.bincount(drawn(REAL, SYNTHETIC, "union", 100).ravel(), minlength=46)
    assert all(np.ptp(counts[label == LABELS]) <= 1 for label in (0, 1))


def test_pretraining_comes_first() -> None:
    """The first half of the steps is synthetic alone, the second real alone."""
    found = drawn(REAL, SYNTHETIC, "pretrain-then-real")
    assert (found[:10] >= 6).all()
    assert (found[10:] < 6).all()


@pytest.mark.parametrize("mix", ["union", 0.5, "pretrain-then-real"])
def test_one_pool_alone_is_all_there_is(mix: Any) -> None:
    """Without real rows, or without synthetic ones, every mix draws from the other."""
    assert (drawn(NONE, SYNTHETIC, mix) >= 6).all()
    assert (drawn(REAL, NONE, mix) < 6).all()


@pytest.mark.parametrize("mix", ["half", 1.5, float("nan")])
def test_a_mix_that_there_is_not_is_refused(mix: Any) -> None:
    """One line names the setting and what was given."""
    with pytest.raises(InputError, match=rf"^mix: .*{mix}"):
        drawn(REAL, SYNTHETIC, mix)


def test_nothing_to_draw_from_is_refused() -> None:
    """A training without rows is a fault of the design."""
    with pytest.raises(InputError, match=r"^batches: "):
        drawn(NONE, NONE, "union")
