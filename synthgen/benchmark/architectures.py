"""Full-size architectures from written-out configurations, with random weights: nothing is downloaded.

Denoisers and autoencoders have the sizes of the published models, whose ``config.json`` files say the same numbers, so
their speed and memory are those of the real ones. Text encoders are stand-ins of the right width with two layers: they
are called once a prompt. ``reduced`` gives networks of the same classes that a CPU runs in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from synthgen.core.model_folder import bundled

_CROSS, _DOWN, _UP = "CrossAttnDownBlock2D", "DownBlock2D", "UpBlock2D"
_BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_WORDS = (
    "<pad>", "</s>", "<unk>", "▁", "▁An", "▁image", "▁of", "▁melanoma", ",", "▁a", "▁skin", "▁psoriasis", "▁healthy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Architecture:
    """One family in the size that is published.

    Attributes:
        name: What reports call it.
        family: Its family of pipelines.
        side: Height and width of its images in pixels.
        steps: The steps it is commonly sampled with.
        guidance_scale: The guidance it is commonly sampled with; 1 samples without.
        scheduler: The scheduler, as manifests name it.
        weights: Bytes of its denoiser and autoencoder in half precision, rounded up.
        dtype: What such a model is stored in, and computed in on CUDA.
    """

    name: str
    family: str
    side: int
    steps: int
    guidance_scale: float
    scheduler: str
    weights: int
    dtype: str

    @property
    def passes(self) -> int:
        """Passes through the denoiser an image takes: two a guided step, and one of Flux, which learned guidance."""
        return self.steps * (2 if self.guidance_scale > 1 and self.family != "Flux" else 1)


ARCHITECTURES = {
    "sd15": Architecture("SD 1.5", "StableDiffusion", 512, 25, 7.5, "dpm++2m", 2 * 10**9, "float16"),
    "sdxl": Architecture("SDXL", "StableDiffusionXL", 1024, 30, 5.0, "euler", 6 * 10**9, "float16"),
    "sd3": Architecture("SD3 medium", "StableDiffusion3", 1024, 28, 7.0, "default", 5 * 10**9, "float16"),
    "flux": Architecture("Flux", "Flux", 1024, 28, 3.5, "default", 25 * 10**9, "bfloat16"),
}
REDUCED_SIDE = 64
"""Height and width of images of reduced networks."""


def build(name: str, device: str, dtype: str, *, reduced: bool = False, seed: int = 0) -> Any:
    """A diffusers text-to-image pipeline with random weights, on a device.

    Args:
        name: One of ``ARCHITECTURES``.
        device: torch's device.
        dtype: The dtype's name in torch.
        reduced: Networks of the same classes, as small as they get.
        seed: Of the weights; the same on one device and dtype gives the same.
    """
    import diffusers
    import torch
    import transformers

    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    usual = torch.get_default_dtype()
    torch.manual_seed(seed)
    try:
        torch.set_default_dtype(getattr(torch, dtype))
        with torch.device(device):
            pipe = _BUILDERS[name](reduced)
    finally:
        torch.set_default_dtype(usual)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@contextmanager
def _usual() -> Iterator[None]:
    """The CPU and fp32 inside, for schedulers, which hold small tables that they read as numbers."""
    import torch

    dtype = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float32)
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


def _scheduler(kind: str, **settings: Any) -> Any:
    import diffusers

    with _usual():
        return getattr(diffusers, kind)(**settings)


def configurations(pipe: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configurations of a pipeline's denoiser and autoencoder, as their ``config.json`` would say them."""
    part = pipe.unet if hasattr(pipe, "unet") else pipe.transformer
    return json.loads(part.to_json_string()), json.loads(pipe.vae.to_json_string())


def _tokenizer() -> Any:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(bundled() / "tokenizer")


