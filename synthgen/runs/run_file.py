"""``run.json`` itself: read, written, and locked while it changes."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synthgen.core import atomic, locks
from synthgen.core.devices import Environment
from synthgen.errors import InputError
from synthgen.plan.layout import Layout

FORMAT, GROWN = 1, 2  # a version that knows no growth refuses the second, and so writes over no shard


def is_run(root: Path) -> bool:
    """Whether a folder is a run."""
    return (root / "run.json").is_file()


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the run's lock, which the system lets go of when a process dies."""
    with locks.held(root / ".lock"):
        yield


def read(root: Path) -> dict[str, Any]:
    """The file's content.

    Raises:
        InputError: It is no run's file, or another version's.
    """
    path = root / "run.json"
    try:
        document = json.loads(path.read_bytes())
        if document["format"] not in (FORMAT, GROWN):
            raise InputError(f"{path}: written by another version of synthgen")
        for entry in document["entries"].values():
            if not isinstance(entry["digest"], str):
                raise TypeError("the digest of an entry is no text")
            if entry["environment"]:
                Environment(**entry["environment"])
            if "layout" in entry:
                Layout.from_dict(entry["layout"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a run's file: {error}") from None
    return dict(document)


def text(root: Path, document: Mapping[str, Any], name: str) -> str:
    """A text that the file's content has.

    Raises:
        InputError: It lacks that, or has something else in its place.
    """
    found = document.get(name)
    if not isinstance(found, str):
        raise InputError(f"{root / 'run.json'}: not a run's file: its `{name}` is missing, or no text")
    return found


def layouts(document: Mapping[str, Any]) -> dict[str, Layout]:
    """Where the samples of its entries lie that have grown, by the entry's name."""
    entries = document["entries"].items()
    return {name: Layout.from_dict(entry["layout"]) for name, entry in entries if "layout" in entry}


def write(root: Path, document: dict[str, Any]) -> None:
    """Replace the file, so that it is whole whenever it is read."""
    atomic.write(root / "run.json", json.dumps(document, indent=1).encode())
