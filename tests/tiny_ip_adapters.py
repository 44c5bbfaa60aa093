"""IP-Adapters with random weights for the tiny models, each with the image encoder that it reads by."""

from pathlib import Path
from typing import Any

_EMBEDDED, _HIDDEN = 12, 16  # numbers that the image encoder gives of an image, and of each patch
WEIGHTS = "ip-adapter.safetensors"


def image_encoder(kind: str = "clip") -> Any:
    """A tiny image encoder of CLIP or SigLIP."""
    from transformers import (
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
        SiglipVisionConfig,
        SiglipVisionModel,
    )  # fmt: skip

    small: dict[str, Any] = {
        "hidden_size": _HIDDEN, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 32, "patch_size": 16,
    }  # fmt: skip
    if kind == "siglip":
        return SiglipVisionModel(SiglipVisionConfig(**small))
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**small, projection_dim=_EMBEDDED))


def build(model: Path, folder: Path) -> None:
    """An IP-Adapter for the denoiser of a tiny model.

    Raises:
        KeyError: None is built for such a denoiser.
    """
    import torch
    from diffusers import DiffusionPipeline
    from safetensors.torch import save_file

    torch.manual_seed(0)
    pipe = DiffusionPipeline.from_pretrained(model)
    network = getattr(pipe, "unet", None) or pipe.transformer
    if not type(network).__name__.startswith(("UNet2D", "SD3", "Flux")):
        raise KeyError(type(network).__name__)
    tensors = _of_sd3(network) if type(network).__name__.startswith("SD3") else _of_attention(network)
    image_encoder("siglip" if "image_proj.proj_in.weight" in tensors else "clip").save_pretrained(
        folder / "image_encoder"
    )
    save_file({name: torch.randn(one.shape) * 0.3 for name, one in tensors.items()}, folder / WEIGHTS)


def _of_attention(network: Any) -> dict[str, Any]:
    """Beside the layers that read the prompt, of a UNet or of Flux."""
    import torch

    found, layer = dict[str, Any](), 1
    flux = type(network).__name__.startswith("Flux")
    for name in network.attn_processors:
        if name.endswith("attn1.processor") or name.startswith("single_"):
            continue
        attention = network.get_submodule(name.removesuffix(".processor"))
        reads = attention.add_k_proj if flux else attention.to_k
        for which in ("k", "v"):
            place = f"ip_adapter.{layer // 2 if flux else layer}.to_{which}_ip"
            found[f"{place}.weight"] = torch.empty(reads.weight.shape)
            if flux:
                found[f"{place}.bias"] = torch.empty(len(reads.weight))
        layer += 2
    width = network.config.joint_attention_dim if flux else network.config.cross_attention_dim
    found |= {
        "image_proj.proj.weight": torch.empty(4 * width, _EMBEDDED), "image_proj.proj.bias": torch.empty(4 * width),
        "image_proj.norm.weight": torch.empty(width), "image_proj.norm.bias": torch.empty(width),
    }  # fmt: skip
    return found


def _of_sd3(network: Any) -> dict[str, Any]:
    """Beside the layers of Stable Diffusion 3, whose adapter also reads the time."""
    from diffusers.models.attention_processor import SD3IPAdapterJointAttnProcessor2_0
    from diffusers.models.embeddings import IPAdapterTimeImageProjection

    width = network.config.attention_head_dim * network.config.num_attention_heads
    found = dict[str, Any]()
    for place in range(len(network.attn_processors)):
        layer = SD3IPAdapterJointAttnProcessor2_0(width, width, network.config.attention_head_dim, 64)
        found |= {f"ip_adapter.{place}.{name}": one for name, one in layer.state_dict().items()}
    read = IPAdapterTimeImageProjection(  # diffusers reads adapters of four layers alone
        _HIDDEN, width, 64, depth=4, dim_head=64, heads=1, num_queries=4, timestep_in_dim=32
    )
    return found | {f"image_proj.{name}": one for name, one in read.state_dict().items()}
