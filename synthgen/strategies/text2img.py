"""An image from its prompt alone, by any text-to-image diffusion model."""

from typing import Annotated, Literal, Self

from pydantic import Field

from synthgen import devices, pipelines
from synthgen.attempts import Maker
from synthgen.devices import Environment, Wish
from synthgen.doors import StrategySettings
from synthgen.errors import ManifestError, UnavailableError
from synthgen.models import ModelFacts
from synthgen.sample import Recipe

Scheduler = Literal[
    "default", "ddim", "deis", "dpm++2m", "dpm++2m-karras", "euler", "euler-a", "heun", "lcm",
    "pndm", "unipc",
]  # fmt: skip


class Settings(StrategySettings):
    """The sampler's settings, under diffusers' own names; guidance_scale of 1 or less samples without guidance."""

    scheduler: Scheduler = "dpm++2m"
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)] = 25
    guidance_scale: Annotated[float, Field(ge=0, le=100)] = 3.0

    def fitted(self, facts: ModelFacts) -> Self:
        """These settings with the size filled in; a local model of an unsupported family is refused here already."""
        if facts.folder is not None:
            try:
                pipelines.pipeline_class("text2img", facts.class_name, facts.name)
            except UnavailableError as error:
                raise ManifestError(f"model: {error}") from None
        return super().fitted(facts)


def environment(recipe: Recipe, wish: Wish, shard_samples: int) -> Environment:
    """Decide device, dtype, attention backend and batch size."""
    revision = pipelines.resolve_revision(recipe)
    device = devices.describe(wish.device)
    pixels = (recipe.settings.height or 0) * (recipe.settings.width or 0)
    return devices.decide(device, wish, pixels=pixels, shard_samples=shard_samples, model_revision=revision)


def maker(recipe: Recipe, environment: Environment) -> Maker:
    """Load the pipeline; returns its call for a batch."""
    return pipelines.load("text2img", recipe, environment).text2img
