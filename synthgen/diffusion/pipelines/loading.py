"""Reads a diffusers pipeline from a folder or the Hub, in the dtype that was decided, with an adapter on top of it.

The safety checker is not loaded: it takes photographs of bare skin for nudity and paints them black.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from synthgen.core import adapter_folder, model_folder
from synthgen.core.adapter_folder import Adapter
from synthgen.core.ip_adapter import IpAdapter
from synthgen.core.model_parts import Accelerator, Autoencoder, ControlNet, ImageEncoder
from synthgen.diffusion.pipelines import image_prompt_parts, model_parts, part_files
from synthgen.diffusion.pipelines.task_classes import Task, diffusers_class, other_class, parameters
from synthgen.diffusion.pipelines.weight_files import Variant
from synthgen.errors import UnavailableError

if TYPE_CHECKING:
    import torch

# The pipeline class of a model's own class for each task, of the families whose bytes are promised; named here, so that
# diffusers, whose import takes seconds, is asked of others alone.
_FAMILIES = {
    "StableDiffusionPipeline": "StableDiffusion{}Pipeline",
    "StableDiffusionInpaintPipeline": "StableDiffusion{}Pipeline",
    "StableDiffusionXLPipeline": "StableDiffusionXL{}Pipeline",
    "StableDiffusionXLInpaintPipeline": "StableDiffusionXL{}Pipeline",
    "StableDiffusion3Pipeline": "StableDiffusion3{}Pipeline",
    "FluxPipeline": "Flux{}Pipeline",
}
_TASKS: dict[Task, str] = {"text2img": "", "img2img": "Img2Img", "inpaint": "Inpaint", "ip_adapter": ""}
CLASSES: dict[tuple[Task, str], str] = {
    (task, family): pattern.format(part) for task, part in _TASKS.items() for family, pattern in _FAMILIES.items()
}


def load_diffusers(
    task: Task,
    model: model_folder.ModelFacts,
    revision: str,
    dtype: str,
    adapter: Adapter | None = None,
    *,
    variant: Variant = "",
    fused: bool = False,
    accelerator: Accelerator | None = None,
    autoencoder: Autoencoder | None = None,
    controlnet: ControlNet | None = None,
    ip_adapter: IpAdapter | None = None,
    image_encoder: ImageEncoder | None = None,
    part_revisions: Mapping[str, str] = MappingProxyType({}),
    text_encoders: bool = True,
) -> Any:
    """The diffusers pipeline that does a task with a model, on the CPU, an adapter on top of it where there is one.

    Args:
        task: What it is for.
        model: Which model.
        revision: The commit of a Hub id.
        dtype: The dtype's name in torch.
        adapter: What is loaded on top of it, or in its place.
        variant: Which of its weights are read, as of :func:`synthgen.diffusion.pipelines.weight_files.choose_variant`.
        fused: Add a LoRA to the model's own weights, in place of two small products beside each of them in every pass.
        accelerator: A few-step adapter that is loaded on top of it all, always fused.
        autoencoder: What takes the place of its own.
        controlnet: What guides it by an image.
        ip_adapter: What has it read an image as it reads the prompt.
        image_encoder: What encodes that image, where it does not come with the IP-Adapter.
        part_revisions: The commits of these, by the manifest's key.
        text_encoders: Whether its text encoders and tokenizers are read too, and what an adapter has learned of words.

    Raises:
        UnavailableError: Something does not go with the model.
    """
    import torch

    kind = task_class(task, model, revision)
    name, where, options = _options(kind, model, revision, adapter, variant)
    whole_model = adapter is not None and adapter.loads_as == "full"
    chosen = getattr(torch, dtype)
    if not text_encoders:
        options |= dict.fromkeys(_text_parts(kind))
    if autoencoder:
        commit, inside = part_revisions.get("vae", ""), ""
        if autoencoder.model.folder is None:
            inside = part_files.autoencoder_folder(autoencoder, part_files.at(autoencoder, commit))
        options |= {"vae": model_parts.load_autoencoder(autoencoder, commit, chosen, inside)}
    if controlnet:
        commit = part_revisions.get("controlnet", "")
        of = part_files.controlnet_variant(controlnet, part_files.at(controlnet, commit))
        options |= {"controlnet": model_parts.load_controlnet(controlnet, commit, chosen, of)}
    pipe = _from_pretrained(kind, name, dtype=chosen, **options)
    check_pipeline(task, pipe, model.name)
    if autoencoder:
        own = pipe.vae.load_config(name, subfolder="vae", **where)
        model_parts.check_autoencoder(pipe, autoencoder, own, model.name)
    pipe.set_progress_bar_config(disable=True)
    added = None if whole_model or (adapter and not text_encoders and adapter.loads_as != "lora") else adapter
    if added or accelerator:
        _put_on(pipe, added, accelerator, part_revisions.get("accelerate", ""))
        _cast_added(pipe, chosen)
    if accelerator or (fused and added and added.loads_as == "lora"):
        pipe.fuse_lora(safe_fusing=True)
        pipe.unload_lora_weights()
    if ip_adapter:
        image_prompt_parts.load(pipe, ip_adapter, image_encoder, part_revisions, chosen)
    return pipe


def load_text_encoders(
    task: Task, model: model_folder.ModelFacts, revision: str, dtype: str, adapter: Adapter | None = None,
    *, variant: Variant = "",
) -> Any:  # fmt: skip
    """A pipeline of a model's text encoders and tokenizers alone, on the CPU, with the words that an adapter taught.

    Args:
        task: What the model is for.
        model: Which model.
        revision: The commit of a Hub id.
        dtype: The dtype's name in torch.
        adapter: What is loaded on top of the model; none whose LoRA is on a text encoder (:func:`reads_text`).
        variant: Which of its weights are read.
    """
    import torch

    kind = task_class(task, model, revision)
    name, _, options = _options(kind, model, revision, adapter, variant)
    options |= dict.fromkeys(_image_parts(kind))
    pipe = _from_pretrained(kind, name, dtype=getattr(torch, dtype), **options)
    pipe.set_progress_bar_config(disable=True)
    if adapter and adapter.loads_as not in ("full", "lora"):
        load_adapter(pipe, adapter)
    return pipe


def reads_text(adapter: Adapter | None, accelerator: Accelerator | None, revision: str) -> bool:
    """Whether a LoRA of these has layers on a text encoder, which then can't be read without the rest of the model.

    Args:
        adapter: An adapter.
        accelerator: A few-step adapter.
        revision: Its commit.
    """
    files = [adapter.folder / adapter_folder.LORA] if adapter and adapter.folder and adapter.loads_as == "lora" else []
    files += [part_files.accelerator_file(accelerator, revision)] if accelerator else []
    return any(model_parts.reads_text(file) for file in files)


def _options(
    kind: str, model: model_folder.ModelFacts, revision: str, adapter: Adapter | None, variant: Variant
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The folder or id that a pipeline is read from, its revision, and that with all else by which its class is."""
    whole_model = adapter.folder if adapter and adapter.loads_as == "full" else None
    folder = whole_model or model.folder
    where: dict[str, Any] = {"revision": revision} if folder is None else {}
    left_out = {"safety_checker": None, "requires_safety_checker": False}
    left_out |= {"add_watermarker": False}  # on by itself where a package of that name is installed
    made = _parts(kind)
    options = where | {name: value for name, value in left_out.items() if name in made}
    if variant and whole_model is None:
        options |= {"variant": variant}
    return model.name if folder is None else str(folder), where, options


