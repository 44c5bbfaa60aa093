"""Canny's edges, as OpenCV's are."""

import numpy as np
import pytest
from pydantic import ValidationError

from synthgen.diffusion.edges import Edges


def image(*levels: tuple[slice, slice, int]) -> np.ndarray:
    """A grey image of 24 by 24 pixels with rectangles on it."""
    pixels = np.full((24, 24, 3), 40, np.uint8)
    for rows, columns, value in levels:
        pixels[rows, columns] = value
    return pixels


def test_edges_are_thin_and_lie_on_the_outline() -> None:
    """Of a bright square one line around it, a pixel wide on each side, and nothing where nothing changes."""
    found = Edges().draw(image((slice(6, 18), slice(6, 18), 200)))
    assert found.shape == (24, 24)
    assert found[12].nonzero()[0].tolist() in ([5, 17], [6, 18], [5, 18], [6, 17])
    assert found[:, 12].sum() == 2
    assert not found[8:16, 8:16].any()
    assert not Edges().draw(image()).any()


def test_weak_edges_count_where_they_go_on_from_strong_ones() -> None:
    """Above the lower threshold alone they are left out by themselves; below it always."""
    right = slice(12, 24)
    weak, strong = (slice(0, 24), right, 75), (slice(16, 24), right, 200)
    assert not Edges().draw(image(weak)).any()
    assert Edges().draw(image(weak, strong))[2:8].any()
    assert not Edges(low_threshold=200).draw(image(weak, strong))[2:8].any()


@pytest.mark.parametrize("channel", range(3))
def test_the_channel_that_changes_most_counts(channel: int) -> None:
    """Whichever it is."""
    pixels = image()
    pixels[:, 12:, channel] = 255
    assert Edges().draw(pixels).any()


def test_a_slanted_edge_is_one_line() -> None:
    """In every direction, also between the axes."""
    y, x = np.mgrid[:24, :24]
    for inside in (x > y, x + y > 24, x > 2 * y, 2 * x > y):
        found = Edges().draw(np.where(inside[..., None], 220, 20).astype(np.uint8).repeat(3, 2))
        middle = found[6:18]
        assert middle.any()
        assert middle.sum(1).max() <= 3


def test_thresholds_are_in_order() -> None:
    """The lower one is not above the higher one."""
    with pytest.raises(ValidationError, match="low_threshold 5 is above high_threshold 4"):
        Edges(low_threshold=5, high_threshold=4)
