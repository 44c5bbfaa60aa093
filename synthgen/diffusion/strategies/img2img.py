"""An image made from another: noised as far as `strength` says, and denoised towards the prompt."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from synthgen.core.devices import Environment
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.pipelines import Task
from synthgen.diffusion.sampler_settings import FromImageSettings, environment, load
from synthgen.plan.sample import Recipe, Sample
from synthgen.runs.start_images import FindStartImage, no_start_image

__all__ = ["Settings", "environment", "maker"]


class Settings(FromImageSettings):
    """The sampler's settings, how far to go from the image, and how it is brought to size."""

    task: ClassVar[Task] = "img2img"


def maker(recipe: Recipe, environment: Environment, start_image: FindStartImage = no_start_image) -> ImageMaker:
    """The call of the pipeline, loaded here, for a batch."""
    pipeline = load("img2img", recipe, environment)

    def make(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        return pipeline.img2img(samples, np.stack([start_image(one).pixels for one in samples]), precise=precise)

    return make
