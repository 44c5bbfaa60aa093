"""What a pipeline class that nobody tried has to show before it makes images: that each depends on its own sample.

Asked once a model and a task, with the smallest images and the fewest steps that show it: an image alone, beside
another, and at another place beside another still is the same; another seed and another prompt give another image;
prompts that were seen before call no text encoder; guidance, where it is asked for, does something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgen.diffusion.maker import MadeImages
from synthgen.diffusion.pipelines.any_family import AnyFamily
from synthgen.diffusion.pipelines.task_classes import Task
from synthgen.errors import OutOfMemoryError, SynthgenError, UnavailableError, one_line
from synthgen.plan.sample import Recipe, Sample
from synthgen.vision.images.codec import psnr

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

TOLERANCE = 40.0  # dB, by which an image that is made again elsewhere is called the same
_SIDE = 64  # pixels, or four of what a side must be a multiple of
_READS = {"controlnet": "ControlNet", "ip_adapter": "IP-Adapter"}
_PROMPTS = (
    "a photograph of skin", "a close photograph of a small dark lesion on the skin of a forearm, in daylight",
    "an image of melanoma",
)  # fmt: skip


def prove(pipeline: AnyFamily, task: Task, recipe: Recipe) -> dict[str, str]:
    """What a pipeline showed of itself, by what was asked, as a run's record keeps it.

    Args:
        pipeline: The pipeline, on its device and in its dtype.
        task: What it is for.
        recipe: What images are to be made with; of its settings the size and the steps are made small.

    Raises:
        UnavailableError: It can't be called, or its images do not depend on their own samples alone.
        OutOfMemoryError: Not even the smallest images fit.
    """
    try:
        return _shown(pipeline, task, recipe)
    except OutOfMemoryError:
        raise
    except _UnfitError as error:
        reason = str(error)
    except SynthgenError as error:
        reason = one_line(error)
    except Exception as error:  # noqa: BLE001 - whatever a class of anybody's raises is why it is refused
        reason = f"it can't be called: {type(error).__name__}: {one_line(error)[:200]}"
    raise UnavailableError(
        f"model {recipe.model.name} is a {type(pipeline.pipe).__name__}, which was tried here and can't be used for "
        f"{task}: {reason}"
    )


class _UnfitError(Exception):
    """A pipeline's images are not what they have to be."""


def _shown(pipeline: AnyFamily, task: Task, recipe: Recipe) -> dict[str, str]:
    settings: Any = recipe.settings
    side = max(-(-_SIDE // pipeline.multiple), 4) * pipeline.multiple
    small = settings.shortest().model_copy(update={"height": side, "width": side})
    one, other, third = (
        _sample(replace(recipe, settings=small), seed, prompt) for seed, prompt in enumerate(_PROMPTS, start=1)
    )

    def make(*samples: Sample, turned: bool = False) -> Pixels:
        made = _call(pipeline, task, samples, turned=turned)
        if made.pixels.shape[1:3] != (side, side):
            found = " x ".join(map(str, made.pixels.shape[2:0:-1]))
            raise _UnfitError(f"images of {side} x {side} were asked for, and are {found}")
        if not made.finite.all():
            half = pipeline.pipe.dtype.itemsize < 4
            raise _UnfitError(f"its images are NaN{'; try --dtype bf16 or fp32' if half else ''}")
        return made.pixels

    alone = make(one)[0]
    together = make(one, other)
    distances = {
        "alone": psnr(alone, together[0]),
        "beside another": psnr(make(third, one)[1], together[0]),
    }
    for what, found in distances.items():
        if found < TOLERANCE:
            raise _UnfitError(f"an image {what} is another one, {found:.1f} dB away, so none could be made again")
    with _counting_encoders(pipeline.pipe) as calls:
        changed = make(replace(one, seed=one.seed + 100), replace(other, prompt=one.prompt))
    if calls:
        raise _UnfitError("prompts that were encoded before are encoded again")
    for what, place in (("seed", 0), ("prompt", 1)):
        if psnr(changed[place], together[place]) >= min(distances.values()):
            raise _UnfitError(f"another {what} gives the same image")
    if (reads := _READS.get(task)) and np.array_equal(make(one, other, turned=True), together):
        raise _UnfitError(f"another image for the {reads} gives the same image; was it trained?")
    if small.guidance_scale > 1:
        plain = small.model_copy(update={"guidance_scale": 1.0})
        free = make(*(replace(each, recipe=replace(each.recipe, settings=plain)) for each in (one, other)))
        if np.array_equal(free, together):
            raise _UnfitError(
                f"guidance_scale {small.guidance_scale:g} changes nothing: the model is distilled; set it to 1"
            )
    return {"class": type(pipeline.pipe).__name__, **{what: _said(found) for what, found in distances.items()}}


def _said(distance: float) -> str:
    return "identical" if distance == float("inf") else f"{distance:.0f} dB"


def _call(pipeline: AnyFamily, task: Task, samples: Sequence[Sample], *, turned: bool = False) -> MadeImages:
    if task == "text2img":
        return pipeline.text2img(samples)
    side = samples[0].recipe.settings.height or _SIDE
    images = np.stack([_start(side, sample.seed) for sample in samples])
    if task == "img2img":
        return pipeline.img2img(samples, images)
    if task == "ip_adapter":
        return pipeline.ip_adapter(samples, 255 - images if turned else images)
    if task == "controlnet":
        lines = np.where(images > np.median(images), np.uint8(255), np.uint8(0))
        return pipeline.controlnet(samples, np.ascontiguousarray(lines[:, :, ::-1] if turned else lines))
    masks = np.zeros((len(samples), side, side), bool)
    masks[:, side // 4 :, side // 4 :] = True
    return pipeline.inpaint(samples, images, masks)


def _start(side: int, seed: int) -> Pixels:
    """An image to start from: a slope of one colour into another."""
    slope = np.linspace(60, 200, side, dtype=np.uint8)
    image = np.stack(np.broadcast_arrays(slope[:, None], slope[None, :], np.uint8(40 + seed % 100)), axis=-1)
    return np.ascontiguousarray(image)


def _sample(recipe: Recipe, seed: int, prompt: str) -> Sample:
    return Sample(
        key=f"proof-{seed}", index=seed, recipe=recipe, label="", label_id=0, skin_tone="", skin_tone_scale="",
        fitzpatrick=0, prompt=prompt, negative_prompt="", attributes=(), seed=seed, attempt=0,
    )  # fmt: skip


@contextmanager
def _counting_encoders(pipe: Any) -> Iterator[list[str]]:
    """Note each call of a text encoder inside, by its name."""
    called = list[str]()
    parts = {name: part for name, part in pipe.components.items() if name.startswith("text_encoder") and part}
    hooks = [part.register_forward_pre_hook(lambda *_, name=name: called.append(name)) for name, part in parts.items()]
    try:
        yield called
    finally:
        for hook in hooks:
            hook.remove()
