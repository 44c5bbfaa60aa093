"""Making a shard's images: fixed batches, and a bounded second chance for each image that came out wrong.

NaN or infinite output is made again with the same seed in fp32; black or flat output with the next attempt's seed. What
still fails is a failed sample, never a hole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.plan.sample import Sample
from synthgen.vision.images import codec

if TYPE_CHECKING:
    from synthgen.core.types import Pixels
from synthgen.diffusion.maker import ImageMaker, MadeImages

MAX_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class MadeSample:
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
    maker: ImageMaker,
    batch_size: int,
    again: Callable[[Sample, int], Sample],
    max_attempts: int = MAX_ATTEMPTS,
) -> Iterator[MadeSample]:
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
                    if isinstance(settled, MadeSample):
                        yield settled
                    else:
                        later.append(settled)
        queue = later


def pad(samples: Sequence[Sample], size: int) -> list[Sample]:
    """Fill a batch up with copies of its last sample, so that its shape, and so its bits, never change."""
    return [*samples, *[samples[-1]] * (size - len(samples))]


def _settle(
    one: _Try,
    painted: MadeImages,
    place: int,
    again: Callable[[Sample, int], Sample],
    max_attempts: int,
) -> MadeSample | _Try:
    """Decide what follows from one image: keep it, try it once more, or give it up."""
    pixels = painted.pixels[place]
    if painted.faults and painted.faults[place]:
        return MadeSample(one.sample, None, (*one.tries, painted.faults[place], "failed"))
    fault = codec.blank(pixels) if painted.finite[place] else "nonfinite"
    if not fault:
        return MadeSample(one.sample, pixels, (*one.tries, "made"))
    tries = (*one.tries, fault)
    if fault == "nonfinite" and not one.precise:
        return _Try(one.sample, tries, precise=True)
    attempt = one.sample.attempt + 1
    if attempt == max_attempts:
        return MadeSample(one.sample, None, (*tries, "failed"))
    return _Try(again(one.sample, attempt), tries)
