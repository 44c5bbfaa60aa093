"""Vision checkpoints, from a folder or the Hub: safetensors only, and no code but the libraries' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core import hub, model_folder
from synthgen.errors import UnavailableError, one_line

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Pixels


_NEEDS = "config.json, preprocessor_config.json and model.safetensors"


@contextmanager
def loading(name: str, needs: str = _NEEDS) -> Iterator[None]:
    """Load a checkpoint in silence, and say in one line where that fails.

    Args:
        name: A folder or a Hub id.
        needs: The files that it has to have.

    Raises:
        UnavailableError: It is not there, has no safetensors, or is of a kind that transformers does not know.
    """
    _check(name)
    try:
        with (
            hub.without_bars("transformers"),
            hub.errors_only("transformers", "huggingface_hub"),
        ):  # it says its retries
            yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError) as error:
        reason = one_line(error).partition(". ")[0][:200]
        raise UnavailableError(
            f"{name}: can't be loaded as a vision checkpoint: {reason}; give a folder with {needs}, or a Hub id that "
            "has them"
        ) from error


def options(name: str, revision: str | None) -> dict[str, Any]:
    """What every load is told: no code from the checkpoint, no pickles, and which revision of a Hub id."""
    chosen = {} if Path(name).is_dir() else {"revision": revision or "main"}
    return {"trust_remote_code": False, "use_safetensors": True, **chosen}


def processor(name: str, revision: str | None) -> Callable[[Pixels], Tensor]:
    """The checkpoint's own preprocessing: uint8 (n, height, width, 3) to floats (n, 3, height, width)."""
    from transformers import AutoImageProcessor

    told = {key: value for key, value in options(name, revision).items() if key != "use_safetensors"}
    found = AutoImageProcessor.from_pretrained(name, **told, backend="pil")

    def prepare(pixels: Pixels) -> Tensor:
        inputs = found(images=list(pixels), return_tensors="pt", input_data_format="channels_last")
        values: Tensor = inputs["pixel_values"]
        return values

    return prepare


def fetched(name: str, revision: str | None, files: Sequence[str]) -> tuple[Path, str]:
    """A folder that has some files of a checkpoint, and what it is told apart by; of a Hub id they are downloaded.

    Raises:
        OSError: The Hub can't be reached, or has no such checkpoint.
    """
    if Path(name).is_dir():
        return Path(name), digest(name, None)
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(name, revision=revision, allow_patterns=[*files]))
    return folder, digest(name, folder.name)


def versions(*packages: str) -> str:
    """What computes with a checkpoint, by name and version."""
    return "/".join(f"{package}-{version(package)}" for package in packages)


def digest(name: str, commit: str | None) -> str:
    """What a checkpoint is told apart by: a folder's fingerprint, or the commit of a Hub id."""
    return model_folder.fingerprint(Path(name).resolve()) if Path(name).is_dir() else f"{name}@{commit}"


def _check(name: str) -> None:
    folder = Path(name)
    if folder.is_dir():
        if not any(folder.glob("*.safetensors")):
            raise UnavailableError(
                f"{name}: no safetensors file; pickled weights are not read, convert them with `save_pretrained`"
            )
    elif name.startswith((".", "/", "~")) or not hub.MODEL_ID.fullmatch(name):
        raise UnavailableError(f"{name}: no such folder, and no Hub id (org/name)")
