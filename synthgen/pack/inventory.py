"""What there is to pack: the receipts of a run, folded into sums as they are read, never held."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core.devices import Environment
from synthgen.errors import IncompleteError, InputError
from synthgen.pack.card import Summary
from synthgen.plan import EntryPlan, Plan
from synthgen.runs import receipts, run_folder, verdicts
from synthgen.runs.folders import Run
from synthgen.runs.receipts import FinishedShard


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a run holds.

    Attributes:
        root: The run.
        plan: Its plan.
        entries: What the receipts of each entry add up to.
        size: Bytes of the work shards; of those that verdicts accept their share of it.
        digest: The sha256 over the sha256 of every work shard, in the plan's order.
        judged: What its verdicts follow from; ``None`` where it has none, so that every image is packed.
    """

    root: Path
    plan: Plan
    entries: dict[str, Summary]
    size: int
    digest: str
    judged: verdicts.CurationSummary | None = None


def collect(run: Run, *, partial: bool) -> Inventory:
    """What the receipts of a run add up to.

    Raises:
        IncompleteError: Shards are missing or damaged, and ``partial`` was not asked for; or its verdicts are missing,
            or older than its images, scores or rules.
        InputError: There is no image at all, or none was accepted.
    """
    root, plan = run.root, run.plan
    entries: dict[str, Summary] = {}
    digests, size = list[str](), 0
    for shard in run.finished_shards():
        digests.append(shard.digest)
        size += shard.receipt.size * shard.count // max(shard.receipt.count, 1)
        _add(entries.setdefault(shard.entry.name, Summary()), shard)
    for name, summary in entries.items():
        summary.environment = _with_adapters(summary.environment, run_folder.pinned(root, name), plan.entries[name])
    if len(digests) < plan.shards and not partial:
        raise IncompleteError(
            f"{root}: {plan.shards - len(digests)} of {plan.shards} work shards are missing or damaged; "
            "run `synthgen generate` again, or pack what is there with --partial"
        )
    if not any(summary.images for summary in entries.values()):
        raise InputError(f"{root}: the run holds no image yet; run `synthgen generate` first")
    digest = receipts.shards_digest(digests)
    judged = verdicts.check(root, digest, plan.manifest.document.curate)
    if judged and not judged.accepted:
        raise InputError(f"{root}: no image was accepted; see `synthgen curate {root}`, and change `curate.keep`")
    if judged:
        size = size * judged.accepted // judged.judged
    return Inventory(root, plan, entries, size, digest, judged)


def _add(summary: Summary, shard: FinishedShard) -> None:
    summary.images += shard.count
    summary.failed += shard.failed
    summary.repeated += sum(len(one.tries) > 1 for one in shard.samples)
    environment = shard.receipt.environment
    if not summary.environment:
        summary.environment = environment
    elif adapters := environment.get("adapters", {}):  # more of them, where some were trained anew or came later
        known = summary.environment.get("adapters", {})
        summary.environment = {**summary.environment, "adapters": adapters | known}


def _with_adapters(environment: Mapping[str, Any], pinned: Environment | None, entry: EntryPlan) -> Mapping[str, Any]:
    """What images were made with, of adapters those of the plan; what no receipt says of them, the run pins."""
    used = {str(one) for one in entry.adapters.values() if one}
    found = (pinned.adapters if pinned else {}) | environment.get("adapters", {})
    if not found:
        return environment
    return {**environment, "adapters": {name: sha256 for name, sha256 in found.items() if name in used}}
