"""Making a shard's images: fixed batches, and a bounded second chance for each image that came out wrong.

NaN or infinite output is made again with the same seed in fp32; black or flat output with the next attempt's seed. What
still fails is a failed sample, never a hole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from synthgen import images
from synthgen.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.images import Pixels

MAX_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Painted:
    """What a maker gives back for a batch.

    Attributes:
        pixels: uint8 RGB, shape (batch, height, width, 3).
        finite: bool, shape (batch,): False where the model's output held NaN or infinity.
        faults: Why an image can't be made at all, whatever the attempt, one word each; empty where it can.
    """

    pixels: Pixels
    finite: npt.NDArray[np.bool_]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Original:
    """The image that a sample starts from, at the size that is made.

    Attributes:
        pixels: uint8 RGB, shape (height, width, 3).
        mask: True where its own mask is set, shape (height, width); ``None`` where it has none.
    """

    pixels: Pixels
    mask: npt.NDArray[np.bool_] | None = None


Originals = Callable[[Sample], Original]


def no_originals(sample: Sample) -> Original:
    """The originals of samples that start from no image.

    Raises:
        LookupError: Always; nothing should ask.
    """
    raise LookupError(f"{sample.key} starts from no image")


class Maker(Protocol):
    """Makes the images of a batch of samples; what one looks like depends on no other."""

    def __call__(self, samples: Sequence[Sample], *, precise: bool = False) -> Painted:
        """Make one image a sample; ``precise`` computes in fp32 whatever the dtype is otherwise."""


@dataclass(frozen=True, slots=True)
class Made:
    """A sample at the attempt that was kept, its image (``None`` where all failed), and what each try gave."""

    sample: Sample
    pixels: Pixels | None
    tries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Try:
    sample: Sample
    tries: tuple[str, ...] = ()
    precise: bool = False


def make(
    samples: Sequence[Sample],
    maker: Maker,
    batch_size: int,
    again: Callable[[Sample, int], Sample],
    max_attempts: int = MAX_ATTEMPTS,
) -> Iterator[Made]:
    """Make every sample; yields each once, as it is settled, the repeated ones last.

    Args:
        samples: The samples, at their first attempt.
        maker: Makes a batch.
        batch_size: The batch's fixed size; one that is short is padded with copies of its last sample.
        again: The same sample at another attempt.
        max_attempts: Attempts of one sample before it counts as failed.
    """
    queue = [_Try(sample) for sample in samples]
    while queue:
        later: list[_Try] = []
        for precise in (False, True):
            tries = [one for one in queue if one.precise is precise]
            for first in range(0, len(tries), batch_size):
                batch = tries[first : first + batch_size]
                painted = maker(pad([one.sample for one in batch], batch_size), precise=precise)
                for place, one in enumerate(batch):
                    settled = _settle(one, painted, place, again, max_attempts)
                    if isinstance(settled, Made):
                        yield settled
                    else:
                        later.append(settled)
        queue = later


def pad(samples: Sequence[Sample], size: int) -> list[Sample]:
    """Fill a batch up with copies of its last sample, so that its shape, and so its bits, never change."""
    return [*samples, *[samples[-1]] * (size - len(samples))]


def _settle(
    one: _Try,
    painted: Painted,
    place: int,
    again: Callable[[Sample, int], Sample],
    max_attempts: int,
) -> Made | _Try:
    """Decide what follows from one image: keep it, try it once more, or give it up."""
    pixels = painted.pixels[place]
    if painted.faults and painted.faults[place]:
        return Made(one.sample, None, (*one.tries, painted.faults[place], "failed"))
    fault = images.blank(pixels) if painted.finite[place] else "nonfinite"
    if not fault:
        return Made(one.sample, pixels, (*one.tries, "made"))
    tries = (*one.tries, fault)
    if fault == "nonfinite" and not one.precise:
        return _Try(one.sample, tries, precise=True)
    attempt = one.sample.attempt + 1
    if attempt == max_attempts:
        return Made(one.sample, None, (*tries, "failed"))
    return _Try(again(one.sample, attempt), tries)
