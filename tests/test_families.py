"""Each supported model family really runs, on tiny models with random weights that the tests build themselves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import images, models, tars
from synthgen.errors import ManifestError, UnavailableError

pytestmark = pytest.mark.slow

SETTINGS = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 32, "width": 32}
WEIGHTS = models.describe(models.BUNDLED, Path()).folder


def text_encoder(width: int, projection: bool = False) -> Any:
    """A tiny CLIP text encoder that fits the bundled tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=777, hidden_size=width, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=32, projection_dim=width, bos_token_id=775, eos_token_id=776, pad_token_id=776,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def tokenizer() -> Any:
    """The bundled tokenizer."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer")


def vae() -> Any:
    """A tiny autoencoder that divides the side by eight, as Stable Diffusion's does."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4, layers_per_block=1,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, norm_num_groups=4, sample_size=64,
    )  # fmt: skip


def unet(cross_attention_dim: int, **extra: Any) -> Any:
    """A tiny conditional UNet."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4, attention_head_dim=4,
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


@pytest.fixture(scope="module", params=[stable_diffusion, stable_diffusion_xl], ids=["sd", "sdxl"])
def family(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model of a family."""
    folder: Path = tmp_path_factory.mktemp("model")
    request.param(folder)
    return folder


def test_a_family_generates(
    family: Path, make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """A model of the family makes images of the size asked for, the same in another batch to 40 dB."""
    plan = make_plan(
        model=str(family),
        generate=[{"strategy": "text2img", "total": 4, "settings": SETTINGS}],
        output={"image_format": "png", "shard_samples": 4},
    )
    from synthgen.devices import Wish

    make_images(plan, tmp_path / "four", Wish(batch_size=4))
    make_images(plan, tmp_path / "one", Wish(batch_size=1))
    pairs = [tars.read(tmp_path / name / "text2img/00000.tar") for name in ("four", "one")]
    for four, one in zip(*pairs, strict=True):
        first, second = images.decode(four.files["png"]), images.decode(one.files["png"])
        assert first.shape == (32, 32, 3)
        assert images.psnr(first, second) >= 40


def test_a_family_that_nobody_tried_is_refused(make_plan: Callable[..., Any], tmp_path: Path) -> None:
    """A local model of another family is refused when the manifest is read, with those there are."""
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(ManifestError, match="FluxPipeline; text2img is supported for: StableDiffusion"):
        make_plan(model=str(tmp_path), generate=[{"strategy": "text2img", "per_cell": 1, "settings": SETTINGS}])


def test_a_hub_model_that_is_not_there_is_said(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """Offline, a Hub id that was never downloaded is one line that says what to do."""
    plan = make_plan(model="org/never", generate=[{"strategy": "text2img", "per_cell": 1, "settings": SETTINGS}])
    with pytest.raises(UnavailableError, match="model org/never: not downloaded before"):
        make_images(plan, tmp_path / "run")
