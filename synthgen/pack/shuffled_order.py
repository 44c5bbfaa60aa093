"""The order of a dataset's samples, read from the file that they were sorted in."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from synthgen.plan.real_index import SPLITS
from synthgen.runs.cell import Cell

CACHE_KIB = 16 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """Where one sample lies in the run: raw blocks of a work shard's tar; the key is the one that the dataset has."""

    key: str
    tar: str
    offset: int
    size: int


class Order:
    """The sorted samples of a dataset, read from their file.

    Args:
        path: The file.
        root: The run.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self._root = root
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        columns = {name for _, name, *_ in self._connection.execute("PRAGMA table_info(samples)")}
        self._size = "packed" if "packed" in columns else "size"  # an earlier version may have left it half packed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._connection.close()

    def spans(self) -> dict[str, tuple[int, int]]:
        """The first position and the number of samples of each split, in the order train, validation, test."""
        rows = self._connection.execute("SELECT split, SUM(images) FROM counts GROUP BY split ORDER BY split")
        found, first = {}, 1
        for split, images in rows:
            found[str(SPLITS[split])] = (first, images)
            first += images
        return found

    def sizes(self, first: int, count: int) -> Iterator[int]:
        """The bytes that so many samples from a position on take up in a tar of the dataset."""
        rows = self._connection.execute(
            f"SELECT {self._size} FROM samples WHERE position >= ? AND position < ? ORDER BY position",  # noqa: S608
            (first, first + count),
        )
        return (size for (size,) in rows)

    def samples(self, first: int, count: int) -> Iterator[Stored]:
        """Where so many samples from a position on lie."""
        rows = self._connection.execute(
            "SELECT key, path, start, size FROM samples JOIN tars ON tars.id = tar "
            "WHERE position >= ? AND position < ? ORDER BY position",
            (first, first + count),
        )
        return (Stored(key, f"{self._root}/{path}", start, size) for key, path, start, size in rows)

    def counts(self) -> dict[Cell[str], int]:
        """How many samples each cell has."""
        rows = self._connection.execute(
            "SELECT entry, label, skin_tone, SUM(images) FROM counts JOIN cells ON cells.id = cell "
            "GROUP BY cell ORDER BY cell"
        )
        return {Cell(entry, label, tone): images for entry, label, tone, images in rows}

    def first_of_each_cell(self, each: int) -> Iterator[Stored]:
        """The first so many samples of each cell; stops reading once it has them."""
        held = self._connection.execute("SELECT cell, SUM(images) FROM counts GROUP BY cell")
        wanted = {cell: min(each, images) for cell, images in held}
        left = sum(wanted.values())
        rows = self._connection.execute(
            "SELECT cell, key, path, start, size FROM samples JOIN tars ON tars.id = tar ORDER BY position"
        )
        for cell, key, path, start, size in rows:
            if wanted[cell]:
                wanted[cell] -= 1
                left -= 1
                yield Stored(key, f"{self._root}/{path}", start, size)
            if not left:
                return

    def attributes(self) -> dict[tuple[str, str, str], int]:
        """How many samples have each value of an attribute of real images, by its name, the value and the skin tone."""
        if not [*self._connection.execute("PRAGMA table_info(attributes)")]:  # an earlier version left it half packed
            return {}
        rows = self._connection.execute("SELECT name, value, skin_tone, images FROM attributes")
        return {(name, value, tone): images for name, value, tone, images in rows}

    def sources(self) -> tuple[tuple[str, str], ...]:
        """The (dataset, licence) pairs of the real images that samples were made from."""
        return tuple(self._connection.execute("SELECT dataset, license FROM sources ORDER BY dataset, license"))


def group_of(record: Mapping[str, Any]) -> str:
    """The name of what may not straddle splits: a record's source's group, else the source itself, else the sample."""
    return str(record["source_group"] or record["source_id"] or record["key"])
