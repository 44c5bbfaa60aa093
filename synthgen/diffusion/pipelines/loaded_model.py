"""The one model that is alive, as a pipeline for each task that asks for it.

Tasks of one model share its parts: text to image, image to image and inpainting with Stable Diffusion XL take 6.5 GiB,
not three times that. Another model is read only once the last is gone, since two seldom fit side by side.
"""

from __future__ import annotations

import gc
import inspect
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from synthgen.core import devices
from synthgen.core.adapter_folder import Adapter
from synthgen.core.devices import Environment
from synthgen.core.ip_adapter import IpAdapter
from synthgen.core.model_folder import ModelFacts
from synthgen.core.model_parts import Accelerator, Autoencoder, ControlNet, ImageEncoder
from synthgen.diffusion.pipelines import embedding_file, loading, proof
from synthgen.diffusion.pipelines.any_family import AnyFamily
from synthgen.diffusion.pipelines.attention import set_attention
from synthgen.diffusion.pipelines.embedding_file import RunPrompts
from synthgen.diffusion.pipelines.families import family, family_of
from synthgen.diffusion.pipelines.pipeline import Pipeline
from synthgen.diffusion.pipelines.placement import Memory, place
from synthgen.diffusion.pipelines.prompt_embeddings import PromptEmbeddings, TextEncodersApart
from synthgen.diffusion.pipelines.task_classes import Task
from synthgen.diffusion.pipelines.weight_files import Variant
from synthgen.errors import UnavailableError, one_line
from synthgen.plan.sample import Recipe

_ENCODE = ("torch", "diffusers", "transformers", "tokenizers", "safetensors", "peft", "cuda", "cudnn")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Key:
    """Everything that decides what is loaded, but for the task."""

    model: ModelFacts
    revision: str
    device: str
    dtype: str
    attention: str
    variant: Variant
    adapter: Adapter | None
    fused: bool
    accelerator: Accelerator | None
    autoencoder: Autoencoder | None
    part_revisions: tuple[tuple[str, str], ...]
    memory: Memory = ""
    controlnet: ControlNet | None = None
    ip_adapter: IpAdapter | None = None
    image_encoder: ImageEncoder | None = None


@dataclass(slots=True)
class _Alive:
    key: _Key | None = None
    pipelines: dict[tuple[Task, bool], Pipeline] = field(default_factory=dict)  # by task, and how NaN is made again


_alive = _Alive()


def load(task: Task, recipe: Recipe, environment: Environment) -> Pipeline:
    """The pipeline that does a task with the model and adapter of a recipe, on the device of an environment.

    The last model is kept, so that entries and tasks that share one load it once; it is let go of before another is
    read. A caller that still holds a pipeline of the last model keeps its memory.

    Raises:
        UnavailableError: The model can't be loaded, or there is no memory to encode the run's prompts.
        InputError: A prompt of the run is longer than the model reads.
    """
    import torch

    torch.set_num_threads(environment.threads)
    if environment.device == "cuda":
        devices.set_flags(environment.flags)
    key = _Key(
        recipe.model, environment.model_revision, environment.device, environment.dtype, environment.attention,
        environment.variant, recipe.adapter, environment.fused, recipe.accelerator, recipe.autoencoder,
        tuple(sorted(environment.parts.items())), environment.memory, recipe.controlnet,
        recipe.ip_adapter, recipe.image_encoder,
    )  # fmt: skip
    if _alive.key != key or any(one.displaced for one in _alive.pipelines.values()):
        release()
    try:
        wanted = task, environment.redo_batch_size > 0
        if wanted not in _alive.pipelines:
            first = next(iter(_alive.pipelines.values()), None)
            pipeline = _another(*wanted, key, first) if first else _read(*wanted, key)
            if isinstance(pipeline, AnyFamily) and not environment.proof:
                pipeline.proof = proof.prove(pipeline, task, recipe)
            _alive.pipelines[wanted] = pipeline
            _alive.key = key
    except (OSError, ValueError, ModuleNotFoundError, RuntimeError) as error:
        reason = one_line(error)[:300]
        what = f"model {recipe.made_with}" + (f" with adapter {recipe.adapter}" if recipe.adapter else "")
        raise UnavailableError(f"{what}: can't be loaded: {reason}") from error
    found = _alive.pipelines[wanted]
    if (run := embedding_file.current()) is not None:
        _fill(found, run, key, environment)
    return found


def loaded(task: Task, environment: Environment) -> Pipeline | None:
    """The pipeline that was loaded last for a task in an environment; ``None`` where none is alive."""
    return _alive.pipelines.get((task, environment.redo_batch_size > 0))


def release() -> None:
    """Let go of the model, so that what comes next finds its memory, on a GPU too."""
    _alive.key = None
    if not _alive.pipelines:
        return
    import torch

    _alive.pipelines.clear()
    gc.collect()  # a diffusers pipeline and what is set on it point at each other
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def release_from_gpu() -> None:
    """Let go of a model that takes memory of a GPU; one on a CPU is kept for who asks again."""
    if _alive.key is not None and _alive.key.device != "cpu":
        release()


