"""An image from its prompt and in the likeness of another, which an IP-Adapter has the model read like a prompt."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from synthgen.core.devices import Environment
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.pipelines import Task
from synthgen.diffusion.sampler_settings import Fit, SamplerSettings, environment, load
from synthgen.plan.sample import Recipe, Sample
from synthgen.runs.start_images import FindStartImage, no_start_image

__all__ = ["Settings", "environment", "maker"]


class Settings(SamplerSettings):
    """The sampler's settings, how strongly the image is followed, and how it is brought to size before it is read.

    Attributes:
        ip_adapter_scale: What the IP-Adapter's attention is multiplied by, as of diffusers' ``set_ip_adapter_scale``:
            at 0.5 prompt and image count about alike.
        fit: How an image of another shape is brought to height and width.
    """

    task: ClassVar[Task] = "ip_adapter"
    reads_source: ClassVar[bool | None] = True
    reads_image_prompt: ClassVar[bool] = True
    shows_source: ClassVar[bool] = False

    ip_adapter_scale: Annotated[float, Field(gt=0, le=2)] = 0.5
    fit: Fit = "crop"

    def record_fields(self) -> dict[str, Any]:
        """The scale among the attributes as well."""
        found = super().record_fields()
        found["attributes"] |= {"ip_adapter_scale": self.ip_adapter_scale}
        return found


def maker(recipe: Recipe, environment: Environment, start_image: FindStartImage = no_start_image) -> ImageMaker:
    """The call of the pipeline, loaded here, for a batch."""
    pipeline = load("ip_adapter", recipe, environment)

    def make(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        return pipeline.ip_adapter(samples, np.stack([start_image(one).pixels for one in samples]), precise=precise)

    return make
