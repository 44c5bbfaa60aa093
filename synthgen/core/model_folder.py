"""What a model says of itself before anything is loaded: its class, its sizes, its fingerprint."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from synthgen.core import hub
from synthgen.core.known_digests import sha256_large
from synthgen.errors import ManifestError

BUNDLED = "phantom"
LEARNED = (
    "psoriasis", "basal cell carcinoma", "melanoma", "vitiligo", "folliculitis", "lichen planus",
    "squamous cell carcinoma", "healthy skin",
)  # fmt: skip
"""The conditions that the bundled model has learned, in the words that name them."""
DENOISERS = ("unet", "transformer")
"""The folders that a denoiser may lie in."""
SCHEDULER = "scheduler/scheduler_config.json"
_DISTILLED = ("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline")
_PATCHED = ("Flux", "StableDiffusion3")  # classes whose transformers read squares of two by two latents
PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
"""Endings of weights that can run code when they are loaded, and are never read."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model without importing torch.

    Attributes:
        name: The model as the manifest writes it.
        kind: ``bundled``, a local ``folder`` or a ``hub`` id, which is not checked here.
        folder: Where it lies; ``None`` for a Hub id.
        class_name: The pipeline class that its ``model_index.json`` names; empty for a Hub id.
        multiple: Height and width in pixels must be multiples of this.
        sample_size: The side in pixels that it was trained for; ``None`` where it does not say.
        in_channels: Channels that its UNet reads, more than the latents' where it was made for inpainting; ``None``
            where it has none, or is not known.
        latent_channels: Channels of its latents.
        distilled: Whether its denoiser reads guidance_scale as a number, as Flux's and those of latent consistency
            models do; false where that is not known.
        flow: Whether its own scheduler matches a flow, and does not take noise off on a schedule of betas; false where
            that is not known.
    """

    name: str
    kind: Literal["bundled", "folder", "hub"]
    folder: Path | None = None
    class_name: str = ""
    multiple: int = 8
    sample_size: int | None = None
    in_channels: int | None = None
    latent_channels: int = 4
    distilled: bool = False
    flow: bool = False


def bundled() -> Path:
    """The folder of the model that ships."""
    return Path(str(files("synthgen"))) / "phantom" / "weights"


def describe(name: str, base: Path) -> ModelFacts:
    """What a model says of itself, by its name in a manifest: ``phantom``, a folder (from ``base``) or a Hub id.

    Raises:
        ManifestError: It is neither, or the folder is not a safe diffusers folder.
    """
    if name == BUNDLED:
        return _describe_folder(name, "bundled", bundled())
    try:
        folder = (base / Path(name).expanduser()).resolve()
        found = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise ManifestError(f"`{name[:80]}` can't be looked up: {error}") from None
    if found:
        return _describe_folder(name, "folder", folder)
    if name.startswith((".", "/", "~")):
        raise ManifestError(f"no folder {folder}")
    if not hub.MODEL_ID.fullmatch(name):
        raise ManifestError(f"`{name}` is neither `{BUNDLED}`, a folder, nor a Hub id (org/name)")
    return ModelFacts(name, "hub")


@cache
def fingerprint(folder: Path) -> str:
    """The sha256 over the names and bytes of every file that a pipeline loads from a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in {".json", ".safetensors", ".txt", ".model"}:
            content = bytes.fromhex(sha256_large(path))
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + content)
    return f"sha256:{digest.hexdigest()[:32]}"


def refuse_unsafe(folder: Path, parts: Iterable[Path]) -> None:
    """Refuse a folder with code in it, or with a part whose weights are there only in a form that can run code.

    Raises:
        ManifestError: It has; the files are named.
    """
    unsafe = [*folder.rglob("*.py")]
    for part in parts:
        if not any(part.glob("*.safetensors")):
            unsafe += [path for path in part.iterdir() if path.suffix in PICKLED]
    if unsafe:
        names = ", ".join(sorted(path.relative_to(folder).as_posix() for path in unsafe)[:3])
        raise ManifestError(
            f"{folder} holds code or pickled weights ({names}), which can run anything when loaded; "
            "only safetensors are read: convert them with `save_pretrained(safe_serialization=True)`"
        )


