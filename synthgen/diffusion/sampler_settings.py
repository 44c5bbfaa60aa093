"""The settings of strategies that sample a diffusion model, and how such strategies load it."""

import itertools
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from synthgen.core import devices
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.core.model_folder import ModelFacts
from synthgen.diffusion import memory, pipelines
from synthgen.diffusion.maker import ImageMaker
from synthgen.diffusion.pipelines import Pipeline, Task
from synthgen.errors import ManifestError, OutOfMemoryError, UnavailableError
from synthgen.plan.manifest.settings import StrategySettings
from synthgen.plan.sample import Recipe, Sample

Scheduler = Literal[
    "default", "ddim", "deis", "dpm++2m", "dpm++2m-karras", "euler", "euler-a", "heun", "lcm",
    "pndm", "tcd", "unipc",
]  # fmt: skip
Fit = Literal["crop", "stretch", "pad"]
_log = logging.getLogger(__name__)
_REDO_BATCH = 1  # images that were NaN, made again together: each alone, so that the smallest card has room for it


class SamplerSettings(StrategySettings):
    """The sampler's settings, under diffusers' own names; guidance_scale of 1 or less samples without guidance.

    Attributes:
        guidance_start: The share of the steps after which guidance starts, as of diffusers' guiders.
        guidance_stop: The share of the steps after which it stops.
        timestep_spacing: How timesteps are spread over the training schedule, as of diffusers' schedulers; models that
            sample in a few steps mostly want ``trailing``. The model's own way where left out.
    """

    task: ClassVar[Task] = "text2img"
    reads_prompt: ClassVar[bool] = True

    scheduler: Scheduler = "dpm++2m"
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)] = 25
    guidance_scale: Annotated[float, Field(ge=0, le=100)] = 3.0
    # Left out of what decides a run's images where they say nothing, so that runs that began without them go on.
    guidance_start: Annotated[float, Field(ge=0, lt=1, exclude_if=lambda start: start == 0)] = 0.0
    guidance_stop: Annotated[float, Field(gt=0, le=1, exclude_if=lambda stop: stop == 1)] = 1.0
    timestep_spacing: Annotated[
        Literal["leading", "linspace", "trailing"] | None, Field(exclude_if=lambda spacing: spacing is None)
    ] = None

    @property
    def steps(self) -> range:
        """The steps that are done, of those that the scheduler counts from 0."""
        return range(self.num_inference_steps)

    @property
    def guided_steps(self) -> range:
        """The steps with guidance, whether they are done or not; none where nothing is guided."""
        count = self.num_inference_steps if self.guidance_scale > 1 else 0
        return range(*(math.floor(round(share * count, 6)) for share in (self.guidance_start, self.guidance_stop)))

    def shortest(self) -> Self:
        """These settings with the fewest steps in which one is done, guided in all of them: for what a step takes."""
        fewest = {"num_inference_steps": min(2, self.num_inference_steps), "guidance_start": 0.0, "guidance_stop": 1.0}
        return self.model_copy(update=fewest)

    def record_fields(self) -> dict[str, Any]:
        """The sampler's settings; when guidance starts and stops among the attributes, where it says anything."""
        named = self.model_dump(include={"scheduler", "num_inference_steps", "guidance_scale"})
        return named | {"attributes": self.model_dump(include={"guidance_start", "guidance_stop", "timestep_spacing"})}

    @property
    def passes(self) -> int:
        """Passes through the denoiser: one a step, and another one where it is guided."""
        return len(self.steps) + len(set(self.steps) & set(self.guided_steps))

    @model_validator(mode="after")
    def _guides_a_step(self) -> Self:
        if self.guidance_start >= self.guidance_stop:
            raise ValueError(f"guidance_start {self.guidance_start} must be below guidance_stop {self.guidance_stop}")
        if self.steps and self.guidance_scale > 1 and self.passes == len(self.steps):
            raise ValueError(
                f"guidance_start {self.guidance_start} to guidance_stop {self.guidance_stop} guides none of the steps "
                f"that are done, {self.steps[0]} to {self.steps[-1]} of {self.num_inference_steps} counted from 0; "
                "widen it, or set guidance_scale to 1"
            )
        return self

    def fitted(self, facts: ModelFacts) -> Self:
        """These settings with the size filled in; a model that is known not to do the task is refused here already."""
        if facts.folder is not None or facts.class_name:
            with fault_of("model"):
                pipelines.pipeline_class(self.task, facts.class_name, facts.name)
                pipelines.check_channels(self.task, facts.in_channels, facts.latent_channels, facts.name)
            with fault_of("scheduler"):
                pipelines.check_scheduler(self.scheduler, facts.class_name, facts.name, flow=facts.flow)
            family = pipelines.family_of(facts.class_name)
            if self.timestep_spacing and (facts.flow or pipelines.matches_flow(family)):
                raise ManifestError(f"timestep_spacing: {facts.name} matches a flow, which has none; leave it out")
            if family == "other" and 0 < len(self.guided_steps) < self.num_inference_steps:
                key = "guidance_start" if self.guidance_start else "guidance_stop"
                raise ManifestError(f"{key}: a {facts.class_name} guides in every step; leave it out")
        with fault_of("num_inference_steps"):
            pipelines.check_steps(self.scheduler, self.num_inference_steps, facts.folder, facts.name)
        if facts.distilled and 0 < len(self.guided_steps) < self.num_inference_steps:
            key = "guidance_start" if self.guidance_start else "guidance_stop"
            raise ManifestError(f"{key}: {facts.name} {pipelines.DISTILLED}")
        return super().fitted(facts)