def _from_pretrained(kind: str, name: str, **options: Any) -> Any:
    """The pipeline of a class, read from safetensors without a word."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    with model_parts.without_own_warnings():
        return getattr(diffusers, kind).from_pretrained(name, use_safetensors=True, **options)


def _text_parts(kind: str) -> list[str]:
    return [name for name in _parts(kind) if name.startswith(("text_encoder", "tokenizer"))]


def _image_parts(kind: str) -> list[str]:
    named = ("unet", "transformer", "vae", "image_encoder", "feature_extractor")
    return [name for name in _parts(kind) if name in named]


def _parts(kind: str) -> list[str]:
    return list(parameters(diffusers_class(kind).__init__))


def _put_on(pipe: Any, adapter: Adapter | None, accelerator: Accelerator | None, revision: str) -> None:
    """Load an adapter, a few-step adapter of a commit, or both: then always in this order, to the last bit."""
    if adapter:
        load_adapter(pipe, adapter, name="adapter" if accelerator else None)
    if accelerator:
        model_parts.load_accelerator(pipe, accelerator, part_files.accelerator_file(accelerator, revision))
        weights = {"adapter": 1.0} if adapter and adapter.loads_as == "lora" else {}
        weights |= {"accelerate": accelerator.weight}
        pipe.set_adapters(list(weights), list(weights.values()))


def _cast_added(pipe: Any, dtype: torch.dtype) -> None:
    """Bring what a LoRA added to the dtype, and nothing else: T5 keeps layers in fp32, without which it gives NaN."""
    for part in pipe.components.values():
        if hasattr(part, "named_parameters"):
            for name, parameter in part.named_parameters():
                if "lora_" in name:
                    parameter.data = parameter.data.to(dtype)


def load_adapter(pipe: Any, adapter: Adapter, name: str | None = None) -> None:
    """Load a LoRA or learned embeddings on top of a diffusers pipeline, by diffusers' own loaders.

    Args:
        pipe: The pipeline.
        adapter: The adapter.
        name: What peft calls a LoRA that is not the only one.

    Raises:
        UnavailableError: Layers of a LoRA would be left out.
    """
    if adapter.folder is None:
        raise LookupError(f"nobody has said where adapter {adapter} lies")
    if adapter.loads_as == "lora":
        model_parts.load_lora(pipe, adapter.folder / adapter_folder.LORA, str(adapter), name)
        return
    for path in adapter_folder.embedding_files(adapter.folder):
        pipe.load_textual_inversion(adapter.folder, weight_name=path.name, use_safetensors=True)


def task_class(task: Task, model: model_folder.ModelFacts, revision: str) -> str:
    """The diffusers class that does a task with a model.

    Raises:
        UnavailableError: diffusers has none.
    """
    return pipeline_class(task, _class_name(model, revision), model.name)


def pipeline_class(task: Task, class_name: str, model: str) -> str:
    """The diffusers class that does a task with a model of a class.

    Raises:
        UnavailableError: diffusers has none. One that it has for a class of no named family is tried once it is loaded.
    """
    return CLASSES.get((task, class_name)) or other_class(task, class_name, model)


def check_channels(task: Task, in_channels: int | None, latent_channels: int, model: str) -> None:
    """Refuse a UNet of so many channels that can't do a task; ``None`` where that is not known.

    Raises:
        UnavailableError: It can't: a UNet that was made for inpainting also reads a mask and the masked image.
    """
    if task != "inpaint" and in_channels not in (None, latent_channels):
        raise UnavailableError(
            f"model {model} is for inpainting: its UNet reads {in_channels} channels, {task} gives {latent_channels}; "
            "use it with inpaint or outpaint, or another model"
        )


def check_pipeline(task: Task, pipe: Any, model: str) -> None:
    """Refuse a pipeline whose UNet, where it has one, can't do a task, as of :func:`check_channels`.

    Raises:
        UnavailableError: It can't.
    """
    if hasattr(pipe, "unet"):
        check_channels(task, pipe.unet.config.in_channels, pipe.vae.config.latent_channels, model)


def _class_name(model: model_folder.ModelFacts, revision: str) -> str:
    if model.folder is not None:
        return model.class_name
    import diffusers

    return str(diffusers.DiffusionPipeline.load_config(model.name, revision=revision)["_class_name"])