def _read(task: Task, redo_alone: bool, key: _Key) -> Pipeline:
    """The pipeline of a model that is not loaded yet."""
    import torch

    known = family_of(loading.task_class(task, key.model, key.revision)) != "other"
    together = not known or _reads_text(key)
    pipe = _read_parts(task, key, text_encoders=together)
    encoders = None
    if known:
        beside = None if key.memory == "offload" else pipe  # what hooks bring layer by layer can't be moved
        encoders = TextEncodersApart(partial(_read_encoders, task, key, together=together), key.device, beside)
        for name in [name for name in pipe.components if name.startswith("text_encoder")]:
            setattr(pipe, name, None)
    if not key.memory:
        pipe.to(key.device)
    set_attention(pipe, key.attention)
    if devices.channels_last(key.device) and hasattr(pipe, "unet"):
        pipe.unet.to(memory_format=torch.channels_last)
    if key.memory:  # hooks come last: they hold on to the weights as they find them
        place(pipe, key.device, key.memory)
    if family(pipe) == "other":
        return AnyFamily(pipe, key.dtype, redo_alone=redo_alone, memory=key.memory)
    pipe.vae.to(memory_format=torch.channels_last)
    return Pipeline(
        pipe, key.dtype, embeddings=PromptEmbeddings(pipe, encoders), redo_alone=redo_alone, memory=key.memory
    )


def _read_parts(task: Task, key: _Key, *, text_encoders: bool) -> Any:
    return loading.load_diffusers(
        task, key.model, key.revision, key.dtype, key.adapter, variant=key.variant, fused=key.fused,
        accelerator=key.accelerator, autoencoder=key.autoencoder, controlnet=key.controlnet,
        ip_adapter=key.ip_adapter, image_encoder=key.image_encoder, part_revisions=dict(key.part_revisions),
        text_encoders=text_encoders,
    )  # fmt: skip


def _reads_text(key: _Key) -> bool:
    return loading.reads_text(key.adapter, key.accelerator, dict(key.part_revisions).get("accelerate", ""))


def _read_encoders(task: Task, key: _Key, *, together: bool) -> Any:
    """A pipeline of the model's text encoders alone; where a LoRA is on them, of all of it, whose other parts go."""
    if not together:
        return loading.load_text_encoders(task, key.model, key.revision, key.dtype, key.adapter, variant=key.variant)
    pipe = _read_parts(task, key, text_encoders=True)
    for name in [name for name in pipe.components if name in ("unet", "transformer", "vae")]:
        setattr(pipe, name, None)
    return pipe


def _fill(pipeline: Pipeline, run: RunPrompts, key: _Key, environment: Environment) -> None:
    """Give a pipeline the embeddings of a run's prompts, where its family is one whose prompts are encoded apart."""
    if isinstance(pipeline, AnyFamily):
        _log.info("%s: its prompts are encoded as they come, its text encoders stay loaded", key.model.name)
        return
    adapter, versions = key.adapter, environment.versions
    run.fill(pipeline.embeddings, {
        "model": key.model.name, "revision": key.revision, "variant": key.variant, "dtype": key.dtype,
        "device": key.device, "flags": environment.flags, "threads": environment.threads if key.device == "cpu" else 0,
        "adapter": [adapter.name, environment.adapters.get(str(adapter), adapter.digest)] if adapter else [],
        "accelerate": [*key.accelerator.content, dict(key.part_revisions)] if key.accelerator else [],
        "versions": {name: versions[name] for name in _ENCODE if name in versions},
    })  # fmt: skip


def _another(task: Task, redo_alone: bool, key: _Key, loaded: Pipeline) -> Pipeline:
    """A pipeline for another task, of the same parts.

    diffusers' own ``from_pipe`` brings every part to one dtype, T5's fp32 layers too, so the class is called instead.
    """
    import diffusers

    kind = getattr(diffusers, loading.task_class(task, key.model, key.revision))
    taken = inspect.signature(kind.__init__).parameters
    parts: dict[str, Any] = loaded.parts()
    config = {name: value for name, value in loaded.config().items() if name in taken and name not in parts}
    if "add_watermarker" in taken:
        config["add_watermarker"] = False
    pipe = kind(**{name: part for name, part in parts.items() if name in taken}, **config)
    loading.check_pipeline(task, pipe, key.model.name)
    pipe.set_progress_bar_config(disable=True)
    if family(pipe) == "other":
        return AnyFamily(pipe, key.dtype, redo_alone=redo_alone, memory=key.memory)
    return Pipeline(pipe, key.dtype, embeddings=loaded.embeddings, redo_alone=redo_alone, memory=key.memory)
