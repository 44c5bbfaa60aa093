"""Whether a LoRA is for the denoiser of a model, by the headers of safetensors alone, before anything is loaded.

diffusers and peft find it out once both are loaded, and leave out what does not fit.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import model_folder
from synthgen.core.adapter_folder import EMBEDDINGS, LORA, Adapter
from synthgen.core.model_parts import Accelerator
from synthgen.diffusion.pipelines.weight_files import shapes
from synthgen.errors import UnavailableError

# The first of the two matrices of a layer, as peft and diffusers write it; kohya's names can't be read back to layers.
_FIRST = re.compile(r"\.(?:lora_A|lora\.down)(?:\.[^.]+)?\.weight$")
_TO_K = re.compile(r"attn2[._]to_k[._](?:lora_A|lora_down|lora\.down)(?:\.[^.]+)?\.weight$")
_MARKS = {"unet": ("unet.", "lora_unet_"), "transformer": ("transformer.", "lora_transformer_")}


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA that lies on this machine: what messages call it, and its file."""

    name: str
    file: Path


def loras(adapters: Iterable[Adapter | None], accelerator: Accelerator | None) -> tuple[Lora, ...]:
    """The LoRAs of an entry that lie on this machine: its adapters, each once, and a few-step adapter."""
    found = [
        Lora(f"adapter {one}", one.folder / LORA)
        for one in dict.fromkeys(adapters)
        if one is not None and one.folder is not None and not any(one.folder.glob(EMBEDDINGS))
    ]
    if accelerator is not None and accelerator.model.folder is not None:
        file = accelerator.model.folder / accelerator.weight_name
        found.append(Lora(f"accelerate.adapter {accelerator.model.name}", file))
    return tuple(one for one in found if one.file.is_file())


def check(lora: Lora, model: str, backbone: str, denoiser: Mapping[str, Any], weights: Sequence[Path]) -> None:
    """Refuse a LoRA that was made for another kind of denoiser, or for other layers.

    Args:
        lora: The LoRA.
        model: What a message calls the model.
        backbone: The name of its denoiser; empty where that is not known, and nothing is checked.
        denoiser: The denoiser's ``config.json``.
        weights: Files of the denoiser's weights that lie on this machine; none for a model that was not downloaded, of
            which the configuration alone is looked at.

    Raises:
        UnavailableError: It was.
    """
    if not backbone:
        return
    found = shapes(lora.file)
    other = next(part for part in model_folder.DENOISERS if part != backbone)
    if any(key.startswith(_MARKS[other]) for key in found) and not any(
        key.startswith(_MARKS[backbone]) for key in found
    ):
        raise UnavailableError(f"{lora.name}: it is for a {other}, model {model} has a {backbone}")
    wanted = denoiser.get("cross_attention_dim")
    widths = {shape[-1] for key, shape in found.items() if _TO_K.search(key) and shape}
    if isinstance(wanted, int) and widths and widths != {wanted}:
        raise UnavailableError(
            f"{lora.name}: it reads embeddings {min(widths)} wide, model {model} gives {wanted}; "
            "it was trained on a model of another family"
        )
    if weights:
        held = {key: shape for path in weights for key, shape in shapes(path).items()}
        _check_layers(lora.name, found, model, backbone, held)


def _check_layers(
    name: str, lora: Mapping[str, tuple[int, ...]], model: str, backbone: str, held: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse a LoRA that has none of its layers in the model, or one of another width."""
    start = f"{backbone}."
    layers = {
        _FIRST.sub(".weight", key).removeprefix(start): shape
        for key, shape in lora.items()
        if key.startswith(start) and _FIRST.search(key)
    }
    if layers and not layers.keys() & held.keys():
        first = min(layers).removesuffix(".weight")
        raise UnavailableError(
            f"{name}: the {backbone} of model {model} has none of its layers, such as {first}; "
            "it was trained on a model of another family"
        )
    for layer in sorted(layers.keys() & held.keys()):
        ours, theirs = layers[layer][1:], held[layer][1:]
        if ours and theirs and ours[0] != theirs[0]:
            raise UnavailableError(
                f"{name}: its {layer.removesuffix('.weight')} is {ours[0]} wide, that of model {model} {theirs[0]}; "
                "it was trained on a model of another size or family"
            )
