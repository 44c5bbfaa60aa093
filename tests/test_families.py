"""Each supported model family really runs, on tiny models with random weights that the tests build themselves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import generate, images, models, planning, tars
from synthgen.all_doors import DOORS
from synthgen.devices import Wish
from synthgen.errors import ManifestError, UnavailableError

pytestmark = pytest.mark.slow

SETTINGS = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 32, "width": 32}
WEIGHTS = models.describe(models.BUNDLED, Path()).folder


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


def vae() -> Any:
    """A tiny autoencoder that divides the side by eight, as Stable Diffusion's does."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4, layers_per_block=1,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, norm_num_groups=4, sample_size=64,
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


FAMILIES = {"sd": stable_diffusion, "sdxl": stable_diffusion_xl, "sd-inpainting": stable_diffusion_inpainting}
STRATEGIES = ["text2img", "img2img", "inpaint", "outpaint"]
SUPPORTED = [(name, strategy) for name in ("sd", "sdxl") for strategy in STRATEGIES]
SUPPORTED += [("sd-inpainting", "inpaint"), ("sd-inpainting", "outpaint")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a tiny model of each family."""
    found = {name: tmp_path_factory.mktemp(name) for name in FAMILIES}
    for name, folder in found.items():
        FAMILIES[name](folder)
    return found


@pytest.mark.parametrize(("family", "strategy"), SUPPORTED)
def test_a_family_generates(
    family: str, strategy: str, folders: dict[str, Path], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """A model of the family makes images of the size asked for, the same in another batch to 40 dB."""
    start = {"total": 4} if strategy == "text2img" else {"per_source": 1}
    path = write_manifest(
        labels={"melanoma": "melanoma"},
        skin_tones={"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]},
        model=str(folders[family]),
        real={"source": "phantom", "count": 6, "splits": {"train": 1.0}},
        generate=[{"strategy": strategy, "settings": SETTINGS, **start}],
        output={"image_format": "png", "shard_samples": 4},
    )
    for batch_size in (4, 1):
        plan = planning.read(path, DOORS, tmp_path / str(batch_size))
        job = generate.prepare(plan, tmp_path / str(batch_size), generate.Selection(limit=4))
        list(generate.generate(job, Wish("cpu", "fp32", batch_size=batch_size)))
    for four, one in zip(*(tars.read(tmp_path / size / strategy / "00000.tar") for size in "41"), strict=True):
        first, second = images.decode(four.image), images.decode(one.image)
        assert first.shape == (32, 32, 3)
        assert images.psnr(first, second) >= 40


@pytest.mark.parametrize("strategy", ["text2img", "img2img"])
def test_a_model_for_inpainting_is_refused_for_other_tasks(
    strategy: str, folders: dict[str, Path], make_plan: Callable[..., Any]
) -> None:
    """A UNet that reads a mask can't do without one; that is said when the manifest is read."""
    start = {"per_cell": 1} if strategy == "text2img" else {"per_source": 1}
    with pytest.raises(ManifestError, match=f"is for inpainting: its UNet reads 9 channels, {strategy} gives 4"):
        make_plan(
            model=str(folders["sd-inpainting"]),
            real={"source": "phantom", "count": 6},
            generate=[{"strategy": strategy, "settings": SETTINGS, **start}],
        )


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
