"""Where the parts of a loaded model lie: all on the device, the denoiser layer by layer, or its weights in fp8.

By diffusers' own hooks: ``enable_group_offload`` brings each layer to the GPU while it computes, the next one on its
way meanwhile, and ``enable_layerwise_casting`` keeps weights in float8_e4m3fn and casts each layer where it computes.
Text encoders are none of it: they have left by then, where their family allows it. The autoencoder stays whole.
"""

from __future__ import annotations

from typing import Any, Literal

from synthgen.diffusion.pipelines.latents import denoiser
from synthgen.errors import UnavailableError

Memory = Literal["", "offload", "fp8"]


def place(pipe: Any, device: str, memory: Memory) -> None:
    """Bring a pipeline onto a device.

    Args:
        pipe: The diffusers pipeline, on the CPU.
        device: torch's device type.
        memory: ``offload`` to leave the denoiser in the computer's memory, ``fp8`` to halve its weights of fp16 or
            bf16; empty for all as it is.

    Raises:
        UnavailableError: The denoiser's class can't be held so.
    """
    import torch

    network = denoiser(pipe)
    if memory and not (getattr(network, "_supports_group_offloading", False) or memory == "fp8"):
        raise UnavailableError(f"--memory offload: diffusers can't offload a {type(network).__name__}; leave it out")
    if memory == "fp8":
        if not hasattr(network, "enable_layerwise_casting"):
            raise UnavailableError(f"--memory fp8: diffusers can't cast a {type(network).__name__}; leave it out")
        network.enable_layerwise_casting(torch.float8_e4m3fn, compute_dtype=network.dtype)
    if memory != "offload":
        pipe.to(device)
        return
    network.enable_group_offload(
        torch.device(device), torch.device("cpu"), offload_type="leaf_level", use_stream=device == "cuda"
    )
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module) and part is not network:
            part.to(device)
