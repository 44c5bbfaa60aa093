"""Masks lie where their settings say, are drawn by the sample's seed alone, and blending keeps what lies outside."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from synthgen.diffusion.masks import Mask, blend

SIDES = st.integers(16, 96)
FRACTIONS = st.floats(0.05, 0.9)


def test_the_centre_of_a_quarter_runs_from_a_quarter_to_three_quarters() -> None:
    """A fraction is of the area: 0.25 is half of each side, as in the first study."""
    mask = Mask(shape="centre", fraction=0.25).draw(64, 32, 0)
    assert mask[16:48, 8:24].all()
    assert mask.sum() == 32 * 16


def test_the_complement_leaves_the_centre_and_the_border() -> None:
    """Everything is painted but the middle and so many pixels at the edge."""
    mask = Mask(shape="complement", fraction=0.25, border=3).draw(64, 64, 0)
    assert not mask[16:48, 16:48].any()
    assert not mask[:3].any()
    assert not mask[:, -3:].any()
    assert mask[3:16, 3:61].all()
    assert mask[3:61, 48:61].all()


@given(height=SIDES, width=SIDES, fraction=FRACTIONS)
@pytest.mark.parametrize("shape", ["centre", "ellipse", "random"])
def test_a_shape_has_the_area_asked_for(shape: Any, height: int, width: int, fraction: float) -> None:
    """Whatever the size, the painted share is the fraction, as near as whole pixels allow."""
    mask = Mask(shape=shape, fraction=fraction).draw(height, width, 7)
    assert mask.shape == (height, width)
    assert mask.mean() == pytest.approx(fraction, abs=1.5 / min(height, width) + 0.01)


def test_a_random_mask_depends_on_the_seed_alone() -> None:
    """One seed draws one mask, and seeds draw rectangles and ellipses in many places."""
    mask = Mask(shape="random", fraction=0.2)
    drawn = [mask.draw(32, 32, seed) for seed in range(40)]
    assert all((mask.draw(32, 32, seed) == one).all() for seed, one in enumerate(drawn))
    assert len({one.tobytes() for one in drawn}) > 35
    assert sum(int(one.all(axis=1).any() or _is_rectangle(one)) for one in drawn) in range(8, 33)


def _is_rectangle(mask: Any) -> bool:
    rows, columns = np.nonzero(mask)
    return bool(mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all())


def test_outside_the_mask_every_pixel_is_the_original_one() -> None:
    """Without feathering nothing outside changes, and everything inside is what was painted."""
    rng = np.random.default_rng(0)
    original, painted = rng.integers(0, 256, (2, 3, 20, 20, 3), dtype=np.uint8)
    masks = rng.random((3, 20, 20)) < 0.5
    found = blend(original, painted, masks, 0)
    assert (found[~masks] == original[~masks]).all()
    assert (found[masks] == painted[masks]).all()


def test_feathering_blends_over_the_edge() -> None:
    """A feathered edge goes from one image to the other over some pixels, and far from it nothing is blended."""
    original, painted = np.zeros((1, 64, 64, 3), np.uint8), np.full((1, 64, 64, 3), 200, np.uint8)
    masks = np.zeros((1, 64, 64), bool)
    masks[:, :, 32:] = True
    row = blend(original, painted, masks, 2.0)[0, 30, :, 0]
    assert row[0] == 0
    assert row[-1] == 200
    assert (np.diff(row.astype(int)) >= 0).all()
    assert len(set(row)) > 6


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"shape": "star"}, "shape"),
        ({"fraction": 0.0}, "fraction"),
        ({"fraction": 1.0}, "fraction"),
        ({"shape": "centre", "border": 2}, "`border`.*`complement`"),
        ({"shape": "source", "fraction": 0.5}, "`fraction`.*`source`"),
        ({"feather": -1.0}, "feather"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], named: str) -> None:
    """A mask that can't be drawn is refused when the manifest is read."""
    with pytest.raises(ValidationError, match=named):
        Mask(**settings)
