"""The work shards of a run that there are, and their images as scorers take them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgen import images, tars
from synthgen.errors import DamagedError
from synthgen.ledger import Ledger
from synthgen.plan import Plan
from synthgen.sample import Record
from synthgen.scorers import Batch


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished work shard: its entry, its number there, its tar, the tar's sha256, and how many images it holds."""

    entry: str
    number: int
    path: Path
    sha256: str
    images: int

    def batch(self) -> Batch:
        """Its images.

        Raises:
            DamagedError: It can't be read.
        """
        import numpy as np

        records, pixels = list[Record](), []
        for sample in tars.read(self.path):
            try:
                records.append(Record.from_json(sample.files["json"]))
                pixels.append(images.decode(sample.image))
            except (ValueError, LookupError, StopIteration, DamagedError) as error:
                raise DamagedError(f"{self.path}: {sample.key}: {error}; run `synthgen verify`") from None
        shape = pixels[0].shape if pixels else (1, 1, 3)
        return Batch(tuple(records), np.stack(pixels) if pixels else np.empty((0, *shape), np.uint8))


def finished(root: Path, plan: Plan) -> Iterator[Shard]:
    """Every finished shard, in the plan's order."""
    for name, entry in plan.entries.items():
        ledger = Ledger(root, name, entry.digest)
        for number in range(entry.shards):
            receipt = ledger.trusted(number)
            if receipt is not None:
                yield Shard(name, number, ledger.tar(number), receipt.sha256, receipt.count)
