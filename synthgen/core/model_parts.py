"""What a model is made with beside its own files: a few-step adapter on top of it, another autoencoder in its place.

diffusers' own loaders read both; here is only which file is meant, known before torch is imported.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from synthgen.core import hub, model_folder
from synthgen.core.adapter_folder import LORA
from synthgen.core.hashing import sha256_file
from synthgen.core.model_folder import ModelFacts
from synthgen.errors import ManifestError

_CONFIG = "config.json"
_VAE = "AutoencoderKL"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A LoRA with which a model samples in a few steps: LCM-LoRA, Lightning, Hyper-SD, TCD.

    Attributes:
        model: Where it comes from, under the name that the manifest gives it.
        revision: The commit or tag asked of a Hub id; empty for its newest.
        weight_name: Its file; empty for the one that a Hub repository has.
        weight: How strongly it acts, 1 as it was trained.
        sha256: Of that file, in hex; empty for a Hub id, whose commit a run pins.
    """

    model: ModelFacts
    revision: str = ""
    weight_name: str = ""
    weight: float = 1.0
    sha256: str = ""

    @property
    def content(self) -> list[Any]:
        """What of it decides an image, as plain values."""
        return [self.model.name, self.revision, self.weight_name, self.weight, self.sha256]


@dataclass(frozen=True, slots=True)
class _Network:
    """A network that is loaded whole.

    Attributes:
        model: Where it comes from, under the name that the manifest gives it.
        revision: The commit or tag asked of a Hub id; empty for its newest.
    """

    model: ModelFacts
    revision: str = ""

    @property
    def content(self) -> list[Any]:
        """What of it decides an image, as plain values."""
        return [self.model.name, self.revision]


class Autoencoder(_Network):
    """An autoencoder that takes the place of a model's own."""

    __slots__ = ()


class ControlNet(_Network):
    """A ControlNet: a network beside a model's denoiser that guides it by an image of lines or shapes."""

    __slots__ = ()


class ImageEncoder(_Network):
    """An image encoder for an IP-Adapter whose own repository has none."""

    __slots__ = ()


def describe_controlnet(name: str, base: Path, *, revision: str = "") -> ControlNet:
    """A ControlNet by its name in a manifest: a folder (from ``base``) or a Hub id.

    Raises:
        ManifestError: It is neither, or no ControlNet of safetensors; ``key: message``.
    """
    folder = find_folder("model", name, base)
    if folder is None:
        return ControlNet(ModelFacts(name, "hub"), revision)
    refuse_revision(name, revision)
    try:
        model_folder.refuse_unsafe(folder, [folder])
        config = dict(json.loads((folder / _CONFIG).read_bytes()))
    except ManifestError as error:
        raise ManifestError(*(f"model: {fault}" for fault in error.faults)) from None
    except (OSError, ValueError, TypeError):
        raise ManifestError(f"model: {folder} has no {_CONFIG} that can be read; a ControlNet is needed") from None
    check_controlnet(str(config.get("_class_name", "")), str(folder))
    if not any(folder.glob("*.safetensors")):
        raise ManifestError(f"model: {folder} has no .safetensors file")
    return ControlNet(ModelFacts(name, "folder", folder, str(config["_class_name"])))


def check_controlnet(class_name: str, name: str) -> None:
    """Refuse a class that is no ControlNet of one kind of image.

    Raises:
        ManifestError: It is none; ``key: message``.
    """
    if not class_name.endswith("ControlNetModel") or "Multi" in class_name:
        raise ManifestError(f"model: {name} is a {class_name or 'folder of no class'}; a ControlNet is needed")


def bundled_adapters() -> Path:
    """The folder of the adapters that ship, a folder each by its name."""
    return Path(str(files("synthgen"))) / "phantom" / "adapters"


def describe_accelerator(
    name: str, base: Path, *, revision: str = "", weight_name: str = "", weight: float = 1.0
) -> Accelerator:
    """A few-step adapter by its name in a manifest: one that ships, a folder (from ``base``) or a Hub id.

    Args:
        name: Its name.
        base: The folder that a relative path starts from.
        revision: The commit or tag of a Hub id.
        weight_name: Its file, where there are several.
        weight: How strongly it acts.

    Raises:
        ManifestError: It is none of them, or the folder has no such file; ``key: message``.
    """
    ships = bundled_adapters() / name if hub.MODEL_ID.fullmatch(name) and "/" not in name else None
    own = ships is not None and ships.is_dir()
    folder = ships if own else find_folder("adapter", name, base)
    if folder is None:
        return Accelerator(ModelFacts(name, "hub"), revision, weight_name, weight)
    refuse_revision(name, revision)
    file = folder / choose_weights([path.name for path in folder.iterdir() if path.is_file()], weight_name, name)
    facts = ModelFacts(name, "bundled" if own else "folder", folder)
    return Accelerator(facts, "", file.name, weight, sha256_file(file))


