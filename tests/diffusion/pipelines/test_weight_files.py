"""Which weights of a repository are loaded is decided from its listing; a part that can't be is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.core.devices import DeviceRequest
from synthgen.core.model_folder import ModelFacts, describe
from synthgen.diffusion import pipelines, sampler_settings
from synthgen.diffusion.pipelines.weight_files import Repository, choose_variant, stored_dtype
from synthgen.errors import UnavailableError

PLAIN, HALF, PICKLED = "{}.safetensors", "{}.fp16.safetensors", "{}.bin"
PARTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}


def listing(**kinds: tuple[str, ...]) -> list[str]:
    """The files of a repository whose parts are there in some forms; both safetensors where nothing is said."""
    files = ["model_index.json", "README.md", "scheduler/scheduler_config.json", "safety_checker/pytorch_model.bin"]
    for part, stem in PARTS.items():
        files += [f"{part}/config.json", *(f"{part}/{kind.format(stem)}" for kind in kinds.get(part, (PLAIN, HALF)))]
    return files


# The forms that the inpainting model which the study of Sagers et al. names is kept in: its UNet in half alone.
INPAINTING = listing(
    unet=(PICKLED, "{}.fp16.bin", HALF), vae=(PICKLED, PLAIN, HALF), text_encoder=(PICKLED, PLAIN, HALF)
)
SHARDED = [
    "model_index.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder_2/model.fp16-00001-of-00002.safetensors",
    "text_encoder_2/model.fp16-00002-of-00002.safetensors",
    "text_encoder_2/model-00001-of-00002.safetensors",
    "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
    "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
]


@pytest.mark.parametrize(
    ("files", "half", "variant"),
    [
        (listing(), True, "fp16"),
        (listing(), False, ""),
        (INPAINTING, True, "fp16"),
        (INPAINTING, False, "fp16"),
        (listing(unet=(PLAIN,), vae=(PLAIN,), text_encoder=(PLAIN,)), True, ""),
        (listing(unet=(PLAIN, PICKLED), vae=(PLAIN,), text_encoder=(PLAIN,)), False, ""),
        (SHARDED, True, "fp16"),
        (SHARDED, False, ""),
    ],
    ids=["half", "full", "half-only", "half-only-for-full", "plain-only", "pickled-beside", "shards", "shards-full"],
)
def test_the_variant_that_is_there(files: list[str], half: bool, variant: str) -> None:
    """Half precision where it is asked for and stored, or where a part has nothing else; and diffusers can load it."""
    from diffusers.pipelines.pipeline_loading_utils import is_safetensors_compatible

    assert choose_variant(files, half=half, model="m") == variant
    folders = sorted({path.partition("/")[0] for path in files if "/" in path} - {"scheduler"})
    assert is_safetensors_compatible(files, passed_components=["safety_checker"], folder_names=folders,
                                     variant=variant or None)  # fmt: skip


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (listing(unet=(PICKLED, "{}.fp16.bin")), "unet"),
        (listing(vae=(PICKLED,), text_encoder=(PICKLED,)), "text_encoder, vae"),
        (["README.md", "model.ckpt"], "none of its files"),
    ],
)
def test_what_has_no_safetensors_is_refused_by_part(files: list[str], named: str) -> None:
    """A part that is there only as pickled weights is named, whatever was asked for."""
    for half in (True, False):
        with pytest.raises(UnavailableError) as refused:
            choose_variant(files, half=half, model="org/model")
        assert "org/model" in str(refused.value)
        assert named in str(refused.value)


@pytest.mark.parametrize(("dtype", "stored"), [("float16", "F16"), ("bfloat16", "BF16"), ("float32", "F32")])
def test_the_stored_dtype_is_read_from_a_header(dtype: str, stored: str, tmp_path: Path) -> None:
    """Most of the denoiser's numbers decide, not a few that are kept in fp32, and no weights are read."""
    import torch
    from safetensors.torch import save_file

    weights = {"blocks": torch.ones(64, 64, dtype=getattr(torch, dtype)), "norm": torch.ones(4)}
    (tmp_path / "unet").mkdir()
    save_file(weights, tmp_path / "unet/diffusion_pytorch_model.safetensors")
    model = ModelFacts("m", "folder", tmp_path)
    assert stored_dtype(model, Repository("r", ("unet/diffusion_pytorch_model.safetensors",)), "") == stored


def test_a_model_kept_in_half_alone_is_loaded_and_made_with(
    tiny_model: Callable[[str], Path], make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """A folder whose denoiser is stored in half only gives images, and the run pins that variant."""
    model = _in_half(tiny_model("sd"), tmp_path / "model", ["unet"])
    entry = {"strategy": "text2img", "per_cell": 1, "settings": {"num_inference_steps": 1, "height": 32, "width": 32}}
    receipts = make_images(make_plan(model=str(model), generate=[entry]), tmp_path / "run")
    assert {receipt.environment["variant"] for receipt in receipts} == {"fp16"}
    assert sum(receipt.count for receipt in receipts) == 6


def test_a_model_in_one_form_pins_no_variant(
    tiny_model: Callable[[str], Path], make_plan: Callable[..., Any], tmp_path: Path
) -> None:
    """Runs of earlier versions knew no variant; what they pin reads as before."""
    entry = {"strategy": "text2img", "per_cell": 1, "settings": {"num_inference_steps": 1, "height": 32, "width": 32}}
    plan = make_plan(model=str(tiny_model("sd")), generate=[entry])
    decided = sampler_settings.environment(plan.entries["text2img"].recipe, DeviceRequest("cpu", "fp32"), 4)
    assert decided.variant == ""
    assert "variant" not in decided.to_dict()


def test_no_watermark_is_put_into_images(tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Stable Diffusion XL's watermarker stays off, also where the package that it needs is installed."""
    folder = tiny_model("sdxl")
    pipeline = "diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl"
    monkeypatch.setattr(f"{pipeline}.is_invisible_watermark_available", lambda: True)
    model = describe(str(folder), Path())
    assert pipelines.load_diffusers("text2img", model, "", "float32").watermark is None


def _in_half(model: Path, folder: Path, parts: list[str]) -> Path:
    """A copy of a model, some parts of which are stored as fp16 variants alone."""
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    for part in parts:
        for path in (folder / part).glob("*.safetensors"):
            save_file({name: value.half() for name, value in load_file(path).items()},
                      path.with_name(f"{path.stem}.fp16.safetensors"), {"format": "pt"})  # fmt: skip
            path.unlink()
    return folder
