"""Torch's out-of-memory faults as ours: of a batch of images, which a smaller one mends, and of text encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from synthgen.errors import OutOfMemoryError, SynthgenError, UnavailableError

# What torch and CUDA's libraries say where there is no memory for a batch, of which accelerate's
# `should_reduce_batch_size` knows the first three.
_SAID = (
    "can't allocate memory", "CUDA out of memory", "CUDNN_STATUS_NOT_SUPPORTED", "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED", "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory", "nable to find an engine",
)  # fmt: skip


@contextmanager
def out_of_memory(batch_size: int, what_to_do: str = "") -> Iterator[None]:
    """Turn out-of-memory faults of a batch into ours.

    Args:
        batch_size: How many images it holds.
        what_to_do: What the message says of it beyond that.

    Raises:
        OutOfMemoryError: There was no memory for it; a smaller batch may have.
    """
    said = f"no memory for a batch of {batch_size}" + (f"; {what_to_do}" if what_to_do else "")
    with _turned(lambda: OutOfMemoryError(said)):
        yield


@contextmanager
def no_memory_for_text() -> Iterator[None]:
    """Turn out-of-memory faults while texts are encoded into ours: their batch is always the same.

    Raises:
        UnavailableError: There was no memory for it; no smaller batch of images would help.
    """
    said = (
        "no memory to encode prompts: end what else is on the device, set --dtype bf16, or take a model with smaller "
        "text encoders"
    )
    with _turned(lambda: UnavailableError(said)):
        yield


@contextmanager
def _turned(into: Callable[[], SynthgenError]) -> Iterator[None]:
    """Raise another fault in place of one of memory, which on a CPU and in CUDA's libraries is a plain RuntimeError."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise into() from error
    except RuntimeError as error:
        if not any(said in str(error) for said in _SAID):
            raise
        raise into() from error
