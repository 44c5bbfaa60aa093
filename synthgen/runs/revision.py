"""What becomes of a run whose manifest has changed: image by image what stays, is new, is set aside or counts again."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgen.plan import EntryPlan, Plan, growth
from synthgen.plan.growth import Difference
from synthgen.plan.layout import Layout, lay_out
from synthgen.runs import set_aside
from synthgen.runs.receipts import Ledger, Receipt
from synthgen.runs.set_aside import AsideImage


@dataclass(frozen=True, slots=True)
class Revision:
    """A run as another plan would have it.

    Attributes:
        differences: What of each entry stays, is new, is set aside or counts again.
        layouts: Where the samples of entries lie that have changed.
        former: The layouts of entries that the run has begun and the plan lacks.
        aside: All that is set aside from now on.
        restored: What was set aside and counts again.
        environments: What was pinned when images were made that count again, by entries of which no other image is.
        adapters: The sha256 of the weights that images which count again were made with, by entry and adapter.
    """

    differences: tuple[Difference, ...]
    layouts: Mapping[str, Layout]
    former: Mapping[str, Layout]
    aside: tuple[AsideImage, ...]
    restored: tuple[AsideImage, ...]
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    adapters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def revise(root: Path, held: Plan, begun: Sequence[str], former: Mapping[str, Layout], plan: Plan) -> Revision:
    """How a run would become another plan's; nothing is written.

    Args:
        root: The run.
        held: The plan that it follows.
        begun: The entries of which something is made.
        former: The layouts of entries that it followed before and has no more.
        plan: The other plan.
    """
    found = Revising(root, held, plan)
    differences = list[Difference]()
    for name, after in plan.entries.items():
        before = held.entries[name] if name in begun else None
        if name in held.entries and held.entries[name].digest == after.digest:
            differences.append(Difference(name, after.samples, 0, 0, 0, ()))
        elif history := _history(before) if before else former.get(name):
            differences.append(found.entry(name, before, after, history))
        else:
            differences.append(Difference(name, 0, after.samples, 0, 0, ()))
    left = {name: _history(held.entries[name]) for name in begun if name not in plan.entries}
    for name, history in left.items():
        differences.append(found.entry(name, held.entries[name], None, history))
    still = {name: layout for name, layout in former.items() if name not in plan.entries}
    return found.revision(differences, {**still, **left})


class Revising:
    """Goes through the entries of a run, and notes where its images go.

    Args:
        root: The run.
        held: The plan that it follows.
        plan: The plan that it is to follow.
    """

    def __init__(self, root: Path, held: Plan, plan: Plan) -> None:
        self._root, self._held, self._plan = root, held, plan
        self._now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._rows = {one.place: one for one in set_aside.read(root)}
        self._restored = list[AsideImage]()
        self._layouts: dict[str, Layout] = {}
        self._environments: dict[str, Mapping[str, Any]] = {}
        self._adapters: dict[str, dict[str, str]] = {}

    def entry(self, name: str, before: EntryPlan | None, after: EntryPlan | None, history: Layout) -> Difference:
        """What becomes of one entry.

        Args:
            name: Its name.
            before: As the run follows it; ``None`` where it has it no more.
            after: As it is to follow it; ``None`` where it is to have it no more.
            history: The shards that it has had.
        """
        shards = _Shards(self._root, name, history)
        known, kept = list[int | None](), set[int]()
        counts = {"stays": 0, "new": 0, "anew": 0, "restored": 0}
        aside = self._aside_of(name)
        for index in range(after.samples if after else 0):
            key = f"{name}-{after.places[index].name}" if after else ""
            at = before.find(key) if before else None
            if before and after and at is not None and growth.same(self._held, at, self._plan, index, name):
                known.append(before.shard_of(at))
                kept.add(at)
                counts["stays"] += 1
            elif after and (row := self._again(aside.get(key, ()), after, index, shards)):
                known.append(row.shard)
                self._restored.append(self._rows.pop(row.place))
                counts["restored"] += 1
                if receipt := shards.receipt(row.shard):
                    self._environments.setdefault(name, receipt.environment)
                    self._adapters[name] = receipt.environment.get("adapters", {}) | self._adapters.get(name, {})
            else:
                known.append(None)
                counts["new" if at is None else "anew"] += 1
        if counts["stays"]:
            self._environments.pop(name, None)
        gone = [at for at in range(before.samples) if at not in kept] if before else []
        changes = growth.why(self._held, self._plan, name) if after else []
        taken = [row for at in gone if before and (row := self._taken(name, before, at, after, shards))]
        self._rows.update((row.place, row) for row in taken)
        if after:
            end = history.next_shard
            revisions = (*(one for one in history.revisions if one[0] < end), (end, after.digest))
            laid_out = lay_out(known, after.places.sizes, after.shard_samples, end)
            self._layouts[name] = Layout(laid_out, revisions, end)
        said = tuple(changes) if after else (f"generate.{name}: taken out",)
        planned = sum(1 for at in gone if after is None or before is None or _key(before, at, after) is None)
        return Difference(
            name, counts["stays"], counts["new"], counts["anew"], planned, said, len(taken), counts["restored"]
        )

    def revision(self, differences: Sequence[Difference], former: Mapping[str, Layout]) -> Revision:
        """All that was found."""
        rows, restored = tuple(self._rows.values()), tuple(self._restored)
        environments, adapters = self._environments, self._adapters
        return Revision(tuple(differences), self._layouts, former, rows, restored, environments, adapters)

    def _aside_of(self, name: str) -> Mapping[str, Sequence[AsideImage]]:
        found = defaultdict[str, list[AsideImage]](list)
        for row in self._rows.values():
            if row.entry == name:
                found[row.key].append(row)
        return found

    def _again(self, rows: Sequence[AsideImage], after: EntryPlan, index: int, shards: "_Shards") -> AsideImage | None:
        """What was set aside and is the very image that is planned, and still there."""
        if not rows:
            return None
        content = growth.content_digest(self._plan, after, index)
        return next((one for one in rows if one.content == content and shards.outcome(one.shard, one.key)), None)

    def _taken(
        self, name: str, before: EntryPlan, at: int, after: EntryPlan | None, shards: "_Shards"
    ) -> AsideImage | None:
        """A sample that is planned no more, or otherwise, as what is set aside; ``None`` where it is not made."""
        shard, key = before.shard_of(at), f"{name}-{before.places[at].name}"
        outcome = shards.outcome(shard, key)
        if outcome is None:
            return None
        content = growth.content_digest(self._held, before, at)
        reason = growth.reason(self._held, self._plan, name, before.places[at], gone=_key(before, at, after) is None)
        return AsideImage(key, name, shard, outcome.sha256, content, reason, self._now)


class _Shards:
    """The finished shards that an entry has had, each receipt read once."""

    def __init__(self, root: Path, name: str, history: Layout) -> None:
        self._ledger = Ledger(root, name, history.digest_of)
        self._receipts: dict[int, Receipt | None] = {}
        self._outcomes: dict[int, Mapping[str, Any]] = {}

    def receipt(self, number: int) -> Receipt | None:
        if number not in self._receipts:
            self._receipts[number] = self._ledger.trusted(number)
        return self._receipts[number]

    def outcome(self, number: int, key: str) -> Any:
        if number not in self._outcomes:
            receipt = self.receipt(number)
            self._outcomes[number] = {one.key: one for one in receipt.samples} if receipt else {}
        return self._outcomes[number].get(key)


def _key(before: EntryPlan, at: int, after: EntryPlan | None) -> int | None:
    """The place that a sample has in another plan of its entry, as it is or otherwise."""
    return after.find(f"{before.name}-{before.places[at].name}") if after else None


def _history(entry: EntryPlan) -> Layout:
    """The shards that an entry has had, without where its samples lie."""
    revisions = entry.layout.revisions if entry.layout else ((0, entry.digest),)
    return Layout((), revisions, entry.next_shard)


def stale(images: Sequence[AsideImage], plan: Plan) -> Iterator[AsideImage]:
    """Rows of images that a plan has where they are: who died before it had set them aside left them."""
    for row in images:
        entry = plan.entries.get(row.entry)
        index = entry.find(row.key) if entry else None
        if entry and index is not None and entry.shard_of(index) == row.shard:
            yield row
