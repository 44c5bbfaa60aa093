"""The table of a run's images, by key and cell, kept in a file so that judging again is instant."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgen.core import table_file
from synthgen.errors import DamagedError
from synthgen.plan import Plan
from synthgen.runs import receipts
from synthgen.runs.cell import Cell
from synthgen.runs.receipts import Ledger

_FILE = ".samples.parquet"
_META = "synthgen"


@dataclass(frozen=True, slots=True)
class ImageTable:
    """The N images of a run that could be made, in the plan's order.

    Attributes:
        run: The digest of the work shards that hold them, as of :func:`synthgen.runs.receipts.shards_digest`.
        cells: Each cell that the plan has, in its order.
        keys: Their keys, an Arrow array of N texts.
        cell: The number of each one's cell, N of them.
    """

    run: str
    cells: tuple[Cell[int], ...]
    keys: Any
    cell: NDArray[np.int64]

    def count(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """How many images each cell has, or how many of those that a mask of N has."""
        chosen = self.cell if mask is None else self.cell[mask]
        return np.bincount(chosen, minlength=len(self.cells))


def read(root: Path, plan: Plan) -> ImageTable:
    """The table of a run's images; receipts are read only where one of them has changed since it was asked last."""
    cells = tuple(Cell(name, cell.label, cell.tone) for name, entry in plan.entries.items() for cell in entry.cells)
    path, held = root / "scores" / _FILE, _fingerprint(root, plan, cells)
    with suppress(DamagedError), table_file.reading(path):  # a cache that can't be read is made again
        table, metadata = table_file.read(path)
        kept = json.loads(metadata[_META])
        if kept["receipts"] == held:
            return ImageTable(kept["run"], cells, table["key"].combine_chunks(), table["cell"].to_numpy())
    found = _from_receipts(root, plan, cells)
    if len(found.cell) and _fingerprint(root, plan, cells) == held:  # no shard was made meanwhile
        _write(path, found, held)
    return found


def _from_receipts(root: Path, plan: Plan, cells: tuple[Cell[int], ...]) -> ImageTable:
    import pyarrow

    numbers = {cell: number for number, cell in enumerate(cells)}
    keys, cell, digests = list[str](), list[int](), list[str]()
    for shard in receipts.finished_shards(plan, root):
        digests.append(shard.digest)
        name, places = shard.entry.name, shard.entry.places
        for outcome in shard.samples:
            index = shard.entry.find(outcome.key)
            if index is not None and outcome.status == "made":
                place = places[index]
                keys.append(outcome.key)
                cell.append(numbers[Cell(name, place.label, place.tone)])
    return ImageTable(
        receipts.shards_digest(digests), cells, pyarrow.array(keys, pyarrow.string()), np.array(cell, np.int64)
    )


def _write(path: Path, images: ImageTable, held: str) -> None:
    import pyarrow

    table = pyarrow.table({"key": images.keys, "cell": images.cell})
    meta = json.dumps({"run": images.run, "receipts": held})
    path.parent.mkdir(exist_ok=True)
    table_file.write(path, table, {_META: meta}, compression="snappy", sealed=True)


def _fingerprint(root: Path, plan: Plan, cells: tuple[Cell[int], ...]) -> str:
    """What changes whenever a receipt does: the size and time of each, and of its tar."""
    found = hashlib.sha256(repr((plan.digest, plan.samples, tuple(map(tuple, cells)))).encode())
    for name, entry in plan.entries.items():
        ledger = Ledger(root, name, entry.digest_of)
        for number in entry.numbers:
            found.update(_stat(ledger.receipt_path(number)) + _stat(ledger.tar(number)))
    return found.hexdigest()


def _stat(path: Path) -> bytes:
    try:
        status = path.stat()
    except FileNotFoundError:
        return b"none;"
    return f"{status.st_size} {status.st_mtime_ns};".encode()
