"""What has been made of a run: its work shards that count, in the plan's order, and the digest that names them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgen.plan import EntryPlan, Plan
from synthgen.runs.receipts import Ledger, Receipt


@dataclass(frozen=True, slots=True)
class FinishedShard:
    """A work shard that counts: whose it is, where it lies, and its receipt."""

    entry: EntryPlan
    tar: Path
    receipt: Receipt


def shards(root: Path, plan: Plan) -> Iterator[FinishedShard]:
    """Each work shard that counts, in the plan's order."""
    for name, entry in plan.entries.items():
        ledger = Ledger(root, name, entry.digest)
        for number in range(entry.shards):
            receipt = ledger.trusted(number)
            if receipt:
                yield FinishedShard(entry, ledger.tar(number), receipt)


def digest(sha256s: Iterable[str]) -> str:
    """The sha256 over the sha256 of every work shard that counts: another one wherever an image is another."""
    found = hashlib.sha256()
    for sha256 in sha256s:
        found.update(sha256.encode())
    return found.hexdigest()
