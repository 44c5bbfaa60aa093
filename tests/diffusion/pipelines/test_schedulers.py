"""Schedulers by name, and how their timesteps are spread."""

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
