"""Which kernel computes attention, by diffusers' own names; asked for and not to be had is refused, never replaced."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from synthgen.diffusion.pipelines.latents import denoiser
from synthgen.errors import UnavailableError

BACKENDS = {"sdpa": "native", "cudnn": "_native_cudnn", "flash-3": "_flash_3", "xformers": "xformers"}
"""diffusers' names of attention backends, by ours."""


def set_attention(pipe: Any, name: str) -> None:
    """Have a pipeline's denoiser compute attention by a backend, whatever ``DIFFUSERS_ATTN_BACKEND`` says.

    diffusers' ``set_attention_backend`` has no effect on denoisers whose layers can't choose, such as UNets, and
    changes the default of the whole process beside; here the first is refused and the second put back.

    Args:
        pipe: The diffusers pipeline.
        name: One of ``BACKENDS``.

    Raises:
        UnavailableError: The denoiser's attention can't be chosen so, or the package is not there.
    """
    from diffusers.models.attention_dispatch import attention_backend

    part = denoiser(pipe)
    try:
        with attention_backend(BACKENDS["sdpa"]):
            if name == "xformers":
                pipe.enable_xformers_memory_efficient_attention()
            elif _choosers(part):
                part.set_attention_backend(BACKENDS[name])
            elif name != "sdpa":
                raise UnavailableError(f"--attention {name}: a {type(part).__name__} has no choice of it; use sdpa")
    except (RuntimeError, ValueError, ImportError) as error:
        raise UnavailableError(f"--attention {name}: {' '.join(str(error).split())[:200]}; or use sdpa") from None


@contextmanager
def in_fp32(pipe: Any) -> Iterator[None]:
    """Compute attention by PyTorch's own kernels meanwhile: cuDNN's and FlashAttention's know half precision alone."""
    found = [(one, one._attention_backend) for one in _choosers(denoiser(pipe))]
    halves = {BACKENDS["cudnn"], BACKENDS["flash-3"]}
    for one, before in found:
        if before in halves:
            one._attention_backend = type(before)(BACKENDS["sdpa"])
    try:
        yield
    finally:
        for one, before in found:
            one._attention_backend = before


def _choosers(part: Any) -> list[Any]:
    """What computes attention in each layer of a denoiser, where it can choose how."""
    processors = (getattr(one, "processor", None) for one in part.modules())
    return [one for one in processors if hasattr(one, "_attention_backend")]
