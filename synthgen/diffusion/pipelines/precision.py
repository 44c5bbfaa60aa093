"""What an image that came out as NaN is computed in when it is made again, and how a loaded model is held in that.

fp16 ends at 65,504. It is the autoencoder that overflows most often, then the denoiser; bf16, of the same size, hardly
ever does. So the cheapest is tried first: the autoencoder in fp32, then the denoiser in bf16, then both in fp32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.diffusion.pipelines import attention, latents

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Precision:
    """What the parts of a model are computed in, for an image that is made again.

    Attributes:
        name: What records call it.
        denoiser: The dtype's name in torch; empty for the one that it is loaded in.
        vae: The same of the autoencoder.
    """

    name: str
    denoiser: str
    vae: str


FP32 = Precision("float32", "float32", "float32")
_LADDER = (
    Precision("vae-float32", "", "float32"),
    Precision("denoiser-bfloat16", "bfloat16", "float32"),
    FP32,
)


def ladder(dtype: str, device: str) -> tuple[Precision, ...]:
    """The precisions in which an image is made again, one after another until it is finite.

    Args:
        dtype: What the model is loaded in, the dtype's name in torch; in fp32 there is nothing to gain.
        device: torch's device type; bf16 that CUDA emulates is left out.
    """
    import torch

    if dtype == "float32":
        return ()
    emulated = device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    without = {"bfloat16"} if dtype == "bfloat16" or emulated else set()
    return tuple(one for one in _LADDER if one.denoiser not in without)


@contextmanager
def held(pipe: Any, precision: Precision) -> Iterator[None]:
    """Hold the denoiser and the autoencoder of a pipeline in other dtypes; then each tensor is what it was.

    Text encoders stay as they are: what they said is known by now, and T5 keeps layers in fp32 that a round trip of the
    whole pipeline would leave in half.
    """
    import torch

    with ExitStack() as stack:
        beside = getattr(pipe, "controlnet", None)
        parts = [(latents.denoiser(pipe), precision.denoiser), (beside, precision.denoiser), (pipe.vae, precision.vae)]
        for part, dtype in parts:
            if part is not None and dtype:
                stack.enter_context(_held_in(part, getattr(torch, dtype)))
        if precision.denoiser == "float32":
            stack.enter_context(attention.in_fp32(pipe))
        if precision.vae != precision.denoiser:
            stack.enter_context(_decoding_in(pipe.vae, getattr(torch, precision.vae)))
        yield


@contextmanager
def _held_in(part: Any, dtype: torch.dtype) -> Iterator[None]:
    """Hold a module in a dtype. What that can't hold exactly waits in the computer's memory, so a GPU needs no more."""
    import torch

    before = {
        name: (tensor.dtype, None if torch.promote_types(tensor.dtype, dtype) == dtype else tensor.data.cpu())
        for name, tensor in _tensors(part)
    }
    try:
        part.to(dtype)
        yield
    finally:
        for name, tensor in _tensors(part):
            usual, kept = before[name]
            tensor.data = tensor.data.to(usual) if kept is None else kept.to(tensor.device)


def _tensors(part: Any) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a module, by name."""
    yield from part.named_parameters()
    yield from part.named_buffers()


@contextmanager
def _decoding_in(vae: Any, dtype: torch.dtype) -> Iterator[None]:
    """Bring latents to the autoencoder's dtype where it decodes them: pipelines give them in the denoiser's."""

    def bring(_module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (inputs[0].to(dtype), *inputs[1:])

    first = getattr(vae, "post_quant_conv", None) or vae.decoder
    hook = first.register_forward_pre_hook(bring)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def without_text_encoders(pipe: Any) -> Iterator[None]:
    """Hide the text encoders: a pipeline that has one brings embeddings to its dtype, not to the denoiser's."""
    hidden = {name: getattr(pipe, name) for name in pipe.components if name.startswith("text_encoder")}
    try:
        for name in hidden:
            setattr(pipe, name, None)
        yield
    finally:
        for name, part in hidden.items():
            setattr(pipe, name, part)
