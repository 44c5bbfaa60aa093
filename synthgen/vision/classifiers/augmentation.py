"""Classic augmentation: flips, rotations, crops and colour, each image its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from synthgen.core.types import Pixels

_DEGREES = 180.0
_ZOOM = (1.0, 1.25)
_COLOUR = 0.1


def augment(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Flip, turn by any angle, crop and recolour each image; the same images for the same generator's state.

    Turning and cropping is one bilinear resampling; what lies outside is mirrored. The crop shows 64 to 100 % of the
    area; brightness, contrast and saturation change by up to 10 %.

    Args:
        pixels: uint8 RGB, shape (n, height, width, 3).
        rng: Where all randomness comes from; each image takes the same number of draws.
    """
    import numpy as np
    import torch
    from torch.nn import functional

    if not len(pixels):
        return pixels
    chosen = torch.from_numpy(rng.random((len(pixels), 8), np.float32))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    height, width = pixels.shape[1:3]
    places = functional.affine_grid(_transforms(chosen, height, width), list(images.shape), align_corners=False)
    images = functional.grid_sample(images, places, padding_mode="reflection", align_corners=False)
    recoloured = _recoloured(images, chosen[:, 5:]).clamp_(0, 255).round_().to(torch.uint8)
    return np.asarray(recoloured.permute(0, 2, 3, 1).contiguous().numpy())


def _transforms(chosen: Any, height: int, width: int) -> Any:
    """An affine transform of the sampling grid for each image, shape (n, 2, 3)."""
    import torch

    flip = torch.where(chosen[:, 0] < 0.5, -1.0, 1.0)
    angle = torch.deg2rad((chosen[:, 1] * 2 - 1) * _DEGREES)
    zoom = 1 / (_ZOOM[0] + chosen[:, 2] * (_ZOOM[1] - _ZOOM[0]))
    shift = (chosen[:, 3:5] * 2 - 1) * (1 - zoom)[:, None]
    cosine, sine = angle.cos() * zoom, angle.sin() * zoom
    first = torch.stack([cosine * flip, -sine * height / width, shift[:, 0]], 1)
    second = torch.stack([sine * flip * width / height, cosine, shift[:, 1]], 1)
    return torch.stack([first, second], 1)


def _recoloured(images: Any, chosen: Any) -> Any:
    brightness, contrast, saturation = (1 + (chosen * 2 - 1) * _COLOUR).T[..., None, None, None]
    images = images * brightness
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * contrast
    grey = images.mean(1, keepdim=True)
    return grey + (images - grey) * saturation
