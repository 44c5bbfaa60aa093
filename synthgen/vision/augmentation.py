"""Images changed by chance before training: several recipes, since what is taught differs.

A classifier sees batches turned by any angle (:func:`augment`); a diffusion model sees upright photographs, cropped and
mirrored at most (:func:`crop_and_jitter`), as diffusers' training scripts show them. Not torchvision's transforms: they
draw from torch's own state, and torchvision is no dependency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from synthgen.vision.images import untrusted
from synthgen.vision.randaugment import randaugment

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


AUGMENTATIONS: Mapping[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "classic": augment,
    "randaugment": randaugment,
}


def crop_and_jitter(
    pixels: Pixels,
    side: int,
    rng: np.random.Generator,
    *,
    crop_scale: Sequence[float] | None,
    flip: bool,
    jitter: float,
) -> Pixels:
    """A photograph at ``side``, cropped, mirrored and coloured by chance as far as it may be.

    Args:
        pixels: uint8 RGB, shape (height, width, 3).
        side: Height and width of what comes back, in pixels.
        rng: Where chance comes from.
        crop_scale: The range of a crop's share of the area, and of its proportions; ``None`` for no crop.
        flip: Whether every other image is mirrored.
        jitter: How far the factors of brightness, contrast and saturation may be from one.
    """
    import numpy as np

    if crop_scale is not None:
        pixels = _cropped(pixels, crop_scale, rng)
    pixels = untrusted.fit(pixels, side, side, "crop")
    if flip and rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    return _jittered(pixels, jitter, rng) if jitter else pixels


def _cropped(pixels: Pixels, scale: Sequence[float], rng: np.random.Generator) -> Pixels:
    """A part whose area and proportions are drawn from one range; the whole where ten draws don't fit into it."""
    height, width = pixels.shape[:2]
    least, most = sorted(scale)
    for _ in range(10):
        area = height * width * rng.uniform(least, most)
        proportions = math.exp(rng.uniform(math.log(least), math.log(most)))
        wide, tall = round(math.sqrt(area * proportions)), round(math.sqrt(area / proportions))
        if 0 < wide <= width and 0 < tall <= height:
            top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
            return pixels[top : top + tall, left : left + wide]
    return pixels


def _jittered(pixels: Pixels, amount: float, rng: np.random.Generator) -> Pixels:
    """Brightness, contrast and saturation, each changed by a factor within ``amount`` of one."""
    import numpy as np
    from PIL import Image, ImageEnhance

    image = Image.fromarray(pixels)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(1 + float(rng.uniform(-amount, amount)))
    return np.array(image)