def _clip(width: int, *, projection: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    words = _tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=width, intermediate_size=4 * width, num_hidden_layers=2,
        num_attention_heads=max(2, width // 64), max_position_embeddings=words.model_max_length, projection_dim=width,
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def _t5(width: int) -> tuple[Any, Any]:
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    config = T5Config(vocab_size=len(_WORDS), d_model=width, d_kv=8, d_ff=width, num_layers=1, num_heads=2)
    return T5EncoderModel(config), T5Tokenizer(vocab=[(word, 0.0) for word in _WORDS])


def _vae(channels: int, reduced: bool, **extra: Any) -> Any:
    from diffusers import AutoencoderKL

    widths = (8, 8, 8, 8) if reduced else (128, 256, 512, 512)
    quant = channels == 4  # later families have no convolution before and after the latents
    return AutoencoderKL(
        block_out_channels=widths, layers_per_block=1 if reduced else 2, norm_num_groups=4 if reduced else 32,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels, sample_size=512, use_quant_conv=quant, use_post_quant_conv=quant, **extra,
    )  # fmt: skip


def _unet(reduced: bool, full: dict[str, Any], tiny: dict[str, Any]) -> Any:
    from diffusers import UNet2DConditionModel

    small = {
        "layers_per_block": 1, "block_out_channels": (8, 16), "norm_num_groups": 4, "attention_head_dim": 4,
        "down_block_types": (_DOWN, _CROSS), "up_block_types": ("CrossAttnUpBlock2D", _UP),
    } | tiny  # fmt: skip
    return UNet2DConditionModel(in_channels=4, out_channels=4, **(small if reduced else {"layers_per_block": 2} | full))


def _sd15(reduced: bool) -> Any:
    from diffusers import StableDiffusionPipeline

    unet = _unet(
        reduced,
        {
            "sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "attention_head_dim": 8,
            "cross_attention_dim": 768, "down_block_types": (_CROSS, _CROSS, _CROSS, _DOWN),
            "up_block_types": (_UP, *["CrossAttnUpBlock2D"] * 3),
        },
        {"sample_size": 8, "cross_attention_dim": 16},
    )  # fmt: skip
    return StableDiffusionPipeline(
        vae=_vae(4, reduced, force_upcast=False), text_encoder=_clip(16 if reduced else 768), tokenizer=_tokenizer(),
        unet=unet, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        scheduler=_scheduler("PNDMScheduler", skip_prk_steps=True, steps_offset=1, **_BETAS),
    )  # fmt: skip


def _sdxl(reduced: bool) -> Any:
    from diffusers import StableDiffusionXLPipeline

    widths = (16, 16) if reduced else (768, 1280)
    added = {"addition_embed_type": "text_time", "cross_attention_dim": sum(widths)}
    unet = _unet(
        reduced,
        {
            "sample_size": 128, "block_out_channels": (320, 640, 1280), "attention_head_dim": (5, 10, 20),
            "use_linear_projection": True, "transformer_layers_per_block": (1, 2, 10),
            "down_block_types": (_DOWN, _CROSS, _CROSS), "up_block_types": (*["CrossAttnUpBlock2D"] * 2, _UP),
            "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 6 * 256 + widths[1], **added,
        },
        {
            "sample_size": 8, "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + widths[1],
            **added,
        },
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=_vae(4, reduced, force_upcast=True), text_encoder=_clip(widths[0]), tokenizer=_tokenizer(),
        text_encoder_2=_clip(widths[1], projection=True), tokenizer_2=_tokenizer(), unet=unet, add_watermarker=False,
        scheduler=_scheduler("EulerDiscreteScheduler", steps_offset=1, **_BETAS),
    )  # fmt: skip


def _sd3(reduced: bool) -> Any:
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    widths, joint = ((16, 16), 32) if reduced else ((768, 1280), 4096)
    heads, head, layers = (2, 8, 1) if reduced else (24, 64, 24)
    transformer = SD3Transformer2DModel(
        sample_size=8 if reduced else 128, patch_size=2, in_channels=16, out_channels=16, num_layers=layers,
        attention_head_dim=head, num_attention_heads=heads, joint_attention_dim=joint,
        caption_projection_dim=heads * head, pooled_projection_dim=sum(widths), pos_embed_max_size=192,
    )  # fmt: skip
    encoder, words = _t5(joint)
    return StableDiffusion3Pipeline(
        vae=_vae(16, reduced, shift_factor=0.0609, scaling_factor=1.5305), transformer=transformer,
        text_encoder=_clip(widths[0], projection=True), text_encoder_2=_clip(widths[1], projection=True),
        text_encoder_3=encoder, tokenizer=_tokenizer(), tokenizer_2=_tokenizer(), tokenizer_3=words,
        scheduler=_scheduler("FlowMatchEulerDiscreteScheduler", shift=3.0),
    )  # fmt: skip


def _flux(reduced: bool) -> Any:
    from diffusers import FluxPipeline, FluxTransformer2DModel

    width, joint = (16, 32) if reduced else (768, 4096)
    heads, head, layers, single = (2, 16, 1, 1) if reduced else (24, 128, 19, 38)
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=layers, num_single_layers=single, attention_head_dim=head,
        num_attention_heads=heads, joint_attention_dim=joint, pooled_projection_dim=width, guidance_embeds=True,
        axes_dims_rope=(4, 4, 8) if reduced else (16, 56, 56),
    )  # fmt: skip
    encoder, words = _t5(joint)
    return FluxPipeline(
        vae=_vae(16, reduced, shift_factor=0.1159, scaling_factor=0.3611), transformer=transformer,
        text_encoder=_clip(width), tokenizer=_tokenizer(), text_encoder_2=encoder, tokenizer_2=words,
        scheduler=_scheduler("FlowMatchEulerDiscreteScheduler", shift=3.0, use_dynamic_shifting=True),
    )  # fmt: skip


_BUILDERS: dict[str, Callable[[bool], Any]] = {"sd15": _sd15, "sdxl": _sdxl, "sd3": _sd3, "flux": _flux}
