"""The finished work shards of a run, in the plan's order, and the digest that names them.

What makes a shard count is its receipt: :meth:`synthgen.runs.receipts.Ledger.trusted`.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgen.plan import EntryPlan, Plan, ShardRef
from synthgen.runs.receipts import Ledger, Receipt


@dataclass(frozen=True, slots=True)
class FinishedShard:
    """A work shard whose receipt is trusted.

    Attributes:
        entry: The entry that it is of.
        tar: Where it lies.
        receipt: Its receipt.
    """

    entry: EntryPlan
    tar: Path
    receipt: Receipt

    @property
    def ref(self) -> ShardRef:
        """Its entry's name and its number within the entry."""
        return ShardRef(self.entry.name, self.receipt.shard)


def finished_shards(plan: Plan, root: Path, refs: Iterable[ShardRef] | None = None) -> Iterator[FinishedShard]:
    """Each work shard of a run whose receipt is trusted, in the plan's order.

    Args:
        plan: The run's plan.
        root: The run's folder.
        refs: The work shards to look at, in this order; all of the plan's where left out.
    """
    ledgers = {name: Ledger(root, name, entry.digest_of) for name, entry in plan.entries.items()}
    for ref in plan.refs() if refs is None else refs:
        ledger = ledgers[ref.entry]
        if receipt := ledger.trusted(ref.number):
            yield FinishedShard(plan.entries[ref.entry], ledger.tar(ref.number), receipt)


def digest(sha256s: Iterable[str]) -> str:
    """The sha256, in hex, over the sha256 of finished work shards: another one wherever an image is another."""
    found = hashlib.sha256()
    for sha256 in sha256s:
        found.update(sha256.encode())
    return found.hexdigest()
