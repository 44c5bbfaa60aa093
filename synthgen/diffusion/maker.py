"""The interface of image makers: a batch of samples in, their images out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from synthgen.plan.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Pixels


@dataclass(frozen=True, slots=True)
class MadeImages:
    """The images of a batch of samples.

    Attributes:
        pixels: uint8 RGB, shape (batch, height, width, 3).
        finite: bool, shape (batch,): False where the model's output held NaN or infinity.
        faults: Why an image can't be made at all, whatever the attempt, one word each; empty where it can.
        extremes: uint8, shape (batch, 2, 3): the lowest and the highest value of each channel, where they were found on
            the device; looked for in the pixels otherwise.
    """

    pixels: Pixels
    finite: npt.NDArray[np.bool_]
    faults: tuple[str, ...] = ()
    extremes: Pixels | None = None


class ImageMaker(Protocol):
    """Makes the images of a batch of samples, each independent of the others in its batch."""

    def __call__(self, samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        """One image a sample; ``precise`` computes in fp32 whatever the dtype is otherwise."""
