"""Puts on a diffusers pipeline what an entry names beside its model: LoRAs whole or not at all, another autoencoder."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core.model_parts import Accelerator, Autoencoder, ControlNet, check_controlnet
from synthgen.errors import ManifestError, UnavailableError, one_line

if TYPE_CHECKING:
    import torch

# The first of the two matrices of a layer, as diffusers, peft and kohya write it.
_FIRST_MATRIX = re.compile(r"\.(lora_A|lora_down|lora\.down|lora_linear_layer\.down)(\.[^.]+)?\.weight$")


def load_lora(pipe: Any, file: Path, called: str, name: str | None = None) -> None:
    """Load all layers of a LoRA by diffusers' own loader, which leaves out those that a model lacks, and only logs it.

    Args:
        pipe: The diffusers pipeline.
        file: The LoRA's file.
        called: What messages call it.
        name: What peft calls it, where it is not the only one.

    Raises:
        UnavailableError: A layer would be left out, or is of another size: it is for another model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as tensors:
            layers = sum(bool(_FIRST_MATRIX.search(key)) for key in tensors.keys())  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise UnavailableError(f"adapter {called}: {file.name} can't be read: {one_line(error)[:200]}") from None
    with _unlogged(), warnings.catch_warnings():
        warnings.filterwarnings("error", "While injecting the PEFT adapters", RuntimeWarning)
        warnings.filterwarnings("ignore", "Already found a `peft_config` attribute", UserWarning)
        warnings.filterwarnings("ignore", "Adapter .* was active which is now deleted", UserWarning)
        try:
            pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name=name, use_safetensors=True)
        except RuntimeWarning as error:
            said = one_line(error)[:200]
            raise UnavailableError(
                f"adapter {called}: not all layers of its weights can be loaded, and none is left out: {said}"
            ) from None
        except (RuntimeError, ValueError, KeyError, AttributeError) as error:
            said = one_line(error)[:200]
            raise UnavailableError(f"adapter {called}: is for another model than this one: {said}") from None
    loaded = _layers(pipe, name or "default_0")
    if loaded < layers or not loaded:
        raise UnavailableError(
            f"adapter {called}: is for another model than this one, which has only {loaded:,} of its {layers:,} layers"
        )


def reads_text(file: Path) -> bool:
    """Whether a LoRA has layers on a text encoder, as diffusers, peft and kohya name them; none where unreadable."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as tensors:
            return any(key.startswith(("text_encoder", "lora_te")) for key in tensors.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return False  # said by whoever loads it


def load_accelerator(pipe: Any, accelerator: Accelerator, file: Path) -> None:
    """Load a few-step adapter on top of a pipeline, under the name ``accelerate``.

    Raises:
        UnavailableError: It is for another model.
    """
    load_lora(pipe, file, accelerator.model.name, "accelerate")


def load_autoencoder(autoencoder: Autoencoder, revision: str, dtype: torch.dtype, subfolder: str = "") -> Any:
    """The autoencoder that takes the place of a model's own, from a folder or a Hub repository of its own.

    Raises:
        UnavailableError: It has no safetensors, or is none.
    """
    from diffusers import AutoencoderKL

    folder, name = autoencoder.model.folder, autoencoder.model.name
    where = {"revision": revision, "subfolder": subfolder} if folder is None else {}
    try:
        return AutoencoderKL.from_pretrained(folder or name, dtype=dtype, use_safetensors=True, **where)
    except (OSError, ValueError, RuntimeError) as error:
        raise UnavailableError(f"vae {name}: can't be loaded: {one_line(error)[:200]}") from None


def check_autoencoder(pipe: Any, autoencoder: Autoencoder, own: Any, model: str) -> None:
    """Refuse an autoencoder whose latents a pipeline's model can't read.

    Args:
        pipe: The pipeline, with it in its place.
        autoencoder: The autoencoder.
        own: The configuration of the model's own one.
        model: What a message calls the model.

    Raises:
        UnavailableError: It is another family's.
    """
    for key, default in (("latent_channels", 4), ("block_out_channels", ())):
        there, here = pipe.vae.config.get(key, default), own.get(key, default)
        there, here = (len(one) if isinstance(one, list | tuple) else one for one in (there, here))
        if there != here:
            what = "latent channels" if key == "latent_channels" else "levels"
            raise UnavailableError(
                f"vae {autoencoder.model.name}: has {there} {what}, {model} is for {here}; it is another family's"
            )


def load_controlnet(controlnet: ControlNet, revision: str, dtype: torch.dtype, variant: str = "") -> Any:
    """A ControlNet of the class that its own ``config.json`` names, from a folder or a Hub repository.

    Raises:
        UnavailableError: It can't be loaded, or is none.
    """
    import diffusers

    folder, name = controlnet.model.folder, controlnet.model.name
    where: dict[str, Any] = {"revision": revision} if folder is None else {}
    try:
        config = diffusers.ControlNetModel.load_config(folder or name, **where)
        check_controlnet(str(config.get("_class_name", "")), name)
        kind = getattr(diffusers, config["_class_name"])
        where |= {"variant": variant} if variant else {}
        with without_own_warnings():
            return kind.from_pretrained(folder or name, dtype=dtype, use_safetensors=True, **where)
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        raise UnavailableError(f"controlnet {name}: can't be loaded: {one_line(error)[:200]}") from None
    except ManifestError as error:
        raise UnavailableError(*(f"controlnet.{fault}" for fault in error.faults)) from None


@contextmanager
def without_own_warnings() -> Iterator[None]:
    """Keep away what diffusers warns of its own: its Chroma, and its ControlNet of Flux, are built of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*`FluxPosEmbed` is deprecated", FutureWarning)
        yield


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep away what diffusers logs of a LoRA beside the error that it raises: a line for each layer."""
    log = logging.getLogger("diffusers.loaders.peft")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _layers(pipe: Any, name: str) -> int:
    """How many layers of a pipeline have a LoRA of that name beside them."""
    modules = (one for part in pipe.components.values() if hasattr(part, "modules") for one in part.modules())
    return sum(name in (*getattr(one, "lora_A", ()), *getattr(one, "lora_embedding_A", ())) for one in modules)
