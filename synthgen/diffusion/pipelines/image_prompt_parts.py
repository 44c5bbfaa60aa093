"""Puts an IP-Adapter on a diffusers pipeline, whole or not at all, and the image encoder that it was trained with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core.ip_adapter import IpAdapter, check_encoder
from synthgen.core.model_parts import ImageEncoder
from synthgen.diffusion.pipelines import latents, part_files
from synthgen.diffusion.pipelines.weight_files import shapes
from synthgen.errors import ManifestError, UnavailableError, one_line

if TYPE_CHECKING:
    import torch


def load(
    pipe: Any, adapter: IpAdapter, encoder: ImageEncoder | None, revisions: Mapping[str, str], dtype: torch.dtype
) -> None:
    """Load an IP-Adapter into a pipeline, by diffusers' own ``load_ip_adapter``, and the image encoder for it.

    The encoder is read here, since ``load_ip_adapter`` reads the newest commit's, and pickled weights where it finds
    some; images are made ready for it in NumPy and Pillow, whether torchvision is installed or not.

    Args:
        pipe: The diffusers pipeline, on the CPU.
        adapter: The IP-Adapter.
        encoder: An image encoder that lies elsewhere; ``None`` for the one that comes with it.
        revisions: The commits of both, by the manifest's key.
        dtype: The dtype that the model is computed in.

    Raises:
        UnavailableError: It can't be loaded, or is for another model.
    """
    repository = part_files.at(adapter, revisions.get("ip_adapter", ""))
    path, inside = part_files.ip_adapter_files(adapter, repository)
    start, _, name = path.rpartition("/")
    weights = part_files.one_file(adapter.model, repository, path)
    if inside is None and encoder is not None:
        of, elsewhere = encoder, part_files.at(encoder, revisions.get("image_encoder", ""))
        folder = part_files.downloaded(of.model, elsewhere, part_files.encoder_files(encoder, elsewhere))
    else:
        folder = part_files.downloaded(adapter.model, repository, inside or "")
    called = f"ip_adapter {adapter.model.name}"
    found = shapes(weights)
    read, ready = _read_encoder(folder, found, (encoder or adapter).model.name, called, dtype)
    pipe.register_modules(image_encoder=read, feature_extractor=ready)
    wanted = {key.split(".")[1] for key in found if key.startswith(("ip_adapter.", "double_blocks."))}
    try:
        pipe.load_ip_adapter(str(weights.parent), subfolder="", weight_name=name)
    except (RuntimeError, ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        said = f"{type(error).__name__}: {one_line(error)[:160]}"
        raise UnavailableError(f"{called}: {start or name} is for another model than this one ({said})") from None
    network = latents.denoiser(pipe)
    loaded = [one for one in network.attn_processors.values() if hasattr(one, "to_k_ip")]
    if len(loaded) != len(wanted):
        raise UnavailableError(
            f"{called}: is for another model than this one, which has {len(loaded)} layers for its {len(wanted)}"
        )
    if lacking := [key for key, value in network.named_parameters() if value.is_meta]:
        raise UnavailableError(f"{called}: lacks {len(lacking)} of its weights, as {lacking[0]}; is it whole?")


def _read_encoder(
    folder: Path, held: Mapping[str, tuple[int, ...]], name: str, called: str, dtype: torch.dtype
) -> tuple[Any, Any]:
    """An image encoder, and what makes images ready for it.

    Raises:
        UnavailableError: It is another one than the IP-Adapter was trained with, or can't be loaded.
    """
    import transformers

    try:
        config = json.loads((folder / "config.json").read_bytes())
        kind = check_encoder(config, held, name, called)
        encoder = getattr(transformers, kind).from_pretrained(folder, dtype=dtype, use_safetensors=True)
        side = encoder.config.image_size
        if (folder / "preprocessor_config.json").is_file():
            ready = transformers.AutoImageProcessor.from_pretrained(folder, trust_remote_code=False, backend="pil")
        elif kind.startswith("Siglip"):
            ready = transformers.SiglipImageProcessorPil(size={"height": side, "width": side})
        else:
            ready = transformers.CLIPImageProcessorPil(size=side, crop_size=side)
    except ManifestError as error:
        raise UnavailableError(*error.faults) from None
    except (OSError, ValueError, RuntimeError, TypeError, AttributeError, KeyError) as error:
        raise UnavailableError(f"image_encoder {name}: can't be loaded: {one_line(error)[:200]}") from None
    return encoder.eval(), ready
