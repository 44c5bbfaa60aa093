"""Batches of images that were made apart are one batch."""

import numpy as np

from synthgen.diffusion.maker import MadeImages, joined


def part(masked: bool) -> MadeImages:
    """A batch of one image."""
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    return MadeImages(pixels, np.ones(1, bool), masks=np.ones((1, 4, 4), bool) if masked else None)


def test_masks_go_with_their_images() -> None:
    """Where every batch has them."""
    masks = joined([part(True), part(True)]).masks
    assert masks is not None
    assert masks.shape == (2, 4, 4)
    assert joined([part(True), part(False)]).masks is None
