"""A coloured pattern drawn from the seed, laid over the image it starts from if any: for tests, without a model."""

import json
import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from synthgen.core import devices
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.core.model_folder import ModelFacts
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.masks import Mask
from synthgen.plan.manifest.settings import StrategySettings
from synthgen.plan.sample import Recipe, Sample
from synthgen.runs.start_images import FindStartImage, no_start_image

_REVISION = "fake 0.1.0"  # the release that first drew this pattern; another pattern takes another name
_Indices = Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=10_000)]


class Settings(StrategySettings):
    """The size of the image, and the faults to simulate.

    ``nonfinite`` and ``flat`` name samples by their index in the entry: the first come out NaN unless made precisely,
    the second come out flat at their first ``flat_attempts`` attempts. ``seconds`` is slept for each batch. ``mask``
    is one that images come with, nothing else of them follows it.
    """

    reads_source: ClassVar[bool | None] = None
    uses_model: ClassVar[bool] = False

    nonfinite: _Indices = []
    flat: _Indices = []
    flat_attempts: Annotated[int, Field(ge=1)] = 1
    seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    mask: Annotated[Mask | None, Field(exclude_if=lambda mask: mask is None)] = None

    @model_validator(mode="after")
    def _is_drawn(self) -> Self:
        if self.mask and (self.mask.shape == "source" or self.mask.from_):
            raise ValueError("`mask` is a drawn shape here; use inpaint for one that comes with a real image")
        return self

    @property
    def gives_mask(self) -> bool:
        """Whether one was asked for."""
        return self.mask is not None

    def record_fields(self) -> dict[str, Any]:
        """The mask, as JSON, where one was asked for."""
        return {"mask": json.dumps(self.mask.said(), sort_keys=True)} if self.mask else {}

    def fitted(self, facts: ModelFacts) -> "Settings":
        """These settings, 64 by 64 pixels where none are given; a pattern needs no multiple."""
        return self.model_copy(update={"height": self.height or 64, "width": self.width or 64})


def environment(recipe: Recipe, request: DeviceRequest, shard_samples: int) -> Environment:
    """A pattern is the same everywhere; only the batch size can be asked for."""
    return Environment(
        device="cpu",
        device_name="cpu",
        dtype="float32",
        attention="none",
        batch_size=request.batch_size or min(16, shard_samples),
        threads=1,
        model_revision=_REVISION,
        versions=devices.versions(),
    )


def maker(recipe: Recipe, environment: Environment, start_image: FindStartImage = no_start_image) -> ImageMaker:
    """The function that draws the patterns; nothing is loaded."""
    return partial(_make, start_image)


def _make(start_image: FindStartImage, samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
    settings = samples[0].recipe.settings
    if not isinstance(settings, Settings):
        raise TypeError("samples of another strategy")
    time.sleep(settings.seconds)
    pixels = np.stack([_image(sample, settings, start_image) for sample in samples])
    finite = [precise or sample.index not in settings.nonfinite for sample in samples]
    height, width = pixels.shape[1:3]
    drawn = [settings.mask.draw(height, width, sample.seed) for sample in samples] if settings.mask else None
    return MadeImages(pixels, np.array(finite), masks=None if drawn is None else np.stack(drawn))


def _image(sample: Sample, settings: Settings, start_image: FindStartImage) -> npt.NDArray[np.uint8]:
    """The pattern, half transparent where there is an image to start from; or a flat image where one is asked for."""
    if sample.index in settings.flat and sample.attempt < settings.flat_attempts:
        return np.full((settings.height or 64, settings.width or 64, 3), 128, np.uint8)
    pattern = _pattern(sample, settings)
    if sample.recipe.adapter:  # another colour for another adapter
        pattern = pattern ^ np.uint8(int(sample.recipe.adapter.digest[:2], 16) | 1)
    return pattern // 2 + start_image(sample).pixels // 2 if sample.source or sample.parent else pattern


def _pattern(sample: Sample, settings: Settings) -> npt.NDArray[np.uint8]:
    """Two waves in a random colour, with grain, so that compressed sizes are those of a picture."""
    height, width = settings.height or 64, settings.width or 64
    rng = np.random.default_rng(sample.seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    u, v, phase = rng.uniform(2, 9, 3)
    wave = np.sin(u * x + phase)[..., None] * np.cos(v * y + phase)[..., None]
    colour = rng.uniform(60, 200, 3)
    grain = rng.normal(0, 6, (height, width, 3))
    pixels: npt.NDArray[np.uint8] = np.clip(colour + 50 * wave + grain, 0, 255).astype(np.uint8)
    return pixels
