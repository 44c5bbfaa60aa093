"""Inpainting masks: which part of an image is made anew, a pure function of settings, size and the sample's seed."""

import math
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from synthgen.core.yaml_documents import Strict

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


class Mask(Strict):
    """A mask's settings.

    Attributes:
        shape: ``centre``, a rectangle of the image's own proportions in its middle; ``ellipse``, the same as an
            ellipse; ``random``, a rectangle or ellipse whose place and proportions the sample's seed draws;
            ``complement``, everything but ``centre``; ``source``, the mask that comes with the real image.
        from_: ``pool``, in place of a shape: the mask of another real image that has the label which is painted, drawn
            by the sample's seed; written ``from``.
        fraction: The share of the image's area that shape has; for ``complement`` the share that is left out.
        border: Pixels at the image's edge that are never painted; for ``complement`` only.
        feather: Deviation, in pixels, of the Gaussian that blends the painted part in; 0 keeps every pixel outside the
            mask exactly.
    """

    shape: Literal["centre", "ellipse", "random", "complement", "source"] = "centre"
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    from_: Annotated[Literal["pool"] | None, Field(alias="from", exclude_if=lambda origin: origin is None)] = None
    border: Annotated[int, Field(ge=0, le=4096)] = 0
    feather: Annotated[float, Field(ge=0, le=256)] = 0.0

    @model_validator(mode="after")
    def _fits_its_shape(self) -> Self:
        if self.from_ and (beside := self.model_fields_set & {"shape", "fraction", "border"}):
            raise ValueError(f"`{min(beside)}` is not for `from: {self.from_}`, whose mask comes with a real image")
        if self.shape == "source" and self.fraction is not None:
            raise ValueError("`fraction` is not for `source`, whose mask comes with the real image")
        if self.border and self.shape != "complement":
            raise ValueError(f"`border` is for `complement`, not for `{self.shape}`")
        return self

    def said(self) -> dict[str, Any]:
        """What says where it lies, as plain values."""
        unsaid = {"shape", "border"} if self.from_ else set()
        return self.model_dump(exclude_none=True, by_alias=True, exclude=unsaid)

    @property
    def share(self) -> float:
        """The share of the area; a quarter where none is given."""
        return 0.25 if self.fraction is None else self.fraction

    def draw(self, height: int, width: int, seed: int) -> Bools:
        """The mask, True where to paint, shape (height, width); not for ``source``."""
        match self.shape:
            case "centre":
                return _centre(height, width, self.share)
            case "ellipse":
                return _ellipse(height, width, self.share)
            case "complement":
                mask = ~_centre(height, width, self.share)
                mask[: self.border] = mask[height - self.border :] = False
                mask[:, : self.border] = mask[:, width - self.border :] = False
                return mask
            case "random":
                return _random(height, width, self.share, np.random.default_rng([seed, 1]))
            case _:
                raise ValueError("the mask `source` comes with the real image")


def blend(originals: Bytes, painted: Bytes, masks: Bools, feather: float) -> Bytes:
    """The originals with what was painted inside the mask; without feathering every other pixel is the original's own.

    Args:
        originals: uint8 RGB, shape (batch, height, width, 3).
        painted: The same.
        masks: True where to take what was painted, shape (batch, height, width).
        feather: Deviation in pixels of the Gaussian by which the mask's edge is softened.
    """
    if not feather:
        return np.where(masks[..., None], painted, originals)
    from scipy.ndimage import gaussian_filter

    alpha = gaussian_filter(masks.astype(np.float64), (0, feather, feather), mode="nearest")[..., None]
    mixed: Bytes = np.rint(originals + alpha * (painted.astype(np.float64) - originals)).astype(np.uint8)
    return mixed


def _centre(height: int, width: int, share: float) -> Bools:
    mask = np.zeros((height, width), bool)
    (top, bottom), (left, right) = (_middle(side, math.sqrt(share)) for side in (height, width))
    mask[top:bottom, left:right] = True
    return mask


def _middle(side: int, share: float) -> tuple[int, int]:
    """Where the middle part of a side begins and ends."""
    length = max(1, round(side * share))
    first = round((side - length) / 2)
    return first, first + length


def _ellipse(height: int, width: int, share: float) -> Bools:
    """An ellipse in the middle; one of more than pi / 4 of the area is cut by the image's edges."""
    y, x = np.mgrid[:height, :width]
    reach = _reach(share)
    mask: Bools = ((y + 0.5 - height / 2) / height) ** 2 + ((x + 0.5 - width / 2) / width) ** 2 <= reach**2
    return mask


def _reach(share: float) -> float:
    """The radius of the disc whose part within the unit square has an area, by bisection where it is cut."""
    low, high = 0.0, math.sqrt(0.5)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _disc(middle) < share else (low, middle)
    return high


def _disc(radius: float) -> float:
    """The area of a disc about the middle of the unit square, as far as it lies within the square."""
    if radius <= 0.5:
        return math.pi * radius**2
    cut = math.sqrt(radius**2 - 0.25)
    segment = radius**2 * math.acos(0.5 / radius) - 0.5 * cut
    return math.pi * radius**2 - 4 * segment


def _random(height: int, width: int, share: float, rng: np.random.Generator) -> Bools:
    """A rectangle or an ellipse of an area, its proportions and its place drawn so that it lies within the image."""
    whole = math.pi / 4  # of the rectangle about it
    ellipse = bool(rng.integers(2)) and share <= whole
    box = share / whole if ellipse else share
    proportions = math.exp(rng.uniform(-1, 1) * math.log(min(2.0, 1 / box)))
    tall, wide = math.sqrt(box * proportions), math.sqrt(box / proportions)
    top, left = rng.uniform(0, 1 - tall), rng.uniform(0, 1 - wide)
    y = (((np.arange(height) + 0.5) / height - top) / tall * 2 - 1)[:, None]
    x = (((np.arange(width) + 0.5) / width - left) / wide * 2 - 1)[None, :]
    return y**2 + x**2 <= 1 if ellipse else (np.abs(y) <= 1) & (np.abs(x) <= 1)
