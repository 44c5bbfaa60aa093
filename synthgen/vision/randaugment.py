"""RandAugment (E. D. Cubuk et al., NeurIPS 2020, arXiv 1909.13719): some operations of one strength, drawn by chance.

Written on Pillow's own operations rather than taken from kornia or torchvision, of which neither is a dependency, and
which draw from torch's state, so that a training's images would follow from whatever else draws there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from synthgen.core.types import Pixels

OPERATIONS, MAGNITUDE, GREATEST = 2, 9, 30  # an image's, their strength, and the scale it is on, as in the paper
_GREY = (128, 128, 128)  # what comes in where an image is moved
_SHEAR, _TRANSLATE, _DEGREES, _ENHANCE = 0.3, 150 / 331, 30.0, 0.9  # at the greatest strength
_BITS = 4


def randaugment(pixels: Pixels, rng: np.random.Generator, magnitude: int = MAGNITUDE) -> Pixels:
    """Each image after two of fourteen operations; the same images for the same generator's state.

    Args:
        pixels: uint8 RGB, shape (n, height, width, 3).
        rng: Where all randomness comes from; each image takes the same number of draws.
        magnitude: How strong the operations are, 0 to 30.
    """
    import numpy as np
    from PIL import Image

    chosen = rng.integers(len(_NAMED), size=(len(pixels), OPERATIONS))
    signs = np.where(rng.random((len(pixels), OPERATIONS)) < 0.5, -1.0, 1.0)
    changed = np.empty_like(pixels)
    for row, image in enumerate(map(Image.fromarray, pixels)):
        for operation, sign in zip(chosen[row], signs[row], strict=True):
            image = _NAMED[int(operation)](image, float(sign) * magnitude / GREATEST)  # noqa: PLW2901 - one after another
        changed[row] = np.asarray(image)
    return changed


def _moved(image: Any, along: tuple[float, float, float, float, float, float]) -> Any:
    from PIL import Image

    return image.transform(image.size, Image.Transform.AFFINE, along, Image.Resampling.BILINEAR, fillcolor=_GREY)


def _rotated(image: Any, strength: float) -> Any:
    from PIL import Image

    return image.rotate(strength * _DEGREES, Image.Resampling.BILINEAR, fillcolor=_GREY)


def _enhanced(name: str) -> Callable[[Any, float], Any]:
    def change(image: Any, strength: float) -> Any:
        from PIL import ImageEnhance

        return getattr(ImageEnhance, name)(image).enhance(1 + strength * _ENHANCE)

    return change


def _tones(name: str) -> Callable[[Any, float], Any]:
    def change(image: Any, strength: float) -> Any:
        from PIL import ImageOps

        strong = abs(strength)
        if name == "posterize":
            return ImageOps.posterize(image, 8 - round(strong * _BITS))
        if name == "solarize":
            return ImageOps.solarize(image, round(256 * (1 - strong)))
        return ImageOps.autocontrast(image) if name == "autocontrast" else ImageOps.equalize(image)

    return change


_NAMED: tuple[Callable[[Any, float], Any], ...] = (
    lambda image, _: image,
    _tones("autocontrast"),
    _tones("equalize"),
    _rotated,
    _tones("solarize"),
    _enhanced("Color"),
    _tones("posterize"),
    _enhanced("Contrast"),
    _enhanced("Brightness"),
    _enhanced("Sharpness"),
    lambda image, strength: _moved(image, (1, strength * _SHEAR, 0, 0, 1, 0)),
    lambda image, strength: _moved(image, (1, 0, 0, strength * _SHEAR, 1, 0)),
    lambda image, strength: _moved(image, (1, 0, strength * _TRANSLATE * image.width, 0, 1, 0)),
    lambda image, strength: _moved(image, (1, 0, 0, 0, 1, strength * _TRANSLATE * image.height)),
)
