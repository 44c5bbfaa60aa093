"""An image from its prompt alone, by any text-to-image diffusion model."""

from synthgen.core.devices import Environment
from synthgen.diffusion.maker import ImageMaker
from synthgen.diffusion.sampler_settings import SamplerSettings, environment, load
from synthgen.plan.sample import Recipe
from synthgen.runs.start_images import FindStartImage, no_start_image

__all__ = ["Settings", "environment", "maker"]


class Settings(SamplerSettings):
    """The sampler's settings and the image's size."""


def maker(recipe: Recipe, environment: Environment, start_image: FindStartImage = no_start_image) -> ImageMaker:
    """The call of the pipeline, loaded here, for a batch."""
    return load("text2img", recipe, environment).text2img
