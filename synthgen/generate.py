"""Makes every planned image that is not made yet, shard by shard, and yields their receipts."""

import dataclasses
import hashlib
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

from synthgen import __version__, attempts, images, originals, rates, runs, strategies, tars
from synthgen.attempts import Made, Maker, Painted
from synthgen.devices import Environment, Wish
from synthgen.errors import DamagedError, InputError, OutOfMemoryError, StoppedError
from synthgen.images import Encoding
from synthgen.ledger import Ledger, Outcome, Receipt
from synthgen.originals import Originals
from synthgen.plan import EntryPlan, Plan, ShardRef
from synthgen.runners import runner
from synthgen.sample import Recipe, Sample, record

_ENCODERS = 2
_SHARDS_IN_FLIGHT = 2
_STOPPED = "stopped by a signal; run the same command again to go on"
_log = logging.getLogger(__name__)
Files = tuple[Outcome, dict[str, bytes]]


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which work shards to look at, counted over the whole plan.

    Attributes:
        shards: ``(first, stop)``: only these, ``stop`` left out, as in a Python slice.
        array: ``(i, n)``: only every n-th shard, from the i-th on, for job arrays.
        limit: Stop once this many images are planned to be made, rounded up to whole shards.
    """

    shards: tuple[int | None, int | None] = (None, None)
    array: tuple[int, int] = (0, 1)
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What there is to do in a run.

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


def prepare(plan: Plan, root: Path, selection: Selection | None = None) -> Job:
    """Claim a folder for a plan and find the shards that are not finished.

    Raises:
        PlanMismatchError: The folder holds another plan.
        InputError: The folder is not a run, or the selection selects nothing there is.
        IncompleteError: An adapter is not trained yet.
    """
    selection = selection or Selection()
    refs = list(plan.refs())[slice(*selection.shards)]
    part, parts = selection.array
    if not refs:
        raise InputError(f"--shards selects none of the plan's {plan.shards} work shards")
    runs.claim(root, plan)
    ledgers = {name: Ledger(root, name, entry.digest) for name, entry in plan.entries.items()}
    todo, made, failed, planned = list[ShardRef](), 0, 0, 0
    begun, waiting = set[ShardRef](), 0
    for ref in refs[part::parts]:
        entry, receipt = plan.entries[ref.entry], ledgers[ref.entry].trusted(ref.number)
        if receipt is not None:
            made, failed = made + receipt.count, failed + receipt.failed
        elif selection.limit is not None and planned >= selection.limit:
            continue
        elif entry.parent and not _there(ledgers[entry.parent], entry, plan.entries[entry.parent], ref.number, begun):
            waiting += 1
        else:
            todo.append(ref)
            begun.add(ref)
            planned += _size(entry, ref.number)
    for name in dict.fromkeys(ref.entry for ref in todo):
        runs.weights_of(plan.entries[name], root)  # so that a missing one is said before anything is made
    if waiting:
        _log.warning("%d work shards wait for those that they start from; run again once these are made", waiting)
    return Job(plan, root, tuple(todo), (made, failed), waiting)


def _there(ledger: Ledger, entry: EntryPlan, parent: EntryPlan, number: int, begun: Set[ShardRef]) -> bool:
    """Whether all shards that another starts from are made, or are to be made before it."""
    return all(
        ShardRef(parent.name, one) in begun or ledger.trusted(one) is not None
        for one in entry.starts_from(number, parent)
    )


def generate(
    job: Job,
    wish: Wish | None = None,
    *,
    runner_name: str = "local",
    workers: int | None = None,
    stop: Callable[[], bool] = _never,
) -> Iterator[Receipt]:
    """Make the shards of a job; yields each receipt once its shard is safely on disk.

    Raises:
        UnavailableError: What was asked for can't be had on this device.
        StoppedError: ``stop`` said so; what was yielded is kept.
    """
    if not job.todo:
        return
    local = runner_name == "local"
    work = Work(job.plan, job.root, wish or Wish(), stop if local else _never)
    measured: dict[str, list[Receipt]] = {}
    for todo in _in_turn(job):
        for receipt in runner(runner_name).run(work, todo, workers, stop):
            measured.setdefault(receipt.entry, []).append(receipt)
            yield receipt
    for name, receipts in measured.items():
        _note_rate(job.plan, name, receipts)


def _in_turn(job: Job) -> Iterator[list[ShardRef]]:
    """The shards to make, in groups of which each starts from nothing that a later one makes."""
    depths: dict[str, int] = {}
    for name, entry in job.plan.entries.items():
        depths[name] = depths[entry.parent] + 1 if entry.parent else 0
    for depth in range(max(depths.values()) + 1):
        todo = [ref for ref in job.todo if depths[ref.entry] == depth]
        if todo:
            yield todo


@dataclass
class Work:
    """The work on shards, as handed to a runner: a stream of shard numbers in, a stream of receipts out.

    While a shard is being denoised, the images of the one before are encoded, hashed and written by a few threads, and
    those that the next one starts from are read.
    """

    plan: Plan
    root: Path
    wish: Wish
    stop: Callable[[], bool] = _never
    _state: "_Entry | None" = field(default=None, init=False, repr=False)

    def __call__(self, refs: Iterable[ShardRef]) -> Iterator[Receipt]:
        """Make shards; yields each receipt once its shard is committed."""
        waiting: deque[Future[Receipt]] = deque()
        with (
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(_ENCODERS) as encoders,
            ThreadPoolExecutor(1) as committer,
        ):
            try:
                for ref, fetched in self._ahead(refs, reader):
                    fetched.result()
                    waiting.append(self._start(ref, encoders, committer))
                    while len(waiting) >= _SHARDS_IN_FLIGHT or (waiting and waiting[0].done()):
                        yield waiting.popleft().result()
            except StoppedError:
                yield from (future.result() for future in waiting)
                raise
            yield from (future.result() for future in waiting)

    def _ahead(self, refs: Iterable[ShardRef], reader: ThreadPoolExecutor) -> Iterator[tuple[ShardRef, Future[None]]]:
        """Each shard, and the reading of the images that it starts from, begun while the shard before is made."""
        waiting: deque[tuple[ShardRef, Future[None]]] = deque()
        for ref in refs:
            waiting.append((ref, reader.submit(self._fetch, ref)))
            if len(waiting) == _SHARDS_IN_FLIGHT:
                yield waiting.popleft()
        yield from waiting

    def _fetch(self, ref: ShardRef) -> None:
        self.originals.fetch(self.plan.entries[ref.entry].shard(ref.number))

    @cached_property
    def originals(self) -> Originals:
        """Reads the images that samples start from."""
        return originals.of_run(self.plan, self.root)

    def _start(self, ref: ShardRef, encoders: ThreadPoolExecutor, committer: ThreadPoolExecutor) -> Future[Receipt]:
        """Denoise one shard, and leave the rest of it to the threads."""
        entry = self._entry(ref)
        batch_size = entry.ledger.batch_size(ref.number) or entry.environment.batch_size
        while True:
            try:
                began = time.perf_counter()
                files = self._make(entry, ref.number, batch_size, encoders)
                break
            except OutOfMemoryError as error:
                batch_size = self._halve(entry, batch_size, error)
        entry.started += 1
        environment = dataclasses.replace(entry.environment, batch_size=batch_size)
        seconds = time.perf_counter() - began
        return committer.submit(_commit, entry, ref.number, files, environment, seconds)

    def _make(self, entry: "_Entry", number: int, batch_size: int, encoders: ThreadPoolExecutor) -> list[Future[Files]]:
        samples = entry.plan.shard(number)
        ready = [sample for sample in samples if self.originals.has(sample)]
        maker = partial(self._paint, entry.maker)
        made = attempts.make(ready, maker, batch_size, lambda one, attempt: entry.plan.sample(one.index, attempt))
        lost = (Made(one, None, ("no-original", "failed")) for one in samples if not self.originals.has(one))
        files = [encoders.submit(_encode, entry, one) for one in itertools.chain(made, lost)]
        self.originals.release(samples)
        return files

    def _paint(self, maker: Maker, samples: Sequence[Sample], *, precise: bool = False) -> Painted:
        if self.stop():
            raise StoppedError(_STOPPED)
        return maker(samples, precise=precise)

    def _entry(self, ref: ShardRef) -> "_Entry":
        """The entry, its model loaded, with the adapter of a shard; the last one is kept."""
        plan = self.plan.entries[ref.entry]
        recipe = plan.sample(plan.places_of(ref.number)[0]).recipe
        if self._state is None or (self._state.plan.name, self._state.recipe.adapter) != (ref.entry, recipe.adapter):
            self._state = _open(plan, recipe, self)
        return self._state

    def _halve(self, entry: "_Entry", batch_size: int, error: OutOfMemoryError) -> int:
        """Half the batch, where its size was left to us; said in the log and in the receipt."""
        if self.wish.batch_size is not None or batch_size == 1:
            raise OutOfMemoryError(f"{error}; use a smaller --batch-size or --batch-size auto")
        half = batch_size // 2
        _log.warning("no memory for a batch of %d, going on with %d", batch_size, half)
        smaller = min(half, entry.environment.batch_size)
        entry.environment = dataclasses.replace(entry.environment, batch_size=smaller)
        if not entry.started and not any(entry.ledger.trusted(number) for number in range(entry.plan.shards)):
            runs.lower_batch_size(self.root, entry.plan.name, half)
        return half


@dataclass
class _Entry:
    """One entry at work; ``started`` counts the shards that this process has denoised."""

    plan: EntryPlan
    recipe: Recipe
    ledger: Ledger
    environment: Environment
    maker: Maker
    encoding: Encoding
    started: int = 0


def _open(plan: EntryPlan, recipe: Recipe, work: Work) -> _Entry:
    root, wish = work.root, work.wish
    strategy = strategies.strategy(recipe.strategy)
    honoured = runs.honour(runs.pinned(root, plan.name), wish)
    environment = strategy.environment(recipe, honoured, plan.shard_samples)
    environment = dataclasses.replace(environment, adapters=runs.weights_of(plan, root))
    environment = runs.pin(root, plan.name, environment)
    runs.honour(environment, wish)  # another process may have pinned in between
    output = work.plan.manifest.document.output
    ledger = Ledger(root, plan.name, plan.digest)
    ledger.sweep()
    return _Entry(
        plan=plan,
        recipe=recipe,
        ledger=ledger,
        environment=environment,
        maker=strategy.maker(runs.located(recipe, root), environment, work.originals),
        encoding=Encoding(output.image_format, output.quality or 95),
    )


def _encode(entry: _Entry, made: Made) -> Files:
    """Encode and hash one image, and write its record."""
    sample = made.sample
    if made.pixels is None:
        return Outcome(sample.key, "failed", sample.attempt, made.tries, ""), {}
    origin = images.COMPOSITE if sample.source else images.GENERATED
    content = images.encode(made.pixels, entry.encoding, origin)
    sha256 = hashlib.sha256(content).hexdigest()
    metadata = record(
        sample,
        image_sha256=sha256,
        model_revision=entry.environment.model_revision,
        generator=f"synthgen {__version__}",
    )
    outcome = Outcome(sample.key, "made", sample.attempt, made.tries, sha256)
    files = {
        entry.encoding.extension: content,
        "json": metadata.to_json(),
        "cls": str(sample.label_id).encode(),
    }
    return outcome, files


def _commit(
    entry: _Entry,
    number: int,
    files: list[Future[Files]],
    environment: Environment,
    seconds: float,
) -> Receipt:
    """Write a shard in the plan's order, whatever order its images were settled in."""
    results = {future.result()[0].key: future.result() for future in files}
    ordered = [results[sample.key] for sample in entry.plan.shard(number)]
    outcomes = tuple(outcome for outcome, _ in ordered)
    members = [(outcome.key, content) for outcome, content in ordered if content]

    def write(file: BinaryIO) -> None:
        deque(tars.write(file, members), maxlen=0)

    def check(path: Path) -> None:
        if [(sample.key, dict(sample.files)) for sample in tars.read(path)] != members:
            raise DamagedError(f"{path}: what was read back is not what was written; is the disk sound?")

    return entry.ledger.commit(
        number,
        write,
        check,
        samples=outcomes,
        environment=environment.to_dict(),
        timing={"seconds": round(seconds, 3), "finished": round(time.time(), 3)},
    )


def _size(entry: EntryPlan, number: int) -> int:
    return len(entry.places_of(number))


def _note_rate(plan: Plan, name: str, receipts: list[Receipt]) -> None:
    made = sum(receipt.count for receipt in receipts)
    if made:
        rates.note(
            plan.entries[name].recipe,
            plan.manifest.document.output.image_format,
            images=made,
            seconds=sum(receipt.timing["seconds"] for receipt in receipts),
            stored=sum(receipt.size for receipt in receipts),
        )
