"""Opens a dataset folder the way its readers will: with ``datasets``, through the card, one sample of each shard."""

import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from synthgen.core import hub
from synthgen.errors import one_line


def faults(root: Path, shards: list[str], splits: Iterable[str]) -> Iterator[str]:
    """What ``datasets`` can't open, one line each; nothing where the first sample of every shard comes out.

    Args:
        root: The dataset folder.
        shards: The paths of its shards, relative to the folder.
        splits: The splits that it has.
    """
    import datasets
    from datasets.exceptions import DatasetsError

    with tempfile.TemporaryDirectory(prefix="synthgen-publish-") as cache, hub.without_bars("datasets"):
        try:
            found = datasets.load_dataset(str(root.resolve()), streaming=True, cache_dir=cache)
            opened = {name: list(_first_of_each(split)) for name, split in found.items()}
        except (DatasetsError, OSError, ValueError, TypeError, LookupError, RuntimeError, tarfile.TarError) as error:
            said = one_line(error)[:300]
            yield f"`datasets` can't open it: {type(error).__name__}: {said}"
            return
    if set(opened) != set(splits):
        yield f"`datasets` finds the splits {', '.join(opened)}, not {', '.join(splits)}; see the card's `configs`"
    for name in sorted(_shards_left_out(shards, opened)):
        yield f"`datasets` does not find {name}; the card's `configs` leave it out"


def _shards_left_out(shards: list[str], opened: dict[str, list[Any]]) -> Iterator[str]:
    """The shards of which no sample came out: by name where samples say it, otherwise by their number."""
    urls = {PurePosixPath(row["__url__"]).name for rows in opened.values() for row in rows if "__url__" in row}
    for name in shards:
        path = PurePosixPath(name)
        if path.suffix == ".tar" and path.name not in urls:
            yield name
    for split, rows in opened.items():
        named = [name for name in shards if PurePosixPath(name).match(f"data/{split}-*.parquet")]
        if len(named) > len(rows):
            yield f"all of {PurePosixPath(named[0]).parent}/{split}-*.parquet"


def _first_of_each(split: object) -> Iterator[Any]:
    """The first sample of each shard of a stream."""
    count: int = split.num_shards  # type: ignore[attr-defined]
    for index in range(count):
        part = split.shard(num_shards=count, index=index)  # type: ignore[attr-defined]
        yield next(iter(part))
