"""The work on shards, as handed to a runner."""

import dataclasses
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from synthgen.core.devices import DeviceRequest
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.errors import OutOfMemoryError, StoppedError
from synthgen.generate import retry
from synthgen.generate.loaded_entry import Entry, begin
from synthgen.generate.retry import MadeSample
from synthgen.generate.write_shard import Files, commit, encode
from synthgen.plan import Plan, ShardRef
from synthgen.plan.sample import Sample
from synthgen.runs import run_folder, start_images
from synthgen.runs.receipts import Receipt
from synthgen.runs.start_images import StartImages

_ENCODERS = 2
_SHARDS_IN_FLIGHT = 2
_STOPPED = "stopped by a signal; run the same command again to go on"
_log = logging.getLogger(__name__)


def never() -> bool:
    """Say that there is no reason to stop."""
    return False


@dataclass
class Work:
    """The work on shards, as handed to a runner: a stream of shard numbers in, a stream of receipts out.

    While a shard is being denoised, the images of the one before are encoded, hashed and written by a few threads, and
    those that the next one starts from are read.
    """

    plan: Plan
    root: Path
    wish: DeviceRequest
    stop: Callable[[], bool] = never
    _state: Entry | None = field(default=None, init=False, repr=False)

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
    def originals(self) -> StartImages:
        """Reads the images that samples start from."""
        return start_images.of_run(self.plan, self.root)

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
        return committer.submit(commit, entry, ref.number, files, environment, seconds)

    def _make(self, entry: Entry, number: int, batch_size: int, encoders: ThreadPoolExecutor) -> list[Future[Files]]:
        samples = entry.plan.shard(number)
        ready = [sample for sample in samples if self.originals.has(sample)]
        maker = partial(self._paint, entry.maker)
        made = retry.make(ready, maker, batch_size, lambda one, attempt: entry.plan.sample(one.index, attempt))
        lost = (MadeSample(one, None, ("no-original", "failed")) for one in samples if not self.originals.has(one))
        files = [encoders.submit(encode, entry, one) for one in itertools.chain(made, lost)]
        self.originals.release(samples)
        return files

    def _paint(self, maker: ImageMaker, samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        if self.stop():
            raise StoppedError(_STOPPED)
        return maker(samples, precise=precise)

    def _entry(self, ref: ShardRef) -> Entry:
        """The entry, its model loaded, with the adapter of a shard; the last one is kept."""
        plan = self.plan.entries[ref.entry]
        recipe = plan.sample(plan.places_of(ref.number)[0]).recipe
        if self._state is None or (self._state.plan.name, self._state.recipe.adapter) != (ref.entry, recipe.adapter):
            self._state = None  # its model is let go of before the next is read
            self._state = begin(
                plan,
                recipe,
                root=self.root,
                wish=self.wish,
                output=self.plan.manifest.document.output,
                originals=self.originals,
            )
        return self._state

    def _halve(self, entry: Entry, batch_size: int, error: OutOfMemoryError) -> int:
        """Half the batch, where its size was left to us; said in the log and in the receipt."""
        if self.wish.batch_size is not None or batch_size == 1:
            raise OutOfMemoryError(f"{error}; use a smaller --batch-size or --batch-size auto")
        half = batch_size // 2
        _log.warning("no memory for a batch of %d, going on with %d", batch_size, half)
        smaller = min(half, entry.environment.batch_size)
        entry.environment = dataclasses.replace(entry.environment, batch_size=smaller)
        if not entry.started and not any(entry.ledger.trusted(number) for number in range(entry.plan.shards)):
            run_folder.lower_batch_size(self.root, entry.plan.name, half)
        return half
