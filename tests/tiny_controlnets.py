"""ControlNets with random weights for the tiny models."""

import warnings
from pathlib import Path
from typing import Any

_UNGIVEN = {"num_layers": 1, "num_extra_conditioning_channels": 0, "load_weights_from_transformer": False}
_HEADS = {"num_layers": 1, "num_single_layers": 1, "num_attention_heads": 2, "attention_head_dim": 16}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "UNet2DConditionModel": ("ControlNetModel", {}),
    "SD3Transformer2DModel": ("SD3ControlNetModel", _UNGIVEN),
    "FluxTransformer2DModel": ("FluxControlNetModel", _HEADS),
}
"""The class of a ControlNet by its denoiser's, and how the one is cut from the other."""


def build(model: Path, folder: Path) -> None:
    """A ControlNet for the denoiser of a tiny model.

    Raises:
        KeyError: None is built for such a denoiser.
    """
    import diffusers

    part = "unet" if (model / "unet").is_dir() else "transformer"
    of = diffusers.UNet2DConditionModel.load_config(model / part)["_class_name"]
    name, given = KINDS[of]
    denoiser = getattr(diffusers, of).from_pretrained(model / part)
    with warnings.catch_warnings():  # diffusers' own ControlNet of Flux is built of what it calls deprecated
        warnings.simplefilter("ignore", FutureWarning)
        network = getattr(getattr(diffusers, name), f"from_{part}")(denoiser, **given)
    trained(network).save_pretrained(folder)


def trained(network: Any) -> Any:
    """The same network with random weights where an untrained ControlNet has zeros."""
    import torch

    torch.manual_seed(1)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network
