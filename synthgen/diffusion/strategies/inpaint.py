"""A masked part of an image painted anew by the prompt; every pixel outside the mask stays as it was."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from synthgen.core.devices import Environment
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.masks import Bools, Mask, blend
from synthgen.diffusion.pipelines import Task
from synthgen.diffusion.sampler_settings import FromImageSettings, environment, load
from synthgen.plan.sample import Recipe, Sample
from synthgen.runs.start_images import FindStartImage, StartImage, no_start_image

__all__ = ["Mask", "Settings", "environment", "maker"]


class Settings(FromImageSettings):
    """The sampler's settings, the mask, and how far what lies under it may change."""

    task: ClassVar[Task] = "inpaint"

    mask: Mask = Mask()

    @property
    def reads_mask(self) -> bool:
        """Whether the mask is the one that comes with the real image."""
        return self.mask.shape == "source" and not self.draws_mask

    @property
    def draws_mask(self) -> bool:
        """Whether it is one that comes with another real image."""
        return self.mask.from_ is not None

    @property
    def gives_mask(self) -> bool:
        """What was painted is known of every image."""
        return True

    def record_fields(self) -> dict[str, Any]:
        """The mask as well, as JSON."""
        mask = json.dumps(self.mask.said(), sort_keys=True)
        return super().record_fields() | {"mask": mask}


def maker(recipe: Recipe, environment: Environment, start_image: FindStartImage = no_start_image) -> ImageMaker:
    """The call of the pipeline, loaded here, for a batch."""
    pipeline = load("inpaint", recipe, environment)

    def make(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        starts = [start_image(sample) for sample in samples]
        pixels = np.stack([start.pixels for start in starts])
        masks = np.stack([_mask(sample, start) for sample, start in zip(samples, starts, strict=True)])
        made = pipeline.inpaint(samples, pixels, masks, precise=precise)
        faults = tuple("" if mask.any() else "empty-mask" for mask in masks)
        settings = samples[0].recipe.settings
        feather = settings.mask.feather if isinstance(settings, Settings) else 0.0
        painted = blend(pixels, made.pixels, masks, feather)
        return MadeImages(painted, made.finite, faults, precisions=made.precisions, masks=masks)

    return make


def _mask(sample: Sample, start: StartImage) -> Bools:
    """The mask of a sample, of its start image's size; empty where it comes with a real image and holds nothing."""
    settings = sample.recipe.settings
    if not isinstance(settings, Settings):
        raise TypeError("samples of another strategy")
    if not (settings.reads_mask or settings.draws_mask):
        height, width = start.pixels.shape[:2]
        return settings.mask.draw(height, width, sample.seed)
    if start.mask is None:
        return np.zeros(start.pixels.shape[:2], bool)
    return start.mask