def choose_weights(names: Iterable[str], wanted: str, adapter: str, key: str = "adapter") -> str:
    """The file of an adapter's weights: the one that is wanted, the usual one, or the only one that there is.

    Args:
        names: The files that there are, paths from the adapter's own folder.
        wanted: The one that is asked for; empty for the usual one.
        adapter: What a message calls the adapter.
        key: The manifest's key that names it.

    Raises:
        ManifestError: It is not there, is pickled, or there are several; ``key: message``.
    """
    found = list(names)
    there = sorted(one for one in found if one.endswith(".safetensors"))
    if wanted:
        if not wanted.endswith(".safetensors"):
            raise ManifestError(f"weight_name: `{wanted}` is no .safetensors file; only those are read")
        if wanted not in there:
            raise ManifestError(f"weight_name: {adapter} has no `{wanted}`; it has {_listed(there)}")
        return wanted
    if LORA in there or len(there) == 1:
        return LORA if LORA in there else there[0]
    if there:
        raise ManifestError(f"weight_name: missing; {adapter} has several files: {_listed(there)}")
    pickled = sorted(one for one in found if one.endswith(model_folder.PICKLED))
    if pickled:
        raise ManifestError(
            f"{key}: {adapter} has only pickled weights ({_listed(pickled)}), which can run code when loaded; "
            "only safetensors are read"
        )
    raise ManifestError(f"{key}: {adapter} has no .safetensors file")


def describe_autoencoder(name: str, base: Path, *, revision: str = "") -> Autoencoder:
    """An autoencoder by its name in a manifest: a folder (from ``base``), of its own or of a whole model, or a Hub id.

    Raises:
        ManifestError: It is neither, or no autoencoder of safetensors; ``key: message``.
    """
    folder = find_folder("model", name, base)
    if folder is None:
        return Autoencoder(ModelFacts(name, "hub"), revision)
    refuse_revision(name, revision)
    if not (folder / _CONFIG).is_file() and (folder / "vae" / _CONFIG).is_file():
        folder = folder / "vae"
    try:
        model_folder.refuse_unsafe(folder, [folder])
        config = dict(json.loads((folder / _CONFIG).read_bytes()))
    except ManifestError as error:
        raise ManifestError(*(f"model: {fault}" for fault in error.faults)) from None
    except (OSError, ValueError, TypeError):
        raise ManifestError(f"model: {folder} has no {_CONFIG} that can be read; {_VAE} is needed") from None
    if config.get("_class_name") != _VAE:
        raise ManifestError(f"model: {folder} is a {config.get('_class_name')}; {_VAE} is needed")
    if not any(folder.glob("*.safetensors")):
        raise ManifestError(f"model: {folder} has no .safetensors file")
    channels, blocks = config.get("latent_channels", 4), config.get("block_out_channels", [0])
    facts = ModelFacts(
        name, "folder", folder, _VAE, multiple=2 ** (len(blocks) - 1), latent_channels=int(channels)
    )  # fmt: skip
    return Autoencoder(facts)


def find_folder(key: str, name: str, base: Path) -> Path | None:
    """The folder of that name; ``None`` for a Hub id.

    Args:
        key: What a message calls it.
        name: Its name in a manifest.
        base: The folder that a relative path starts from.

    Raises:
        ManifestError: It is neither; ``key: message``.
    """
    try:
        folder = (base / Path(name).expanduser()).resolve()
        found = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise ManifestError(f"{key}: `{name[:80]}` can't be looked up: {error}") from None
    if found:
        return folder
    if name.startswith((".", "/", "~")):
        raise ManifestError(f"{key}: no folder {folder}")
    if not hub.REPO_ID.fullmatch(name):
        ships = sorted(path.name for path in bundled_adapters().glob("*") if path.is_dir()) if key == "adapter" else []
        said = f"one that ships ({', '.join(ships)}), " if ships else ""
        raise ManifestError(f"{key}: `{name[:80]}` is neither {said}a folder nor a Hub id (org/name)")
    return None


def refuse_revision(name: str, revision: str) -> None:
    """Refuse a revision of what is no Hub id.

    Raises:
        ManifestError: There is one; ``key: message``.
    """
    if revision:
        raise ManifestError(f"revision: is for a Hub id; `{name}` is not one")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"
