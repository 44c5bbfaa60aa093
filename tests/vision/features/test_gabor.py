"""The gabor formula is fixed, finite on any image, and tells colours and textures apart."""

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.phantom.render import render
from synthgen.vision.features import backbone


def test_features_are_finite_and_as_many_as_it_says() -> None:
    """Black, white and noise all have features of the backbone's dim."""
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    images = np.concatenate([np.zeros_like(noise), np.full_like(noise, 255), noise])
    gabor = backbone("gabor")
    found = gabor(images)
    assert (found.shape, found.dtype) == ((3, gabor.dim), np.dtype(np.float32))
    assert np.isfinite(found).all()


def test_features_do_not_depend_on_neighbours() -> None:
    """An image has the same bits of features wherever it lies in a batch of one shape."""
    images = render(["melanoma", "healthy", "vitiligo"], [1, 3, 6], site="b", seed=5).images
    gabor = backbone("gabor")
    assert np.array_equal(gabor(images)[::-1], gabor(images[::-1]))


def test_a_turn_by_a_quarter_changes_little() -> None:
    """Energies are averaged over orientations and places, so a turned image is nearer than another one is."""
    one, other = render(["psoriasis", "psoriasis"], [3, 3], site="b", seed=1).images
    here, turned, there = backbone("gabor")(np.stack([one, np.rot90(one), other]))
    assert np.linalg.norm(here - turned) < np.linalg.norm(here - there) / 3


def test_other_sizes_are_brought_to_its_own() -> None:
    """A larger image that is not square has features too."""
    images = np.random.default_rng(1).integers(0, 256, (2, 80, 120, 3), np.uint8)
    assert backbone("gabor")(images).shape == (2, backbone("gabor").dim)


def test_no_images_have_no_features() -> None:
    """An empty batch gives an empty array of the right width."""
    gabor = backbone("gabor")
    assert gabor(np.empty((0, 64, 64, 3), np.uint8)).shape == (0, gabor.dim)


def test_what_is_no_image_is_refused() -> None:
    """Floats are refused in one line that says what to give."""
    with pytest.raises(InputError, match=r"^gabor: "):
        backbone("gabor")(np.zeros((1, 64, 64, 3)))