class FromImageSettings(SamplerSettings):
    """The settings of a sampler that starts from an image.

    Attributes:
        strength: How far from it: of ``num_inference_steps`` only this share is done, from as much noise as that; 1
            keeps nothing of what is painted over.
        fit: How an image of another shape is brought to height and width: ``crop`` its longer side, ``stretch`` it, or
            ``pad`` it with black.
    """

    reads_source: ClassVar[bool | None] = True

    strength: Annotated[float, Field(gt=0, le=1)] = 0.8
    fit: Fit = "crop"

    @property
    def steps(self) -> range:
        """The steps that are done: the last ones, as many as strength says."""
        count = self.num_inference_steps
        return range(count - int(count * self.strength), count)

    def shortest(self) -> Self:
        """As above; of more steps where strength leaves some out."""
        fewest = next(count for count in itertools.count(1) if int(count * self.strength) >= 1)
        count = min(max(2, fewest), self.num_inference_steps)
        return super().shortest().model_copy(update={"num_inference_steps": count})

    def record_fields(self) -> dict[str, Any]:
        """Strength as well."""
        return super().record_fields() | {"strength": self.strength}

    @model_validator(mode="after")
    def _does_a_step(self) -> Self:
        if int(self.num_inference_steps * self.strength) < 1:
            raise ValueError(
                f"strength {self.strength} of {self.num_inference_steps} steps is not one step; raise either"
            )
        return self


@contextmanager
def fault_of(key: str) -> Iterator[None]:
    """Make what can't be had a fault of the manifest, at a key of it.

    Raises:
        ManifestError: Something can't be had.
    """
    try:
        yield
    except UnavailableError as error:
        raise ManifestError(*(f"{key}: {fault}" for fault in error.faults)) from None


def environment(recipe: Recipe, request: DeviceRequest, shard_samples: int) -> Environment:
    """The device, dtype, attention backend and batch size that images are made with, and which weights are loaded."""
    repository, model = pipelines.resolve(recipe), recipe.model
    device = devices.describe(request.device)
    half = devices.choose_dtype(device, request.dtype) != "float32"
    variant = pipelines.choose_variant(repository.files, half=half, model=model.name)
    asked = device.kind == "cuda" and request.dtype == "auto"
    loads_lora = recipe.accelerator is not None or (recipe.adapter is not None and recipe.adapter.loads_as == "lora")
    decided = devices.decide(
        device,
        request,
        pixels=(recipe.settings.height or 0) * (recipe.settings.width or 0),
        shard_samples=shard_samples,
        model_revision=repository.revision,
        stored_dtype=pipelines.stored_dtype(model, repository, variant) if asked else "",
        packages=(*devices.MODEL_PACKAGES, *(["peft"] if loads_lora else [])),
    )
    parts = {key: pipelines.part_revision(part) for key, part in recipe.parts.items()}
    redo = 0 if decided.dtype == "float32" else _REDO_BATCH
    return replace(decided, variant=variant, fused=loads_lora, parts=parts, redo_batch_size=redo)


