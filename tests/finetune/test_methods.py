"""Every method leaves a folder that plain diffusers loads, and that changes what the model draws."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.core import adapter_folder
from synthgen.diffusion.pipelines import load_adapter
from synthgen.errors import OutOfMemoryError, UnavailableError

pytestmark = pytest.mark.slow

PROMPT = "An image of melanoma, a skin disease"


@pytest.fixture(scope="module")
def load(tiny_model: Callable[[str], Path]) -> Callable[..., Any]:
    """Loads the tiny model, or what lies in a folder, as anyone does."""
    from diffusers import StableDiffusionPipeline

    def pipe(folder: Path | None = None) -> Any:
        found = StableDiffusionPipeline.from_pretrained(folder or tiny_model("sd"), safety_checker=None)
        found.set_progress_bar_config(disable=True)
        return found

    return pipe


def draw(pipe: Any, prompt: str = PROMPT) -> Any:
    """A small picture, always from the same noise."""
    import torch

    noise = torch.Generator().manual_seed(0)
    return pipe(prompt, height=32, width=32, num_inference_steps=2, generator=noise, output_type="np").images[0]


def test_a_lora_loads_by_load_lora_weights(tuned: Path, load: Callable[..., Any]) -> None:
    """The pipeline's own loader takes the folder, with rank and alpha, and the picture is another one."""
    pipe = load()
    before = draw(pipe)
    pipe.load_lora_weights(tuned / "adapters" / "lora-melanoma")
    config = pipe.unet.peft_config["default_0"]
    assert (config.r, config.lora_alpha) == (2, 4.0)
    assert np.abs(draw(pipe) - before).max() > 1e-3


@pytest.mark.filterwarnings("error:While injecting the PEFT adapters")
def test_every_layer_of_a_wider_lora_is_loaded(
    tune: Callable[..., Any], load: Callable[..., Any], tmp_path: Path
) -> None:
    """Attention, feed-forward and convolutions alike: none of what was trained is left in the file."""
    from peft.utils import get_peft_model_state_dict
    from safetensors.torch import load_file

    wide = ["to_k", "to_out.0", "ff.net.2", "conv1"]
    few = {"rank": 2, "target_modules": wide, "train_text_encoder": True, "num_validation_images": 0}
    settings = {"max_train_steps": 2, "train_batch_size": 2, "variants": 1, "learning_rate": 0.01} | few
    tune(tmp_path / "run", "sd", {"name": "wide", "method": "lora", "settings": settings})
    folder = tmp_path / "run/adapters/wide"
    saved = load_file(folder / "pytorch_lora_weights.safetensors")
    pipe = load()
    pipe.load_lora_weights(folder)
    networks = {"unet": pipe.unet, "text_encoder": pipe.text_encoder}
    loaded = {
        f"{name}.{key}": value
        for name, network in networks.items()
        for key, value in get_peft_model_state_dict(network, adapter_name="default_0").items()
    }
    assert {name.split(".")[-3] for name in saved} >= {"to_k", "0", "2", "conv1", "q_proj"}
    assert loaded.keys() == saved.keys()
    assert all(bool((loaded[name] == saved[name]).all()) for name in saved)


def test_a_lora_that_loads_in_part_is_refused(tuned: Path, load: Callable[..., Any], tmp_path: Path) -> None:
    """Layers under names of two kinds: diffusers' loader would leave the ones of the second kind out."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tuned / "adapters/lora-melanoma", tmp_path / "mixed")
    file = folder / "pytorch_lora_weights.safetensors"
    renamed = {
        name.replace("lora_A", "lora.down").replace("lora_B", "lora.up") if "up_blocks" in name else name: value
        for name, value in load_file(file).items()
    }
    save_file(renamed, file, {"format": "pt"})
    adapter = adapter_folder.describe(folder)
    with pytest.raises(UnavailableError, match=f"^adapter {adapter}: "):
        load_adapter(load(), adapter)


def test_a_full_model_loads_by_from_pretrained(tuned: Path, load: Callable[..., Any]) -> None:
    """The folder is a whole model, whose denoiser alone has changed."""
    before, after = load(), load(tuned / "adapters" / "full")
    assert np.abs(draw(after) - draw(before)).max() > 1e-3
    for part in ("vae", "text_encoder"):
        old, new = getattr(before, part).state_dict(), getattr(after, part).state_dict()
        assert all(bool((old[name] == new[name]).all()) for name in old)


def test_a_word_loads_by_load_textual_inversion(tuned: Path, load: Callable[..., Any]) -> None:
    """Each label's word has a file of its own; the prompts that hold it, and no others, are read otherwise."""
    pipe, folder = load(), tuned / "adapters" / "word"
    before = draw(pipe)
    for label in ("melanoma", "vitiligo"):
        pipe.load_textual_inversion(folder, weight_name=f"learned_embeds-{label}.safetensors")
    assert pipe.tokenizer.tokenize("<melanoma>") == ["<melanoma>"]
    assert pipe.maybe_convert_prompt("<melanoma>", pipe.tokenizer) == "<melanoma> <melanoma>_1"
    assert np.array_equal(draw(pipe), before)
    assert np.abs(draw(pipe, "An image of <melanoma>") - draw(pipe, "An image of <vitiligo>")).max() > 1e-4


@pytest.mark.parametrize("name", ["lora-melanoma", "full", "word"])
def test_the_folder_tells_how_it_came_about(name: str, tuned: Path) -> None:
    """Recipe, base model, steps and the images shown lie beside the weights, with a curve and a grid."""
    folder = tuned / "adapters" / name
    facts = json.loads((folder / "adapter.json").read_bytes())
    assert (facts["name"], facts["steps"]) == (name, 4)
    assert facts["model_revision"].startswith("sha256:")
    assert len(facts["pool"]["ids"]) == (3 if name == "lora-melanoma" else 6)
    assert (folder / "losses.csv").read_text().count("\n") == 1 + 4
    with Image.open(folder / "losses.png") as curve, Image.open(folder / "samples.png") as grid:
        assert curve.width > 100
        assert grid.size == (78 + 2 * 132, 3 * 132)


def test_only_safetensors_are_written(tuned: Path) -> None:
    """No file of an adapter can run code when it is loaded."""
    kinds = {path.suffix for path in (tuned / "adapters").rglob("*") if path.is_file()}
    assert kinds <= {".safetensors", ".json", ".csv", ".png", ".txt"}


def test_a_training_without_memory_says_what_to_set(
    tune: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, by the manifest's keys, whatever of it ran out of memory."""

    def out_of_memory(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr("synthgen.finetune.latents.encode", out_of_memory)
    settings = {"max_train_steps": 1, "train_batch_size": 2, "num_validation_images": 0, "mixed_precision": "no"}
    said = (
        "adapter `a`: set gradient_checkpointing: true, or train_batch_size: 1 with gradient_accumulation_steps: 2, "
        "or mixed_precision: bf16, or a smaller resolution than"
    )
    with pytest.raises(OutOfMemoryError, match=said) as raised:
        tune(tmp_path / "run", "sd", {"name": "a", "method": "lora", "settings": settings})
    assert len(raised.value.faults) == 1
