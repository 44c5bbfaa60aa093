"""The few-step adapter that ships: named by a bare name, small, and it draws what it is asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from synthgen.core import model_parts
from synthgen.core.devices import DeviceRequest
from synthgen.diffusion import pipelines, strategies
from synthgen.vision import colour

FOLDER = model_parts.bundled_adapters() / "phantom-lcm"


@pytest.fixture(scope="module")
def entry(make_plan: Callable[..., Any]) -> Any:
    """An entry of one condition on six types that names the adapter, and nothing else."""
    written = {"strategy": "text2img", "per_cell": 1, "accelerate": "phantom-lcm"}
    tones = {"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]}
    return make_plan(labels={"healthy": "healthy skin"}, skin_tones=tones, generate=[written]).entries["text2img"]


def test_its_name_is_all_it_takes(entry: Any) -> None:
    """Four passes through the denoiser, by LCM's scheduler, unguided."""
    settings = entry.recipe.settings
    assert (settings.scheduler, settings.num_inference_steps, settings.guidance_scale) == ("lcm", 4, 1.0)
    assert settings.passes == 4


def test_it_adds_at_most_three_megabytes() -> None:
    """What it adds to the wheel, its recipe and card included."""
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 3_000_000


def test_it_holds_safetensors_alone() -> None:
    """Weights, a recipe and a card."""
    assert {path.name for path in FOLDER.iterdir()} == {
        "README.md",
        "pytorch_lora_weights.safetensors",
        "training.json",
    }


@pytest.mark.slow
def test_it_draws_the_skin_that_is_asked_for(entry: Any) -> None:
    """In four steps, types I to VI come out ever darker."""
    samples = [entry.sample(index) for index in range(entry.samples)]
    environment = strategies.environment(samples[0].recipe, DeviceRequest(), 6)
    drawn = pipelines.load("text2img", samples[0].recipe, environment).text2img(samples).pixels
    pairs = zip(samples, drawn, strict=True)
    by_tone = {sample.fitzpatrick: np.median(colour.ita(pixels)) for sample, pixels in pairs}
    angles = [by_tone[tone] for tone in range(1, 7)]
    assert sorted(angles, reverse=True) == angles
