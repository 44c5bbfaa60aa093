"""Which diffusers class does a task with a model of any class, found by its name and by what it takes when called.

diffusers' ``AutoPipelineForImage2Image`` and its like know some of these pairs, not all (Chroma's are missing), and
give a pipeline of another kind (an editing model) where a family has none of the kind that was asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

from synthgen.core.model_folder import DENOISERS
from synthgen.errors import UnavailableError

Task = Literal["text2img", "img2img", "inpaint", "controlnet", "ip_adapter"]
Parameters = dict[str, inspect.Parameter]
SUFFIXES: dict[Task, str] = {
    "text2img": "", "img2img": "Img2Img", "inpaint": "Inpaint", "controlnet": "ControlNet", "ip_adapter": "",
}  # fmt: skip
_GIVEN = {
    "text2img": {"prompt", "height", "width"},
    "img2img": {"prompt", "image", "strength"},
    "inpaint": {"prompt", "image", "mask_image", "strength"},
    "controlnet": {"prompt", "height", "width", "controlnet_conditioning_scale", "control_guidance_start",
                   "control_guidance_end"},
    "ip_adapter": {"prompt", "height", "width", "ip_adapter_image_embeds"},
}  # fmt: skip
CONTROL_IMAGES = ("control_image", "image")  # what a class calls the image that its ControlNet is shown
_ALWAYS = {"num_inference_steps", "generator", "output_type"}
_FRAMES = {"num_frames", "video_length", "audio_length_in_s", "audio_end_in_s"}


def other_class(task: Task, class_name: str, model: str) -> str:
    """The diffusers class that does a task with a model of a class that is of no named family.

    Args:
        task: What it is for.
        class_name: The class that the model's ``model_index.json`` names.
        model: What a message calls the model.

    Raises:
        UnavailableError: diffusers has none, or it makes no images from a prompt as the task has it.
    """
    import diffusers

    if not class_name:
        raise UnavailableError(f"model {model}: its model_index.json names no class; is it a diffusers pipeline?")
    there = set(dir(diffusers))
    if class_name not in there or not class_name.endswith("Pipeline"):
        raise UnavailableError(
            f"model {model} is a {class_name}, which diffusers {diffusers.__version__} does not have as a "
            "pipeline; install a diffusers that has it, or choose another model"
        )
    stem = class_name.removesuffix("Pipeline")
    for suffix in SUFFIXES.values():
        stem = stem.removesuffix(suffix) or stem
    wanted = f"{stem}{SUFFIXES[task]}Pipeline"
    if wanted not in there:
        raise UnavailableError(
            f"model {model} is a {class_name}; diffusers {diffusers.__version__} has no {wanted}, so it can't do "
            f"{task}; use {' or '.join(_possible(stem, there)) or 'another model'}, or a model of another family"
        )
    reason = _unsuited(task, wanted)
    if reason:
        raise UnavailableError(
            f"model {model} is a {class_name}, which can't do {task}: {reason}; choose another model"
        )
    return wanted


def _possible(stem: str, there: set[str]) -> list[str]:
    """The tasks for which a family has a class that does them."""
    return [
        task
        for task, suffix in SUFFIXES.items()
        if (name := f"{stem}{suffix}Pipeline") in there and not _unsuited(task, name)
    ]


@cache
def _unsuited(task: Task, class_name: str) -> str:
    """Why a class can't do a task, by what it takes when it is made and called; empty where nothing speaks against."""
    try:
        kind = diffusers_class(class_name)
        return next(_lacks(task, kind, parameters(kind.__call__), parameters(kind.__init__)), "")
    except (AttributeError, ImportError, RuntimeError, ValueError) as error:
        return f"it can't be looked at ({type(error).__name__})"


def _lacks(task: Task, kind: Any, called: Parameters, made: Parameters) -> Iterator[str]:
    """What a class has too much or too little for a task, of what it takes when it is called and made."""
    if frames := _FRAMES & called.keys():
        yield f"it makes videos or sounds, as `{min(frames)}` tells"
    if not hasattr(kind, "encode_prompt"):
        yield "it has no `encode_prompt`"
    if "vae" not in made or not made.keys() & set(DENOISERS):
        yield "it has no `vae` beside a `unet` or a `transformer`"
    if task == "ip_adapter" and not hasattr(kind, "load_ip_adapter"):
        yield "it has no `load_ip_adapter`"
    given = _GIVEN[task] | _ALWAYS
    if task == "controlnet":
        shown = [name for name in CONTROL_IMAGES if name in called]
        given |= {shown[0] if shown else CONTROL_IMAGES[0]}
    yield from (f"it takes no `{name}`" for name in sorted(given - called.keys()))
    needs = (name for name, one in called.items() if one.default is one.empty)
    yield from (f"it needs `{name}`" for name in needs if name not in given)


def diffusers_class(name: str) -> Any:
    """A class of diffusers by its name, imported without what is logged of packages that it can do without.

    Raises:
        AttributeError: There is none.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    return getattr(diffusers, name)


def parameters(function: Any) -> Parameters:
    """The parameters of a function by name, without ``self`` and those that take any number."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = inspect.signature(function).parameters
    return {name: one for name, one in found.items() if name != "self" and one.kind not in several}
