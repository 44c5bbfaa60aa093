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
        precisions: What each image was computed in, where that is not the run's dtype, as its record will say it;
            empty where all are.
        masks: bool, shape (batch, height, width): True where each image was painted; ``None`` of a strategy whose
            images have no mask.
    """

    pixels: Pixels
    finite: npt.NDArray[np.bool_]
    faults: tuple[str, ...] = ()
    extremes: Pixels | None = None
    precisions: tuple[str, ...] = ()
    masks: npt.NDArray[np.bool_] | None = None


def joined(parts: Sequence[MadeImages]) -> MadeImages:
    """Batches of images of one size as one batch."""
    import numpy as np

    extremes = [part.extremes for part in parts if part.extremes is not None]
    masks = [part.masks for part in parts if part.masks is not None]
    return MadeImages(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.finite for part in parts]),
        tuple(fault for part in parts for fault in part.faults),
        np.concatenate(extremes) if len(extremes) == len(parts) else None,
        tuple(name for part in parts for name in part.precisions),
        np.concatenate(masks) if len(masks) == len(parts) else None,
    )


class ImageMaker(Protocol):
    """Makes the images of a batch of samples, each independent of the others in its batch."""

    def __call__(self, samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        """One image a sample; ``precise`` makes those again that were not finite, in fp32 or as it takes."""
