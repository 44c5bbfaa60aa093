"""RandAugment changes each image by two operations, MixUp and CutMix a batch by itself."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from synthgen.vision.mixing import Mixing
from synthgen.vision.randaugment import randaugment

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 16, 24, 3), np.uint8)


def test_the_state_alone_decides() -> None:
    """The same images for the same state, others for another, and nothing of what was given is changed."""
    given = IMAGES.copy()
    one, same, other = (randaugment(given, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert (one.shape, one.dtype) == (IMAGES.shape, IMAGES.dtype)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.array_equal(given, IMAGES)
    assert randaugment(IMAGES[:0], np.random.default_rng(0)).shape == (0, 16, 24, 3)


def test_its_strength_is_asked_for() -> None:
    """At none only autocontrast and equalisation change anything; the stronger, the more is changed."""
    flat = np.broadcast_to(np.linspace(0, 255, 24).astype(np.uint8)[None, :, None], (40, 16, 24, 3)).copy()
    changes = [np.abs(randaugment(flat, np.random.default_rng(1), how).astype(int) - flat).mean() for how in (0, 9, 30)]
    assert changes[0] < 5 < changes[1] < changes[2]


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_labels_are_mixed_as_images_are(name: str) -> None:
    """The share of an image's own pixels, or of its values, is the share of its own label in the loss."""
    rng = np.random.default_rng(2)
    images = torch.arange(8.0)[:, None, None, None].expand(8, 3, 200, 200).contiguous()
    shares = []
    for _ in range(20):
        mixed = Mixing.drawn(name, 8, rng)
        found, other = mixed.apply(images), images[mixed.order]
        expected = mixed.share * images.mean((1, 2, 3)) + (1 - mixed.share) * other.mean((1, 2, 3))
        assert torch.allclose(found.mean((1, 2, 3)), expected, atol=0.08)
        shares.append(mixed.share)
    assert min(shares) < 0.5 < max(shares)
    assert torch.equal(images[3], torch.full((3, 200, 200), 3.0))
    logits, targets = torch.randn(8, 4), torch.arange(8) % 4
    loss = mixed.share * cross_entropy(logits, targets)
    loss += (1 - mixed.share) * cross_entropy(logits, targets[mixed.order])
    assert torch.allclose(mixed.loss(logits, targets), loss)


def test_nothing_is_mixed_without() -> None:
    """Other augmentations draw nothing and give images and loss as they are, to the bit."""
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    mixed = Mixing.drawn("classic", 4, rng)
    assert rng.bit_generator.state == before
    images, logits, targets = torch.randn(4, 3, 8, 8), torch.randn(4, 2), torch.tensor([0, 1, 0, 1])
    assert mixed.apply(images) is images
    assert torch.equal(mixed.loss(logits, targets), cross_entropy(logits, targets))
