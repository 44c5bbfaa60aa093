"""``run.json`` itself: read, written, and locked while it changes."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synthgen.core import atomic, locks, seal
from synthgen.core.devices import Environment
from synthgen.errors import InputError
from synthgen.plan import real_index, top_ups
from synthgen.plan.layout import Layout
from synthgen.plan.manifest.validation import SLUG

ROUNDS = "rounds"
_RESTORE = "put back a copy, or, if the change is yours, take its fields `sealed` and `seal` out"
FORMER, EXCLUDED, INDEX, PACKAGES = "former", "excluded", "index", "packages"
_SHOWN = 80
_INDEX = re.compile(r"sources(\.[0-9a-f]{12})?\.parquet")
# A version that knows no growth refuses the second and so writes over no shard; one that sets nothing aside refuses the
# third, and so packs nothing that was.
FORMAT, GROWN, PRUNED = 1, 2, 3


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
        document = seal.loads(path.read_bytes())
        if document["format"] not in (FORMAT, GROWN, PRUNED):
            raise InputError(f"{path}: written by another version of synthgen")
        for name in [*document["entries"], *document.get(FORMER, {})]:
            if not SLUG.fullmatch(name):  # it names a folder, which is written to
                raise ValueError(f"`{name[:_SHOWN]}` can't name an entry")
        for entry in document["entries"].values():
            if not isinstance(entry["digest"], str):
                raise TypeError("the digest of an entry is no text")
            if entry["environment"]:
                Environment(**entry["environment"])
            if "layout" in entry:
                Layout.from_dict(entry["layout"])
        for layout in document.get(FORMER, {}).values():
            Layout.from_dict(layout)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a run's file: {error}") from None
    return dict(document)


def check_seal(root: Path) -> None:
    """Refuse a file that is not what was written; asked once it is sure that nothing else is wrong with it.

    Raises:
        InputError: It is not.
    """
    path = root / "run.json"
    if seal.has_changed(path.read_bytes()):
        raise InputError(f"{path}: {seal.CHANGED}; {_RESTORE}")


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
    """Where the samples of its entries lie that have changed, by the entry's name."""
    entries = document["entries"].items()
    return {name: Layout.from_dict(entry["layout"]) for name, entry in entries if "layout" in entry}


def index_file(document: Mapping[str, Any] | None) -> str:
    """The name of the file of the index of real images that the run follows.

    Raises:
        InputError: It is no name of one.
    """
    found = str((document or {}).get(INDEX, real_index.FILE))
    if not _INDEX.fullmatch(found):
        raise InputError(f"run.json: its `{INDEX}` is no name of an index of real images")
    return found


def excluded(document: Mapping[str, Any]) -> dict[str, str] | None:
    """Why real images are taken out, by their ids; ``None`` where the run was never asked to."""
    found = document.get(EXCLUDED)
    return None if found is None else {str(image): str(why) for image, why in found.items()}


def former(document: Mapping[str, Any]) -> dict[str, Layout]:
    """The shards of entries that the run has begun and its manifest has no more, by the entry's name."""
    return {name: Layout.from_dict(layout) for name, layout in document.get(FORMER, {}).items()}


def write(root: Path, document: dict[str, Any]) -> None:
    """Replace the file, so that it is whole whenever it is read."""
    atomic.write(root / "run.json", seal.dumps(document))


def is_sealed(root: Path) -> bool:
    """Whether the file says its own sha256; that of an earlier version does not."""
    return is_run(root) and seal.is_sealed((root / "run.json").read_bytes())


def rounds(root: Path, document: Mapping[str, Any] | None) -> tuple[top_ups.Round, ...]:
    """What the run was topped up by, once it is sure that it is what the file's content remembers.

    A round that it does not remember yet was added by a process that died before it went on.

    Raises:
        InputError: A round is another, or gone.
    """
    found = top_ups.read(root)
    remembered = list((document or {}).get(ROUNDS, ()))
    if round_digests(found)[: len(remembered)] != remembered:
        raise InputError(f"{root / top_ups.FILE}: {seal.CHANGED}; put back a copy, or make the run anew elsewhere")
    return found


def round_digests(found: Iterable[top_ups.Round]) -> list[str]:
    """The sha256, in hex, of each round, as the file remembers it."""
    return [hashlib.sha256(json.dumps(one).encode()).hexdigest() for one in top_ups.plain(found)]
