"""Which files are read of what an entry names beside its model, and at which commit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthgen.core import ip_adapter
from synthgen.core.ip_adapter import IpAdapter
from synthgen.core.model_folder import ModelFacts
from synthgen.core.model_parts import Accelerator, Autoencoder, ControlNet, ImageEncoder, choose_weights
from synthgen.diffusion.pipelines.repositories import resolve
from synthgen.diffusion.pipelines.weight_files import Repository
from synthgen.errors import ManifestError, UnavailableError
from synthgen.plan.sample import Part


def part_revision(part: Part) -> str:
    """The commit of a part's Hub repository, or the sha256 of what lies in its folder.

    Raises:
        UnavailableError: It can't be had, or has no safetensors.
    """
    if isinstance(part, Accelerator) and part.sha256:
        return f"sha256:{part.sha256[:32]}"
    repository = resolve(part)
    if isinstance(part, Accelerator):
        _weights_among(part, repository)
    elif isinstance(part, ControlNet):
        controlnet_variant(part, repository)
    elif isinstance(part, IpAdapter):
        ip_adapter_files(part, repository)
    elif isinstance(part, ImageEncoder):
        encoder_files(part, repository)
    elif part.model.folder is None:
        autoencoder_folder(part, repository)
    return repository.revision


def at(part: Part, commit: str) -> Repository:
    """A part's repository at the commit that a run pins."""
    return resolve(dataclasses.replace(part, revision=commit))


def autoencoder_folder(part: Autoencoder, repository: Repository) -> str:
    """The folder of a Hub repository that an autoencoder lies in: its top, or ``vae`` of a whole model.

    Raises:
        UnavailableError: There is none of safetensors.
    """
    for folder in ("", "vae/"):
        weights = (file for file in repository.files if file.endswith(".safetensors") and file.startswith(folder))
        if f"{folder}config.json" in repository.files and any("/" not in one.removeprefix(folder) for one in weights):
            return folder.rstrip("/")
    raise UnavailableError(f"vae {part.model.name}: has no .safetensors of an autoencoder; choose another")


def controlnet_variant(controlnet: ControlNet, repository: Repository) -> str:
    """The variant of a ControlNet's weights that is read: the plain one, ``fp16`` where there is no other.

    Raises:
        UnavailableError: It has no safetensors.
    """
    there = [file for file in repository.files if file.endswith(".safetensors") and "/" not in file]
    if any(".fp16." not in file for file in there):
        return ""
    if there:
        return "fp16"
    raise UnavailableError(f"controlnet {controlnet.model.name}: has no .safetensors; choose another")


def accelerator_file(accelerator: Accelerator, revision: str) -> Path:
    """The file of a few-step adapter, downloaded where it is not there yet.

    Raises:
        UnavailableError: It can't be had.
    """
    if accelerator.model.folder is not None:
        return accelerator.model.folder / accelerator.weight_name
    from huggingface_hub import hf_hub_download

    name = _weights_among(accelerator, at(accelerator, revision))
    return Path(hf_hub_download(accelerator.model.name, name, revision=revision))


def _weights_among(accelerator: Accelerator, repository: Repository) -> str:
    with _fault_of("accelerate"):
        return choose_weights(repository.files, accelerator.weight_name, accelerator.model.name)


def ip_adapter_files(adapter: IpAdapter, repository: Repository) -> tuple[str, str | None]:
    """The path of an IP-Adapter's weights, and the folder of its image encoder; ``None`` where that lies elsewhere.

    Raises:
        UnavailableError: One is not there, or not as safetensors.
    """
    with _fault_of("ip_adapter"):
        weights = adapter.weights(repository.files)
        return weights, adapter.encoder_folder(repository.files) if adapter.image_encoder_folder else None


def encoder_files(encoder: ImageEncoder, repository: Repository) -> str:
    """The folder of an image encoder in its repository: its top.

    Raises:
        UnavailableError: It has none of safetensors there.
    """
    try:
        return ip_adapter.encoder_files("", repository.files, encoder.model.name)
    except ManifestError as error:
        raise UnavailableError(*(f"image_encoder: {fault}; choose another" for fault in error.faults)) from None


def downloaded(model: ModelFacts, repository: Repository, folder: str) -> Path:
    """A folder of a repository on this machine, its JSON files and safetensors downloaded where they are not there yet.

    Args:
        model: The repository's model, a folder or a Hub id.
        repository: Its commit and files.
        folder: The folder in it; empty for its top.
    """
    if model.folder is not None:
        return model.folder / folder
    from huggingface_hub import snapshot_download

    start = f"{folder}/" if folder else ""
    wanted = [path for path in repository.files if path.startswith(start) and "/" not in path.removeprefix(start)]
    kinds = [path for path in wanted if path.endswith((".json", ".safetensors", ".txt"))]
    return Path(snapshot_download(model.name, revision=repository.revision, allow_patterns=kinds)) / folder


@contextmanager
def _fault_of(key: str) -> Iterator[None]:
    """Make what a manifest's part lacks something that can't be had, at its key."""
    try:
        yield
    except ManifestError as error:
        raise UnavailableError(*(f"{key}.{fault}" for fault in error.faults)) from None


def one_file(model: ModelFacts, repository: Repository, path: str) -> Path:
    """A file of a repository on this machine, downloaded where it is not there yet.

    Args:
        model: The repository's model, a folder or a Hub id.
        repository: Its commit and files.
        path: The file's path in it.
    """
    if model.folder is not None:
        return model.folder / path
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(model.name, path, revision=repository.revision))
