"""A masked part of an image painted anew by the prompt; every pixel outside the mask stays as it was."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from synthgen.core.devices import Environment
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.pipelines import Task
from synthgen.diffusion.strategies._diffusion import FromImageSettings, environment, load
from synthgen.diffusion.strategies._masks import Bools, Mask, blend
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
        return self.mask.shape == "source"

    def record_fields(self) -> dict[str, Any]:
        """The mask as well, as JSON."""
        mask = json.dumps(self.mask.model_dump(exclude_none=True), sort_keys=True)
        return super().record_fields() | {"mask": mask}


def maker(recipe: Recipe, environment: Environment, originals: FindStartImage = no_start_image) -> ImageMaker:
    """Load the pipeline; returns its call for a batch."""
    pipeline = load("inpaint", recipe, environment)

    def paint(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        found = [originals(sample) for sample in samples]
        pixels = np.stack([one.pixels for one in found])
        masks = np.stack([_mask(sample, one) for sample, one in zip(samples, found, strict=True)])
        painted = pipeline.inpaint(samples, pixels, masks, precise=precise)
        faults = tuple("" if mask.any() else "empty-mask" for mask in masks)
        settings = samples[0].recipe.settings
        feather = settings.mask.feather if isinstance(settings, Settings) else 0.0
        return MadeImages(blend(pixels, painted.pixels, masks, feather), painted.finite, faults)

    return paint


def _mask(sample: Sample, original: StartImage) -> Bools:
    settings = sample.recipe.settings
    if not isinstance(settings, Settings):
        raise TypeError("samples of another strategy")
    if settings.mask.shape != "source":
        height, width = original.pixels.shape[:2]
        return settings.mask.draw(height, width, sample.seed)
    if original.mask is None:
        return np.zeros(original.pixels.shape[:2], bool)
    return original.mask
