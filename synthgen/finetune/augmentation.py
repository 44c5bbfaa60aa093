"""Changes a photograph a little each time that it is encoded, as training transforms do; the mask is drawn here too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthgen.diffusion.strategies.inpaint import Mask
from synthgen.vision.augmentation import crop_and_jitter

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
    return crop_and_jitter(
        pixels,
        settings.resolution,
        rng,
        crop_scale=settings.crop_scale,
        flip=settings.random_flip,
        jitter=settings.color_jitter,
    )


def draw_mask(side: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """A rectangle or an ellipse of random place, proportions and area; True where it is painted, shape (side, side)."""
    fraction = float(rng.uniform(_LEAST, _MOST))
    return Mask(shape="random", fraction=fraction).draw(side, side, int(rng.integers(2**62)))
