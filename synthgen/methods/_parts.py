"""The parts of a diffusers pipeline by the names that families give them."""

from collections.abc import Mapping
from typing import Any

FAMILIES = ("StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "Flux")


def denoiser_name(pipe: Any) -> str:
    """What the pipeline calls its denoiser: ``unet``, or ``transformer``."""
    return "unet" if hasattr(pipe, "unet") else "transformer"


def trained(networks: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of networks that are trained, by network and name."""
    return {
        f"{network}.{name}": value
        for network, module in networks.items()
        for name, value in module.named_parameters()
        if value.requires_grad
    }
