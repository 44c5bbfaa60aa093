"""Augmentation changes each image its own way, the same for the same random state."""

import hashlib

import numpy as np
import pytest

from synthgen.vision.augmentation import augment, crop_and_jitter

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 24, 32, 3), np.uint8)


def test_the_same_state_gives_the_same_images() -> None:
    """Shape and dtype stay, images change, and the generator alone decides how."""
    one, other = (augment(IMAGES, np.random.default_rng(3)) for _ in range(2))
    assert (one.shape, one.dtype) == (IMAGES.shape, IMAGES.dtype)
    assert np.array_equal(one, other)
    assert not np.array_equal(one, augment(IMAGES, np.random.default_rng(4)))


def test_each_image_goes_its_own_way() -> None:
    """Equal images come out different."""
    found = augment(np.repeat(IMAGES[:1], 6, 0), np.random.default_rng(0))
    assert len({each.tobytes() for each in found}) == 6


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_nothing_black_is_drawn_into_corners(grey: int) -> None:
    """A flat image stays flat: what a turn lays bare is mirrored, not filled."""
    found = augment(np.full((8, 20, 20, 3), grey, np.uint8), np.random.default_rng(0))
    assert np.ptp(found.astype(int), axis=(1, 2, 3)).max() <= 1
    assert abs(found.mean() - grey) < 15


def test_no_images_are_no_images() -> None:
    """An empty batch stays empty."""
    assert augment(IMAGES[:0], np.random.default_rng(0)).shape == (0, 24, 32, 3)


@pytest.mark.parametrize(
    ("seed", "crop_scale", "jitter", "golden"),
    [
        (0, (0.5, 1.0), 0.1, "935de4f2eb4bbebb"),
        (1, (0.9, 1.2), 0.0, "637eaca5d0ce6a78"),
        (2, None, 0.3, "07f1851c46ef7071"),
    ],
)
def test_what_a_seed_gives_never_changes(
    seed: int, crop_scale: tuple[float, float] | None, jitter: float, golden: str
) -> None:
    """What an adapter was shown is a function of its seed, so a training that goes on is shown the same."""
    rng = np.random.default_rng(seed)
    found = crop_and_jitter(IMAGES[0], 16, rng, crop_scale=crop_scale, flip=True, jitter=jitter)
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == golden
