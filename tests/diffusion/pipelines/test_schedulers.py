"""Schedulers by name, and how their timesteps are spread."""

import json
from typing import Any

import pytest

from synthgen.core.model_folder import ModelFacts
from synthgen.diffusion.pipelines import SCHEDULERS
from synthgen.diffusion.pipelines.schedulers import fresh
from synthgen.diffusion.strategies import text2img
from synthgen.errors import ManifestError


@pytest.fixture(scope="module")
def own() -> Any:
    """A model's own scheduler, with timesteps as Stable Diffusion spreads them."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(timestep_spacing="leading", steps_offset=1)


@pytest.mark.parametrize("name", ["default", *SCHEDULERS])
def test_trailing_timesteps_begin_with_the_noisiest(name: str, own: Any) -> None:
    """Few-step models begin there; spread as the model's own are, the first of four lies a quarter before it.

    Of DPM++ with Karras' sigmas and of latent consistency models the timesteps are chosen otherwise.
    """
    scheduler = fresh(name, own, "trailing")
    assert scheduler.config.get("timestep_spacing") == "trailing"
    if name not in ("lcm", "tcd", "dpm++2m-karras", "deis"):
        scheduler.set_timesteps(4)
        assert scheduler.timesteps[0] == pytest.approx(999, abs=1)


@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")  # of DEIS in diffusers
@pytest.mark.parametrize("name", ["default", *SCHEDULERS])
@pytest.mark.parametrize("steps", [3, 25])
def test_each_does_all_of_its_steps(name: str, steps: int) -> None:
    """Also where Karras' sigmas give several steps one timestep, as on a schedule that ends without any signal."""
    import torch
    from diffusers import DDIMScheduler

    scheduler = fresh(name, DDIMScheduler(rescale_betas_zero_snr=True, prediction_type="v_prediction"))
    scheduler.set_timesteps(steps)
    latents = torch.zeros(1, 4, 2, 2)
    for timestep in scheduler.timesteps:
        latents = scheduler.step(scheduler.scale_model_input(latents, timestep), timestep, latents).prev_sample
    assert bool(latents.isfinite().all())


def test_one_that_begins_later_says_so_itself() -> None:
    """As img2img does once the timesteps are set; what it sets stays."""
    from diffusers import DDIMScheduler

    scheduler = fresh("dpm++2m-karras", DDIMScheduler())
    scheduler.set_timesteps(4)
    assert scheduler.begin_index == 0
    scheduler.set_begin_index(2)
    assert scheduler.begin_index == 2


@pytest.mark.parametrize(
    ("name", "said", "most"),
    [
        ("lcm", {}, 50),
        ("tcd", {}, 50),
        ("lcm", {"original_inference_steps": 20}, 20),
        ("default", {"_class_name": "TCDScheduler"}, 50),
        ("ddim", {"num_train_timesteps": 100}, 100),
        ("ddim", {}, 1000),
        ("euler", {"num_train_timesteps": 100}, 1000),
    ],
)
def test_more_steps_than_a_scheduler_does_are_refused(
    name: Any, said: dict[str, Any], most: int, tmp_path: Any
) -> None:
    """With the key and the most that it does, by what the model itself says of its schedule; so many are taken."""
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(said))
    facts = ModelFacts("own", "folder", tmp_path, "StableDiffusionPipeline", sample_size=64)
    assert text2img.Settings(scheduler=name, num_inference_steps=most).fitted(facts)
    if most < 1000:
        with pytest.raises(ManifestError, match=rf"^num_inference_steps: `{name}` does at most {most} steps"):
            text2img.Settings(scheduler=name, num_inference_steps=most + 1).fitted(facts)


def test_spacing_is_told_where_it_is_set() -> None:
    """In records and in what decides an entry; nowhere in those of manifests that do not name it."""
    spread, plain = text2img.Settings(timestep_spacing="trailing"), text2img.Settings()
    assert spread.record_fields()["attributes"] == {"timestep_spacing": "trailing"}
    assert "timestep_spacing" not in plain.model_dump() | plain.record_fields()["attributes"]


def test_a_flow_has_no_spacing(tmp_path: Any) -> None:
    """A model that matches a flow is refused with the key."""
    facts = ModelFacts("flow", "folder", tmp_path, "StableDiffusion3Pipeline", sample_size=64)
    with pytest.raises(ManifestError, match="timestep_spacing"):
        text2img.Settings(scheduler="default", timestep_spacing="trailing").fitted(facts)
