"""What a loaded pipeline takes of a device for each image, measured while it makes one and then two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from synthgen.core.peak_memory import peak_memory
from synthgen.diffusion.pipelines.latents import denoiser
from synthgen.errors import OutOfMemoryError


@dataclass(frozen=True, slots=True)
class MeasuredMemory:
    """What making images takes beside the weights, in bytes.

    Attributes:
        fixed: Of a step, whatever the number of images.
        step: Of a step, for each image.
        decode: Of the autoencoder, for an image.
        most: How many images can be made at once at most, where two were too many; ``None`` where they were not.
    """

    fixed: int
    step: int
    decode: int
    most: int | None = None


def measure(pipe: Any, make: Callable[[int], object]) -> MeasuredMemory:
    """Measure what a pipeline takes.

    Args:
        pipe: The diffusers pipeline.
        make: Makes so many images by it, in a step or more.

    Raises:
        OutOfMemoryError: Not one image fits.
    """
    device = pipe._execution_device.type
    with _peaks(device, denoiser(pipe), "forward") as one, _peaks(device, pipe.vae, "decode") as decoded:
        make(1)
    try:
        with _peaks(device, denoiser(pipe), "forward") as two:
            make(2)
    except OutOfMemoryError:
        return MeasuredMemory(0, max(one), max(decoded), most=1)
    step = max(1, max(two) - max(one))
    return MeasuredMemory(max(0, max(one) - step), step, max(decoded))


@contextmanager
def _peaks(device: str, module: Any, method: str) -> Iterator[list[int]]:
    """The peak of each call of a module's method inside, in bytes."""
    found, usual = [0], getattr(module, method)

    def measured(*args: Any, **kwargs: Any) -> Any:
        with peak_memory(device) as peak:
            result = usual(*args, **kwargs)
        found.append(peak.bytes)
        return result

    setattr(module, method, measured)
    try:
        yield found
    finally:
        delattr(module, method)  # the class's own is seen again
