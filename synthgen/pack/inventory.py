"""What there is to pack: the receipts of a run, folded into sums as they are read, never held."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgen import verdicts
from synthgen.card import Summary
from synthgen.errors import IncompleteError, InputError
from synthgen.ledger import Ledger, Receipt
from synthgen.plan import Plan
from synthgen.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a run holds.

    Attributes:
        root: The run.
        plan: Its plan.
        entries: What the receipts of each entry add up to.
        digest: The sha256 over the sha256 of every work shard, in the plan's order.
        verdicts: Which images are kept, where the manifest asks for curation; all are where it is ``None``.
    """

    root: Path
    plan: Plan
    entries: dict[str, Summary]
    digest: str
    verdicts: Verdicts | None = None


def take(root: Path, plan: Plan, *, partial: bool) -> Inventory:
    """Go through a run's receipts.

    Raises:
        IncompleteError: Shards are missing or damaged, and ``partial`` was not asked for.
        IncompleteError: The images were not curated as the manifest now asks.
        InputError: There is no image at all, or none was kept.
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
    return Inventory(root, plan, entries, digest.hexdigest(), _judged(root, plan, digest.hexdigest()))


def _judged(root: Path, plan: Plan, images: str) -> Verdicts | None:
    """The verdicts on these very images by the manifest's rules."""
    curation = plan.manifest.curation
    if curation is None:
        return None
    found = verdicts.read(root)
    if found.facts["images"] != images or found.facts["rules"] != [rule.text for rule in curation.rules]:
        raise IncompleteError(f"{root}: its verdicts are of other images or rules; run `synthgen curate {root}` again")
    if not any(found.rows["accepted"].to_pylist()):
        raise InputError(f"{root}: the rules of `curate.keep` keep no image; see `synthgen curate {root}`")
    return found


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
