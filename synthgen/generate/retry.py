"""Makes the images of samples in batches of one size, and those that came out wrong again, a bounded number of times.

NaN or infinite output is made again with the same seed, more precisely; black or flat output with the next attempt's
seed. What still fails is a failed sample, never a hole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.errors import OutOfMemoryError
from synthgen.plan.sample import Sample
from synthgen.vision.images import codec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Pixels

MAX_ATTEMPTS = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MadeSample:
    """A sample and its image.

    Attributes:
        sample: The sample, at the attempt that was kept.
        pixels: Its image; ``None`` where it could not be made.
        outcomes: What came of each time that it was made: ``nonfinite``, ``black``, ``flat``, ``out-of-memory``, and at
            last ``made`` or ``failed``. An attempt, which is a seed, can be made twice, the second time precisely.
        precision: What it was computed in, where that is not the run's dtype and the maker says so.
        mask: True where it was painted, where the maker says so.
    """

    sample: Sample
    pixels: Pixels | None
    outcomes: tuple[str, ...]
    precision: str = ""
    mask: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class _Pending:
    """A sample that has to be made, with what came of it before, again and precisely where ``precise``."""

    sample: Sample
    outcomes: tuple[str, ...] = ()
    precise: bool = False


def make(
    samples: Sequence[Sample],
    maker: ImageMaker,
    batch_size: int,
    again: Callable[[Sample, int], Sample],
    max_attempts: int = MAX_ATTEMPTS,
    *,
    redo_batch_size: int = 0,
) -> Iterator[MadeSample]:
    """Every sample with its image, as it is settled, the repeated ones last.

    Args:
        samples: The samples, at their first attempt.
        maker: Makes a batch.
        batch_size: The batch's fixed size; one that is short is padded with copies of its last sample.
        again: The same sample at another attempt.
        max_attempts: Attempts of one sample before it counts as failed.
        redo_batch_size: The fixed size of batches that are made precisely; 0 for ``batch_size``. Where one of these
            does not fit the device, its samples have failed, and no other batch is touched.
    """
    pending = [_Pending(sample) for sample in samples]
    while pending:
        later: list[_Pending] = []
        for precise in (False, True):
            alike = [one for one in pending if one.precise is precise]
            size = (precise and redo_batch_size) or batch_size
            for first in range(0, len(alike), size):
                batch = alike[first : first + size]
                try:
                    made = maker(pad([one.sample for one in batch], size), precise=precise)
                except OutOfMemoryError as error:
                    if not (precise and redo_batch_size):
                        raise
                    yield from (_without_memory(one, error) for one in batch)
                    continue
                for place, one in enumerate(batch):
                    settled = _settle(one, made, place, again, max_attempts)
                    if isinstance(settled, MadeSample):
                        yield settled
                    else:
                        later.append(settled)
        pending = later


def pad(samples: Sequence[Sample], size: int) -> list[Sample]:
    """A batch filled up with copies of its last sample, so that its shape, and so its bits, never change."""
    return [*samples, *[samples[-1]] * (size - len(samples))]


def _without_memory(one: _Pending, error: OutOfMemoryError) -> MadeSample:
    """The sample failed: it would be another image in a smaller batch or with another seed, on this device alone."""
    _log.warning("%s: not finite, and to make it again more precisely: %s; it counts as failed", one.sample.key, error)
    return MadeSample(one.sample, None, (*one.outcomes, "out-of-memory", "failed"))


def _settle(
    one: _Pending,
    made: MadeImages,
    place: int,
    again: Callable[[Sample, int], Sample],
    max_attempts: int,
) -> MadeSample | _Pending:
    """What follows from one image: it is kept, made once more, or given up."""
    pixels = made.pixels[place]
    if made.faults and made.faults[place]:
        return MadeSample(one.sample, None, (*one.outcomes, made.faults[place], "failed"))
    extremes = None if made.extremes is None else made.extremes[place]
    fault = codec.blank(pixels, extremes) if made.finite[place] else "nonfinite"
    if not fault:
        precision = made.precisions[place] if made.precisions else ""
        mask = None if made.masks is None else made.masks[place]
        return MadeSample(one.sample, pixels, (*one.outcomes, "made"), precision, mask)
    outcomes = (*one.outcomes, fault)
    if fault == "nonfinite" and not one.precise:
        return _Pending(one.sample, outcomes, precise=True)
    attempt = one.sample.attempt + 1
    if attempt == max_attempts:
        return MadeSample(one.sample, None, (*outcomes, "failed"))
    return _Pending(again(one.sample, attempt), outcomes)
