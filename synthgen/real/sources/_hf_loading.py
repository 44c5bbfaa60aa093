"""Opens whatever ``datasets`` opens, without running anybody's code, and says in a line what is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synthgen.core import hub
from synthgen.errors import Fault, InputError, ManifestError, UnavailableError, one_line
from synthgen.real.sources._hf_places import Places

_LONGEST = 600  # letters of a line of reasons
_SAVED = ("dataset_info.json", "dataset_dict.json")


def load(
    path: str,
    local: Path,
    places: Places,
    *,
    name: str | None,
    revision: str | None,
    split: str | None,
    streaming: bool,
) -> dict[str, Any]:
    """The splits of a dataset by name: of a folder or file here, or else of that id on the Hub.

    Args:
        path: As the manifest has it.
        local: Where that is here.
        places: Where its files may lie.
        name: The configuration.
        revision: The commit or tag on the Hub.
        split: The only one to take; ``None`` for all.
        streaming: Whether its rows are read one after another.

    Raises:
        ManifestError: There is no such dataset, configuration or split, it is a script, or it names files elsewhere.
        UnavailableError: The Hub can't be reached.
    """
    import datasets

    if not local.exists() and (path.startswith((".", "/", "~")) or path.count("/") > 1):
        raise ManifestError(Fault.at("real.path", f"no file or folder `{path}`", "not_found"))
    if local.is_file() and local.suffix != ".parquet":
        raise ManifestError(Fault.at("real.path", f"`{path}` is neither a folder nor a Parquet file", "unsupported"))
    with hub.without_bars("datasets"), reasons(path):
        if any((local / mark).is_file() for mark in _SAVED):
            return _saved(local, split)
        what: dict[str, Any] = {"path": str(local) if local.exists() else path, "name": name}
        if local.is_file():
            what = {"path": "parquet", "data_files": str(local)}
        elif not local.exists():
            what["revision"] = revision
        places.check_header()
        places.check_files(_data_files(what))
        opened = datasets.load_dataset(**what, split=split, streaming=streaming)
        return {split: opened} if split else dict(opened)


def _data_files(what: dict[str, Any]) -> Any:
    """The files that a dataset would be read from, before any is; nothing where only loading it will say why not."""
    import datasets
    from datasets.exceptions import DatasetsError

    try:
        return datasets.load_dataset_builder(**what).config.data_files
    except (hub.http_error(), OSError, ValueError, RuntimeError, DatasetsError):
        return None


@contextmanager
def reasons(path: str) -> Iterator[None]:
    """Say in a line what ``datasets`` raises."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except InputError:
        raise
    except (hub.http_error(), OSError, ValueError, RuntimeError, DatasetsError) as error:
        if isinstance(error, (ConnectionError, TimeoutError)) or type(error).__module__.startswith("httpx"):
            raise UnavailableError(
                Fault.at("real.path", f"`{path}` can't be reached: {_line(error)}", "unavailable")
            ) from None
        raise ManifestError(Fault.at("real.path", f"`{path}`: {_line(error)}", "unreadable")) from None


def _saved(local: Path, split: str | None) -> dict[str, Any]:
    """What ``save_to_disk`` wrote: one split or several."""
    import datasets

    opened = datasets.load_from_disk(str(local))
    if not isinstance(opened, datasets.DatasetDict):
        return {str(opened.split or "train"): opened}
    if split and split not in opened:
        said = f"no split `{split}`; there are: {', '.join(opened)}"
        raise ManifestError(Fault.at("real.hub_split", said, "not_found"))
    return {split: opened[split]} if split else dict(opened)


def _line(error: BaseException) -> str:
    """What an error says and what it came of: of some, `datasets` itself says only that it failed."""
    said = one_line(error) or type(error).__name__
    cause = error.__cause__
    return said if cause is None or one_line(cause) in said else f"{said}: {_line(cause)}"[:_LONGEST]