def proves_itself(recipe: Recipe, environment: Environment) -> bool:
    """Whether a recipe's model is of a pipeline class that has to show what it does when it is loaded first."""
    settings = recipe.settings
    if not isinstance(settings, SamplerSettings):
        return False
    kind = pipelines.task_class(settings.task, recipe.model, environment.model_revision)
    return pipelines.family_of(kind) == "other"


def shown(recipe: Recipe, environment: Environment) -> dict[str, str]:
    """What the class of the model that was just loaded showed of itself; empty where nothing was asked of it."""
    settings = recipe.settings
    pipeline = pipelines.loaded(settings.task, environment) if isinstance(settings, SamplerSettings) else None
    return pipeline.proof if isinstance(pipeline, pipelines.AnyFamily) else {}


def measured_batch_size(
    recipe: Recipe, environment: Environment, maker: ImageMaker, sample: Sample, shard_samples: int
) -> int:
    """The batch that fits what is free once the model is loaded, by what it takes for one image and for two.

    Args:
        recipe: What the images are made with.
        environment: Where.
        maker: Makes them, its model loaded.
        sample: One of them, whose image is made in the fewest steps that the settings can do.
        shard_samples: Images of a work shard.

    Raises:
        OutOfMemoryError: Not one image fits.
    """
    settings = recipe.settings
    pipeline = pipelines.loaded(settings.task, environment) if isinstance(settings, SamplerSettings) else None
    if pipeline is None or not isinstance(settings, SamplerSettings):
        return environment.batch_size
    quick = replace(sample, recipe=replace(sample.recipe, settings=settings.shortest()))
    try:
        needs = pipelines.measure(pipeline.pipe, lambda count: maker([quick] * count))
    except OutOfMemoryError as error:
        raise OutOfMemoryError(f"{error}; {what_to_set(recipe, environment, 1)}") from None
    if not needs.decode:  # a strategy of one's own, whose maker does without this pipeline
        return environment.batch_size
    free = devices.describe(environment.device).free_memory
    pixels = (settings.height or 0) * (settings.width or 0)
    fits = memory.batch_that_fits(free - needs.fixed, needs.step, needs.decode, pixels, shard_samples)
    chosen = max(1, min(fits, needs.most or fits))
    _log.info(
        "%s: %.2f GiB an image in a step, %.2f GiB to decode one, %.1f GiB free: %d at once",
        recipe.entry, needs.step / memory.GIB, needs.decode / memory.GIB, free / memory.GIB, chosen,
    )  # fmt: skip
    return chosen


def what_to_set(recipe: Recipe, environment: Environment, batch_size: int) -> str:
    """What makes room where a batch of images did not fit, for people."""
    if batch_size > 1:
        return f"use --batch-size {batch_size // 2} or less with another --out, or leave it out"
    settings = recipe.settings
    half = ", --dtype bf16" if environment.dtype == "float32" else ""
    half += ", --memory offload or fp8" if environment.device == "cuda" and not environment.memory else ""
    return (
        f"one image of {settings.width} x {settings.height} by {recipe.made_with} in {environment.dtype} is too much "
        f"for {environment.device_name}: set a smaller height and width{half}, take a smaller model or another device, "
        "or end what else is on it"
    )


def load(task: Task, recipe: Recipe, environment: Environment) -> Pipeline:
    """The pipeline that does a task with the recipe's model; the last one loaded is kept."""
    return pipelines.load(task, recipe, environment)
