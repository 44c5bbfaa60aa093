"""An image from its prompt, guided by a ControlNet: in the outline of a mask, or along the edges of another image."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from synthgen.core.devices import Environment
from synthgen.core.model_folder import ModelFacts
from synthgen.diffusion.edges import Edges
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.masks import Bools, Mask
from synthgen.diffusion.pipelines import AnyFamily, Task
from synthgen.diffusion.sampler_settings import Fit, SamplerSettings, environment, load
from synthgen.errors import ManifestError
from synthgen.plan.sample import Recipe, Sample
from synthgen.runs.start_images import FindStartImage, no_start_image

__all__ = ["Edges", "Mask", "Settings", "environment", "maker"]


class Settings(SamplerSettings):
    """The sampler's settings, what the ControlNet is shown, and how far it is followed, by diffusers' own names.

    Attributes:
        control_image: What it is shown: the ``mask``, white on black, or the ``edges`` of the image that a sample
            starts from, likewise.
        mask: The mask, as of inpaint.
        edges: How edges are found.
        controlnet_conditioning_scale: What the ControlNet's output is multiplied by.
        control_guidance_start: The share of the steps after which it guides.
        control_guidance_end: The share of the steps after which it guides no more.
        fit: How an image, or a mask, of another shape is brought to height and width.
    """

    task: ClassVar[Task] = "controlnet"
    reads_source: ClassVar[bool | None] = None
    reads_control: ClassVar[bool] = True
    shows_source: ClassVar[bool] = False

    control_image: Literal["mask", "edges"] = "mask"
    mask: Mask = Mask()
    edges: Edges = Edges()
    controlnet_conditioning_scale: Annotated[float, Field(gt=0, le=10)] = 1.0
    control_guidance_start: Annotated[float, Field(ge=0, lt=1)] = 0.0
    control_guidance_end: Annotated[float, Field(gt=0, le=1)] = 1.0
    fit: Fit = "crop"

    @property
    def reads_mask(self) -> bool:
        """Whether the mask is the one that comes with the real image."""
        return self.gives_mask and self.mask.shape == "source" and not self.draws_mask

    @property
    def draws_mask(self) -> bool:
        """Whether it is one that comes with another real image."""
        return self.gives_mask and self.mask.from_ is not None

    @property
    def gives_mask(self) -> bool:
        """Whether a mask is followed; edges are none."""
        return self.control_image == "mask"

    @property
    def needs_source(self) -> str:
        """What of an image to start from these settings need; empty where they need none."""
        if not self.gives_mask:
            return "`control_image: edges` follows those of an image"
        if self.draws_mask:
            return "`mask: {from: pool}` is for entries that start from images"
        return "`mask: {shape: source}` comes with an image" if self.reads_mask else ""

    @model_validator(mode="after")
    def _guides(self) -> Self:
        if self.control_guidance_start >= self.control_guidance_end:
            raise ValueError(
                f"control_guidance_start {self.control_guidance_start} must be below control_guidance_end "
                f"{self.control_guidance_end}"
            )
        unread = "edges" if self.gives_mask else "mask"
        if unread in self.model_fields_set:
            raise ValueError(f"`{unread}` is not for `control_image: {self.control_image}`")
        if self.mask.feather:
            raise ValueError("`mask.feather` is for what is painted into an image; leave it out")
        return self

    def fitted(self, facts: ModelFacts) -> Self:
        """As of a sampler; guidance in a part of the steps is refused, which no pipeline with a ControlNet has here."""
        if 0 < len(self.guided_steps) < self.num_inference_steps:
            key = "guidance_start" if self.guidance_start else "guidance_stop"
            raise ManifestError(f"{key}: with a ControlNet every step is guided; leave it out")
        return super().fitted(facts)

    def record_fields(self) -> dict[str, Any]:
        """The mask as JSON, where one is followed, and among the attributes how far."""
        found = super().record_fields()
        followed = {"control_image", "controlnet_conditioning_scale", "control_guidance_start", "control_guidance_end"}
        found["attributes"] |= self.model_dump(include=followed | (set() if self.gives_mask else {"edges"}))
        return found | ({"mask": json.dumps(self.mask.said(), sort_keys=True)} if self.gives_mask else {})


def maker(recipe: Recipe, environment: Environment, start_image: FindStartImage = no_start_image) -> ImageMaker:
    """The call of the pipeline, loaded here, for a batch."""
    pipeline = load("controlnet", recipe, environment)
    if not isinstance(pipeline, AnyFamily):
        raise TypeError("a pipeline with a ControlNet is of no family that is called by hand")

    def make(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        followed = np.stack([_followed(sample, start_image) for sample in samples])
        white = np.uint8(255) * followed
        made = pipeline.controlnet(samples, np.stack([white] * 3, axis=-1), precise=precise)
        settings = samples[0].recipe.settings
        masked = settings.gives_mask
        faults = tuple("" if one.any() or not masked else "empty-mask" for one in followed)
        return MadeImages(
            made.pixels,
            made.finite,
            faults,
            extremes=made.extremes,
            precisions=made.precisions,
            masks=followed if masked else None,
        )

    return make


def _followed(sample: Sample, start_image: FindStartImage) -> Bools:
    """What the ControlNet is shown of a sample, shape (height, width): its mask, or edges."""
    settings = sample.recipe.settings
    if not isinstance(settings, Settings):
        raise TypeError("samples of another strategy")
    height, width = settings.height or 0, settings.width or 0
    if not settings.gives_mask:
        return settings.edges.draw(start_image(sample).pixels)
    if not (settings.reads_mask or settings.draws_mask):
        return settings.mask.draw(height, width, sample.seed)
    mask = start_image(sample).mask
    return np.zeros((height, width), bool) if mask is None else mask
