"""Which files of a model repository are loaded, and in which dtype they are stored; decided from its listing alone.

A repository may hold its weights in full precision, in half (diffusers' ``variant="fp16"``), or some parts in one and
some in the other. ``from_pretrained`` takes what it is told and fails where that is not there, so it is told what is
there. diffusers' own ``is_safetensors_compatible`` says whether a variant can be loaded; it does not choose one, nor
name the parts that have none.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from synthgen.core import hub
from synthgen.core.model_folder import DENOISERS, ModelFacts
from synthgen.errors import UnavailableError

Variant = Literal["", "fp16"]
"""What diffusers calls the weights of a repository: its plain ones, or those stored in half precision."""

_WEIGHTS = re.compile(
    r"(?P<part>[^/]+)/(?:model|pytorch_model|diffusion_pytorch_model)"
    r"(?P<variant>\.fp16)?(?:-\d{5}-of-\d{5})?(?P<legacy>\.fp16)?\.(?P<form>safetensors|bin)"
)
_SHARD = re.compile(r"(.*-)(\d{5})-of-(\d{5})(\..*)")
_NOT_LOADED = {"safety_checker"}


@dataclass(frozen=True, slots=True)
class Repository:
    """A model as it lies on the Hub or on disk.

    Attributes:
        revision: The commit of a Hub id, or the fingerprint of a folder.
        files: The paths of all its files.
        sizes: Their sizes in bytes, as far as they are known.
        folder: Where it lies on this machine, as a whole or only its small files; ``None`` where it does not.
    """

    revision: str
    files: tuple[str, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    folder: Path | None = None


def choose_variant(files: Iterable[str], *, half: bool, model: str) -> Variant:
    """The variant to load: half precision where that is asked for and stored, or where nothing else is stored.

    Args:
        files: The paths of a repository's files.
        half: Whether the model is computed with in fp16 or bf16; half the bytes are then downloaded and read.
        model: What a message calls it.

    Raises:
        UnavailableError: A part has no safetensors of either kind; the message says what it has.
    """
    parts: dict[str, set[str]] = {}
    files = tuple(files)
    for path in files:
        found = _WEIGHTS.fullmatch(path)
        if found and found["part"] not in _NOT_LOADED:
            kind = found["variant"] or found["legacy"] or "plain"
            parts.setdefault(found["part"], set()).add(kind if found["form"] == "safetensors" else "pickled")
    configured = {path.removesuffix("/config.json") for path in files if path.endswith("/config.json")} - _NOT_LOADED
    if parts and (bare := sorted(part for part in configured - parts.keys() if "/" not in part)):
        raise UnavailableError(f"model {model}: its {', '.join(bare)} has a config.json and no weights; is it whole?")
    lacking = [part for part, kinds in sorted(parts.items()) if kinds == {"pickled"}]
    if lacking:
        raise UnavailableError(
            f"model {model}: its {', '.join(lacking)} is there only as pickled weights (.bin), which can run code when "
            "loaded; choose a revision or a copy that has safetensors"
        )
    if not parts:
        raise UnavailableError(f"model {model}: none of its files holds weights of a diffusers pipeline")
    only_half = any("plain" not in kinds for kinds in parts.values())
    any_half = any(".fp16" in kinds for kinds in parts.values())
    return "fp16" if only_half or (half and any_half) else ""


def loaded_files(files: Iterable[str], variant: Variant) -> dict[str, tuple[str, ...]]:
    """The safetensors that are read of each part: those of the variant, or the plain ones where it has none of that."""
    found: dict[str, dict[bool, list[str]]] = {}
    for path in sorted(files):
        match = _WEIGHTS.fullmatch(path)
        if match and match["form"] == "safetensors" and match["part"] not in _NOT_LOADED:
            half = bool(match["variant"] or match["legacy"])
            found.setdefault(match["part"], {}).setdefault(half, []).append(path)
    return {part: tuple(kinds.get(variant == "fp16") or next(iter(kinds.values()))) for part, kinds in found.items()}


def missing_shards(files: Iterable[str], variant: Variant) -> list[str]:
    """Names of files that others of the same weights say there are, ``...-00001-of-00003...``, and that are not."""
    there = set(files)
    missing = set[str]()
    for paths in loaded_files(there, variant).values():
        for path in paths:
            if of := _SHARD.fullmatch(path):
                each = (f"{of[1]}{number:05d}-of-{of[3]}{of[4]}" for number in range(1, int(of[3]) + 1))
                missing |= {one for one in each if one not in there}
    return sorted(missing)


def stored_dtype(model: ModelFacts, repository: Repository, variant: Variant) -> str:
    """The dtype that most of the denoiser's numbers are stored in, as safetensors write it: ``F16``, ``BF16``, ``F32``.

    Empty where it can't be known before a download. A header is read, no weights.
    """
    loaded = loaded_files(repository.files, variant)
    for path in (path for part in DENOISERS for path in loaded.get(part, ())):
        if model.folder is not None:
            return _most(_header(model.folder / path))
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            file = hf_hub_download(model.name, path, revision=repository.revision, local_files_only=True)
            return _most(_header(Path(file)))
        except LocalEntryNotFoundError:
            pass
        return _remote_dtype(model.name, path, repository.revision)
    return ""


def stored_dtypes(model: ModelFacts, repository: Repository, loaded: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The dtype that most numbers of each file are stored in, by path; of a part in several files the first is read.

    On the Hub a header is read where a name does not say it; where that fails, fp32 is taken for plain weights.
    """
    found: dict[str, str] = {}
    for paths in loaded.values():
        if ".fp16" in paths[0]:
            dtype = "F16"
        elif repository.folder is not None and (repository.folder / paths[0]).is_file():
            dtype = _most(_header(repository.folder / paths[0]))
        else:
            dtype = _remote_dtype(model.name, paths[0], repository.revision)
        found |= dict.fromkeys(paths, dtype or "F32")
    return found


