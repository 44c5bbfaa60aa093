"""Changes a photograph a little each time that it is encoded, as training transforms do; the mask is drawn here too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synthgen.diffusion.strategies.inpaint import Mask
from synthgen.vision.images import untrusted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Pixels

_LEAST, _MOST = 0.05, 0.6  # of the area that a training mask may have


def augment(pixels: Pixels, settings: Any, rng: np.random.Generator) -> Pixels:
    """A photograph at the training size, cropped, mirrored and coloured by chance as far as the settings say.

    Args:
        pixels: uint8 RGB, shape (height, width, 3).
        settings: A method's settings.
        rng: Where chance comes from.
    """
    import numpy as np

    side = settings.resolution
    if settings.crop_scale is not None:
        pixels = _crop(pixels, settings.crop_scale, rng)
    pixels = untrusted.fit(pixels, side, side, "crop")
    if settings.random_flip and rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    return _jitter(pixels, settings.color_jitter, rng) if settings.color_jitter else pixels


def draw_mask(side: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """A rectangle or an ellipse of random place, proportions and area; True where it is painted, shape (side, side)."""
    fraction = float(rng.uniform(_LEAST, _MOST))
    return Mask(shape="random", fraction=fraction).draw(side, side, int(rng.integers(2**62)))


def _crop(pixels: Pixels, scale: Sequence[float], rng: np.random.Generator) -> Pixels:
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


def _jitter(pixels: Pixels, amount: float, rng: np.random.Generator) -> Pixels:
    """Brightness, contrast and saturation, each changed by a factor within ``amount`` of one."""
    import numpy as np
    from PIL import Image, ImageEnhance

    image = Image.fromarray(pixels)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(1 + float(rng.uniform(-amount, amount)))
    return np.array(image)
