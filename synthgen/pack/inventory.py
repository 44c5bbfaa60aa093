"""What there is to pack: the receipts of a run, folded into sums as they are read, never held."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgen.card import Summary
from synthgen.errors import IncompleteError, InputError
from synthgen.ledger import Ledger, Receipt
from synthgen.plan import Plan


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a run holds.

    Attributes:
        root: The run.
        plan: Its plan.
        entries: What the receipts of each entry add up to.
        digest: The sha256 over the sha256 of every work shard, in the plan's order.
    """

    root: Path
    plan: Plan
    entries: dict[str, Summary]
    digest: str


def take(root: Path, plan: Plan, *, partial: bool) -> Inventory:
    """Go through a run's receipts.

    Raises:
        IncompleteError: Shards are missing or damaged, and ``partial`` was not asked for.
        InputError: There is no image at all.
    """
    entries: dict[str, Summary] = {}
    shards, digest = 0, hashlib.sha256()
    for _, receipt in trusted(root, plan):
        shards += 1
        digest.update(receipt.sha256.encode())
        _add(entries.setdefault(receipt.entry, Summary()), receipt)
    if shards < plan.shards and not partial:
        raise IncompleteError(
            f"{root}: {plan.shards - shards} of {plan.shards} work shards are missing or damaged; "
            "run `synthgen generate` again, or pack what is there with --partial"
        )
    if not any(summary.images for summary in entries.values()):
        raise InputError(f"{root}: the run holds no image yet; run `synthgen generate` first")
    return Inventory(root, plan, entries, digest.hexdigest())


def trusted(root: Path, plan: Plan) -> Iterator[tuple[Path, Receipt]]:
    """The tar and the receipt of each work shard that counts, in the plan's order."""
    for name, entry in plan.entries.items():
        ledger = Ledger(root, name, entry.digest)
        for number in range(entry.shards):
            receipt = ledger.trusted(number)
            if receipt:
                yield ledger.tar(number), receipt


def _add(summary: Summary, receipt: Receipt) -> None:
    summary.images += receipt.count
    summary.failed += receipt.failed
    summary.repeated += sum(len(one.tries) > 1 for one in receipt.samples)
    summary.environment = summary.environment or receipt.environment
