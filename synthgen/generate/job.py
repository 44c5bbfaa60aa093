"""The planned work shards of a run that are not made yet."""

import logging
from collections.abc import Set
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

from synthgen.diffusion import learned_words
from synthgen.errors import Fault, IncompleteError, InputError, counted
from synthgen.plan import EntryPlan, Plan, ShardRef
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import run_folder, trained_adapters
from synthgen.runs.receipts import Ledger, finished_shards

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which work shards to look at, counted over the whole plan.

    Attributes:
        shards: ``(first, stop)``: only these, ``stop`` left out, as in a Python slice.
        array: ``(i, n)``: only every n-th shard, from the i-th on, for job arrays.
        limit: Stop once this many images are planned to be made, rounded up to whole shards.

    Raises:
        InputError: One of them is nothing of the kind; one line for each.
    """

    shards: tuple[int | None, int | None] = (None, None)
    array: tuple[int, int] = (0, 1)
    limit: int | None = None

    def __post_init__(self) -> None:
        faults = list[Fault]()
        if not _pair(self.shards, empty=True):
            said = "give the first work shard and the one to stop before, None for an end left open"
            faults.append(Fault(f"shards {self.shards!r}: {said}", path="shards", kind="invalid"))
        if not (_pair(self.array) and 0 <= self.array[0] < self.array[1]):
            said = "give (i, n): part i, from 0 to n - 1, of n"
            faults.append(Fault(f"array {self.array!r}: {said}", path="array", kind="invalid"))
        try:
            counted("limit", self.limit)
        except InputError as error:
            faults += error.faults
        if faults:
            raise InputError(*faults)


def _pair(value: object, *, empty: bool = False) -> bool:
    """Whether something is two whole numbers, or where ``empty`` None in place of one."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all((isinstance(one, Integral) and not isinstance(one, bool)) or (empty and one is None) for one in value)
    )


@dataclass(frozen=True, slots=True)
class GenerateJob:
    """The work shards of a run that are to be made.

    Attributes:
        plan: The plan.
        root: The run's folder.
        todo: The work shards to make.
        finished: Receipts of selected shards that are there already, as ``(made, failed)`` samples.
        waiting: Selected work shards that can't be made yet, since those that they start from are neither there nor
            selected.
    """

    plan: Plan
    root: Path
    todo: tuple[ShardRef, ...]
    finished: tuple[int, int]
    waiting: int = 0

    @property
    def samples(self) -> int:
        """How many samples are to be made."""
        return sum(_size(self.plan.entries[ref.entry], ref.number) for ref in self.todo)


def prepare(
    plan: Plan,
    root: Path,
    selection: Selection | None = None,
    extensions: Extensions | None = None,
    *,
    accept_changes: bool = False,
) -> GenerateJob:
    """The shards of a plan that are not finished in a folder, which is the plan's from now on.

    Args:
        plan: The plan.
        root: The folder; a run of another plan follows this one from now on.
        selection: Which shards to look at.
        extensions: The plug-ins there are, by which the plan that a run has is read; no run changes without.
        accept_changes: Whether images that are made may be set aside.

    Raises:
        PlanMismatchError: Images that are made would be set aside, and that was not accepted.
        InputError: The folder is not a run, or the selection selects nothing there is.
        IncompleteError: An adapter is not trained yet, or is to be trained again.
    """
    selection = selection or Selection()
    if not list(plan.refs())[slice(*selection.shards)]:
        raise InputError(f"--shards selects none of the plan's {plan.shards} work shards")
    if again := [one for one in trained_adapters.others(plan, root) if one.entries]:
        raise IncompleteError(
            *(f"{root}: {one}: run `synthgen finetune --accept-changes` with this manifest first" for one in again)
        )
    plan = run_folder.reserve(root, plan, extensions, accept_changes=accept_changes)
    refs = list(plan.refs())[slice(*selection.shards)]
    part, parts = selection.array
    ledgers = {name: Ledger(root, name, entry.digest_of) for name, entry in plan.entries.items()}
    finished = finished_shards(plan, root, refs[part::parts])
    counts = {shard.ref: (shard.count, shard.failed) for shard in finished}
    todo, made, failed, planned = list[ShardRef](), 0, 0, 0
    begun, waiting = set[ShardRef](), 0
    for ref in refs[part::parts]:
        entry = plan.entries[ref.entry]
        if ref in counts:
            made, failed = made + counts[ref][0], failed + counts[ref][1]
        elif selection.limit is not None and planned >= selection.limit:
            continue
        elif entry.parent and not _there(ledgers[entry.parent], entry, plan.entries[entry.parent], ref.number, begun):
            waiting += 1
        else:
            todo.append(ref)
            begun.add(ref)
            planned += _size(entry, ref.number)
    for name in dict.fromkeys(ref.entry for ref in todo):
        run_folder.weights_of(plan.entries[name], root)  # so that a missing one is said before anything is made
        if all(ref.entry != name for ref in counts):  # one that was begun goes on as it is
            learned_words.check(plan.entries[name])
    if waiting:
        _log.warning("%d work shards wait for those that they start from; run again once these are made", waiting)
    return GenerateJob(plan, root, tuple(todo), (made, failed), waiting)


def _there(ledger: Ledger, entry: EntryPlan, parent: EntryPlan, number: int, begun: Set[ShardRef]) -> bool:
    """Whether all shards that another starts from are made, or are to be made before it."""
    return all(
        ShardRef(parent.name, one) in begun or ledger.trusted(one) is not None
        for one in entry.starts_from(number, parent)
    )


def _size(entry: EntryPlan, number: int) -> int:
    return len(entry.places_of(number))