def _describe_folder(name: str, kind: Literal["bundled", "folder"], folder: Path) -> ModelFacts:
    index = _json(folder / "model_index.json")
    refuse_unsafe(folder, [part for part in folder.iterdir() if part.is_dir()])
    vae = _json(folder / "vae" / "config.json") if (folder / "vae").is_dir() else {}
    backbone = next((part for part in DENOISERS if (folder / part).is_dir()), "")
    config = _json(folder / backbone / "config.json") if backbone else {}
    path = folder / SCHEDULER
    return facts_of(
        ModelFacts(name, kind, folder), index, vae, config, backbone, scheduler=_json(path) if path.is_file() else {}
    )


def facts_of(
    named: ModelFacts,
    index: dict[str, Any],
    vae: dict[str, Any],
    config: dict[str, Any],
    backbone: str,
    *,
    scheduler: Mapping[str, Any] = MappingProxyType({}),
) -> ModelFacts:
    """What a model's configurations say of it.

    Args:
        named: Its name, its kind and where it lies.
        index: Its ``model_index.json``.
        vae: Its autoencoder's ``config.json``.
        config: Its denoiser's.
        backbone: The denoiser's name, one of ``DENOISERS``.
        scheduler: Its scheduler's.

    Raises:
        ManifestError: Its latents have no number of channels.
    """
    factor = pixels_per_latent(vae)
    side, channels = config.get("sample_size"), config.get("in_channels")
    latents = vae.get("latent_channels", 4)
    if type(latents) is not int or latents < 1:
        raise ManifestError(f"{named.name}: its autoencoder's config.json gives no number of `latent_channels`")
    class_name = str(index.get("_class_name", ""))
    return replace(
        named,
        class_name=class_name,
        multiple=max(8, factor) * max(2 if class_name.startswith(_PATCHED) else 1, _patch(config, vae)),
        sample_size=side * factor if isinstance(side, int) else None,
        in_channels=channels if backbone == "unet" and isinstance(channels, int) else None,
        latent_channels=latents,
        distilled=class_name in _DISTILLED
        or bool(config.get("guidance_embeds"))
        or config.get("time_cond_proj_dim") is not None,
        flow=is_flow(scheduler),
    )


def is_flow(scheduler: Mapping[str, Any]) -> bool:
    """Whether a scheduler matches a flow, by its configuration."""
    named = str(scheduler.get("_class_name", "")).startswith("FlowMatch")
    return named or bool(scheduler.get("use_flow_sigmas")) or scheduler.get("prediction_type") == "flow_prediction"


def pixels_per_latent(vae: Mapping[str, Any]) -> int:
    """Pixels of a side to one of the latents', by the autoencoder's configuration; 8 where that does not say."""
    for key in ("block_out_channels", "encoder_block_out_channels"):
        if isinstance(widths := vae.get(key), list) and widths:
            return int(2 ** (len(widths) - 1))
    halved = vae.get("temperal_downsample")  # that is how it is spelled there
    return int(2 ** len(halved)) if isinstance(halved, list) else 8


def _patch(config: Mapping[str, Any], vae: Mapping[str, Any]) -> int:
    """The side of the square of latents that a transformer reads as one; 1 for a UNet, and where it is not known."""
    channels = vae.get("latent_channels", vae.get("z_dim"))
    packed = 2 if isinstance(channels, int) and config.get("in_channels") == 4 * channels else 1
    sides = config.get("patch_size", config.get("all_patch_size"))
    found = [one for one in (sides if isinstance(sides, list) else [sides]) if type(one) is int and one > 0]
    return max([packed, *found])


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}; is this a diffusers model folder?") from None
    except ValueError as error:
        raise ManifestError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: expected a JSON object")
    return content
