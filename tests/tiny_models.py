"""Models of each family with random weights, as small as they get, for tests to build."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from synthgen.core import model_folder

WEIGHTS = model_folder.describe(model_folder.BUNDLED, Path()).folder


def tokenizer() -> Any:
    """The bundled tokenizer."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer")


def text_encoder(width: int, projection: bool = False) -> Any:
    """A tiny CLIP text encoder that fits the bundled tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    words = tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=width, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=words.model_max_length, projection_dim=width, bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def t5() -> tuple[Any, Any]:
    """A tiny T5 encoder, and a tokenizer that knows a few words."""
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    words = ("<pad>", "</s>", "<unk>", "▁", "▁An", "▁image", "▁of", "▁melanoma", ",", "▁a", "▁skin", "▁disease")
    config = T5Config(vocab_size=len(words), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return T5EncoderModel(config), T5Tokenizer(vocab=[(word, 0.0) for word in words])


def vae(latent_channels: int = 4, **extra: Any) -> Any:
    """A tiny autoencoder that divides the side by eight, as Stable Diffusion's does."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4, layers_per_block=1,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=latent_channels, norm_num_groups=4, sample_size=64,
        **extra,
    )  # fmt: skip


def unet(cross_attention_dim: int, in_channels: int = 4, **extra: Any) -> Any:
    """A tiny conditional UNet."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8, in_channels=in_channels, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=cross_attention_dim, **extra,
    )  # fmt: skip


def stable_diffusion(folder: Path) -> None:
    """Stable Diffusion 1.x, as small as it gets."""
    import torch
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    torch.manual_seed(0)
    StableDiffusionPipeline(
        vae=vae(), text_encoder=text_encoder(16), tokenizer=tokenizer(), unet=unet(16), safety_checker=None,
        scheduler=PNDMScheduler(skip_prk_steps=True, beta_schedule="scaled_linear", steps_offset=1),
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip


def stable_diffusion_inpainting(folder: Path) -> None:
    """Stable Diffusion for inpainting, as small as it gets: its UNet also reads a mask and the masked image."""
    import torch
    from diffusers import PNDMScheduler, StableDiffusionInpaintPipeline

    torch.manual_seed(0)
    StableDiffusionInpaintPipeline(
        vae=vae(), text_encoder=text_encoder(16), tokenizer=tokenizer(), unet=unet(16, in_channels=9),
        scheduler=PNDMScheduler(skip_prk_steps=True, beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip


def stable_diffusion_xl(folder: Path) -> None:
    """Stable Diffusion XL, as small as it gets: two text encoders, pooled embeddings and time ids."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    torch.manual_seed(0)
    StableDiffusionXLPipeline(
        vae=vae(), text_encoder=text_encoder(16), text_encoder_2=text_encoder(16, projection=True),
        tokenizer=tokenizer(), tokenizer_2=tokenizer(),
        unet=unet(32, addition_embed_type="text_time", addition_time_embed_dim=8,
                  projection_class_embeddings_input_dim=6 * 8 + 16),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
    ).save_pretrained(folder)  # fmt: skip


def stable_diffusion_3(folder: Path, **extra: Any) -> None:
    """Stable Diffusion 3, as small as it gets: a transformer that matches a flow, two CLIP encoders and T5."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(0)
    encoder, words = t5()
    StableDiffusion3Pipeline(
        vae=vae(16, shift_factor=0.06, scaling_factor=1.5, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=text_encoder(16, projection=True), text_encoder_2=text_encoder(16, projection=True),
        text_encoder_3=encoder, tokenizer=tokenizer(), tokenizer_2=tokenizer(), tokenizer_3=words,
        transformer=SD3Transformer2DModel(
            sample_size=8, patch_size=2, in_channels=16, out_channels=16, attention_head_dim=8,
            num_attention_heads=2, joint_attention_dim=32, caption_projection_dim=16, pooled_projection_dim=32,
            pos_embed_max_size=16, **({"num_layers": 1} | extra),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    ).save_pretrained(folder)  # fmt: skip


def flux(folder: Path) -> None:
    """Flux, as small as it gets: latents in squares of two by two, guidance as an input, CLIP and T5."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    torch.manual_seed(0)
    encoder, words = t5()
    FluxPipeline(
        vae=vae(16, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=text_encoder(16), tokenizer=tokenizer(), text_encoder_2=encoder, tokenizer_2=words,
        transformer=FluxTransformer2DModel(
            patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=16, axes_dims_rope=(4, 4, 8),
            guidance_embeds=True,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    ).save_pretrained(folder)  # fmt: skip


FAMILIES: dict[str, Callable[[Path], None]] = {
    "sd": stable_diffusion,
    "sd-inpainting": stable_diffusion_inpainting,
    "sdxl": stable_diffusion_xl,
    "sd3": stable_diffusion_3,
    "sd3-deep": partial(stable_diffusion_3, num_layers=2),  # its last layer takes nothing of a ControlNet
    "flux": flux,
}