def _remote_dtype(name: str, path: str, revision: str) -> str:
    """The dtype that most numbers of a file on the Hub are stored in; empty where it can't be asked."""
    from huggingface_hub import HfApi

    try:
        metadata = HfApi().parse_safetensors_file_metadata(name, path, revision=revision)
    except (hub.http_error(), OSError, ValueError):
        return ""
    return max(metadata.parameter_count, key=lambda dtype: metadata.parameter_count[dtype], default="")


def shapes_in(model: ModelFacts, repository: Repository, path: str) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in a safetensors file of a repository, by name; empty where it can't be asked.

    Raises:
        UnavailableError: A file that lies here is none.
    """
    if repository.folder is not None and (repository.folder / path).is_file():
        return shapes(repository.folder / path)
    from huggingface_hub import HfApi

    try:
        found = HfApi().parse_safetensors_file_metadata(model.name, path, revision=repository.revision)
    except (hub.http_error(), OSError, ValueError):
        return {}
    return {name: tuple(one.shape) for name, one in found.tensors.items()}


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in a safetensors file, by name; read from its header.

    Raises:
        UnavailableError: It is no such file.
    """
    return {name: shape for name, (_, shape) in _header(path).items()}


def _header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The dtype, as safetensors write it, and the shape of each tensor in a file.

    Raises:
        UnavailableError: It is no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            slices = ((name, file.get_slice(name)) for name in file.keys())  # noqa: SIM118 - no mapping
            return {name: (str(one.get_dtype()), tuple(one.get_shape())) for name, one in slices}
    except (SafetensorError, OSError) as error:
        raise UnavailableError(f"{path}: not a safetensors file: {error}") from None


def _most(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> str:
    """The dtype of most numbers."""
    counts: Counter[str] = Counter()
    for dtype, shape in tensors.values():
        counts[dtype] += math.prod(shape)
    return counts.most_common(1)[0][0] if counts else ""
