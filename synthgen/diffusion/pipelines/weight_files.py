"""Which files of a model repository are loaded, and in which dtype they are stored; decided from its listing alone.

A repository may hold its weights in full precision, in half (diffusers' ``variant="fp16"``), or some parts in one and
some in the other. ``from_pretrained`` takes what it is told and fails where that is not there, so it is told what is
there. diffusers' own ``is_safetensors_compatible`` says whether a variant can be loaded; it does not choose one, nor
name the parts that have none.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from synthgen.core import hub
from synthgen.core.model_folder import ModelFacts
from synthgen.errors import UnavailableError

Variant = Literal["", "fp16"]
"""What diffusers calls the weights of a repository: its plain ones, or those stored in half precision."""

_WEIGHTS = re.compile(
    r"(?P<part>[^/]+)/(?:model|pytorch_model|diffusion_pytorch_model)"
    r"(?P<variant>\.fp16)?(?:-\d{5}-of-\d{5})?(?P<legacy>\.fp16)?\.(?P<form>safetensors|bin)"
)
_NOT_LOADED = {"safety_checker"}
_DENOISERS = ("transformer", "unet")
_LONGEST_HEADER = 100 * 1024 * 1024  # as the format's own readers have it


@dataclass(frozen=True, slots=True)
class Repository:
    """A model as it lies on the Hub or on disk.

    Attributes:
        revision: The commit of a Hub id, or the fingerprint of a folder.
        files: The paths of all its files.
    """

    revision: str
    files: tuple[str, ...]


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
    for path in files:
        found = _WEIGHTS.fullmatch(path)
        if found and found["part"] not in _NOT_LOADED:
            kind = found["variant"] or found["legacy"] or "plain"
            parts.setdefault(found["part"], set()).add(kind if found["form"] == "safetensors" else "pickled")
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


def stored_dtype(model: ModelFacts, repository: Repository, variant: Variant) -> str:
    """The dtype that most of the denoiser's numbers are stored in, as safetensors write it: ``F16``, ``BF16``, ``F32``.

    Empty where it can't be known before a download. A header is read, no weights.
    """
    for path in _denoiser_files(repository.files, variant):
        if model.folder is not None:
            return _most(_header(model.folder / path))
        from huggingface_hub import HfApi, hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            file = hf_hub_download(model.name, path, revision=repository.revision, local_files_only=True)
            return _most(_header(Path(file)))
        except LocalEntryNotFoundError:
            pass
        try:
            metadata = HfApi().parse_safetensors_file_metadata(model.name, path, revision=repository.revision)
        except (hub.http_error(), OSError, ValueError):
            return ""
        return max(metadata.parameter_count, key=lambda dtype: metadata.parameter_count[dtype], default="")
    return ""


def _denoiser_files(files: Iterable[str], variant: Variant) -> Iterator[str]:
    """The denoiser's safetensors of a variant, or its plain ones where it has none of that."""
    matches = [found for path in sorted(files) if (found := _WEIGHTS.fullmatch(path))]
    mine = [one for one in matches if one["part"] in _DENOISERS and one["form"] == "safetensors"]
    half = [one[0] for one in mine if one["variant"] or one["legacy"]]
    plain = [one[0] for one in mine if not (one["variant"] or one["legacy"])]
    yield from half if variant and half else plain or half


def _header(path: Path) -> dict[str, tuple[str, int]]:
    """Of each tensor in a safetensors file its dtype and how many numbers it has."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            raise UnavailableError(f"{path}: not a safetensors file")
        try:
            header = json.loads(file.read(length))
            tensors = {name: facts for name, facts in header.items() if name != "__metadata__"}
            return {name: (str(facts["dtype"]), _count(facts["shape"])) for name, facts in tensors.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UnavailableError(f"{path}: not a safetensors file") from None


def _count(shape: Iterable[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _most(tensors: dict[str, tuple[str, int]]) -> str:
    counts: Counter[str] = Counter()
    for dtype, count in tensors.values():
        counts[dtype] += count
    return counts.most_common(1)[0][0] if counts else ""
