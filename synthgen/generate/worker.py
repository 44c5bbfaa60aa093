"""The work on shards, from a shard's number to its receipt; runners carry it to processes and machines."""

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

from synthgen.core import free_memory
from synthgen.core.devices import DeviceRequest
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.sampler_settings import what_to_set
from synthgen.errors import InputError, OutOfMemoryError, StoppedError
from synthgen.generate import canary, retry
from synthgen.generate.claims import NO_CLAIMS, STOPPED, MadeShard, ShardClaims, check_mark
from synthgen.generate.loaded_entry import LoadedEntry, load_entry
from synthgen.generate.retry import MadeSample
from synthgen.generate.run_prompts import run_prompts
from synthgen.generate.write_shard import EncodedSample, commit, encode
from synthgen.plan import Plan, ShardRef
from synthgen.plan.sample import Sample
from synthgen.runs import run_folder
from synthgen.runs.mirror.claims import Claims
from synthgen.runs.receipts import finished_shards
from synthgen.runs.start_images import StartImages, of_run

ENCODERS = 2  # threads that encode and hash images
_SHARDS_IN_FLIGHT = 2
_log = logging.getLogger(__name__)


def check_made(made: object, samples: Sequence[Sample]) -> None:
    """Refuse what a strategy made where it is not an image a sample, of the size that is recorded.

    A strategy may be anybody's, and an image of another size would be found only by who verifies the run.

    Raises:
        InputError: It is something else; said with what was promised.
    """
    recipe = samples[0].recipe
    promised = (len(samples), recipe.settings.height, recipe.settings.width, 3)
    strategy = f"strategy `{recipe.strategy}`"
    if not isinstance(made, MadeImages):
        raise InputError(f"{strategy}: its maker gave a {type(made).__name__}; promised is MadeImages")
    shape, dtype = getattr(made.pixels, "shape", None), str(getattr(made.pixels, "dtype", type(made.pixels).__name__))
    if (shape, dtype) != (promised, "uint8"):
        raise InputError(f"{strategy}: its maker gave pixels of {shape} {dtype}; promised is {promised} uint8")
    if len(made.finite) != len(samples) or len(made.faults) not in (0, len(samples)):
        raise InputError(
            f"{strategy}: its maker gave {len(made.finite)} of `finite` and {len(made.faults)} of `faults` for "
            f"{len(samples)} samples; promised is one each"
        )
    if len(made.precisions) not in (0, len(samples)):
        raise InputError(f"{strategy}: its maker gave {len(made.precisions)} of `precisions`; promised is one a sample")
    masks = made.masks
    found = getattr(masks, "shape", None), str(getattr(masks, "dtype", ""))
    if masks is not None and found != (promised[:3], "bool"):
        raise InputError(
            f"{strategy}: its maker gave `masks` of {found[0]} {found[1]}; promised is {promised[:3]} bool"
        )
    if recipe.settings.gives_mask and masks is None:
        raise InputError(f"{strategy}: its maker gave no `masks`; its settings promise one a sample")
    if made.extremes is not None and getattr(made.extremes, "shape", None) != (len(samples), 2, 3):
        raise InputError(
            f"{strategy}: its maker gave `extremes` of {getattr(made.extremes, 'shape', None)}; promised is "
            f"{(len(samples), 2, 3)}, or none"
        )


def never_stop() -> bool:
    """``False``: there is no reason to stop."""
    return False


@dataclass
class ShardMaker:
    """Makes shards: a stream of shard numbers in, a stream of what became of them out, in any order.

    While a shard is being denoised, the images of the one before are encoded, hashed and written by a few threads, and
    those that the next one starts from are read. A shard that another process is at is left for last, and waited for.

    Attributes:
        plan: The plan.
        root: The run's folder.
        request: What was asked of the device.
        stop: Whether to stop, asked before each batch.
        mark: What :func:`~synthgen.generate.claims.marked` gave, where this may work on another machine.
        elsewhere: Asked what machines without this folder are at.
    """

    plan: Plan
    root: Path
    request: DeviceRequest
    stop: Callable[[], bool] = never_stop
    mark: str = ""
    elsewhere: Claims = NO_CLAIMS
    _loaded: LoadedEntry | None = field(default=None, init=False, repr=False)

    def __call__(self, refs: Iterable[ShardRef]) -> Iterator[MadeShard]:
        """Make shards; yields each once it is committed."""
        if self.mark:
            check_mark(self.root, self.mark)
        claims = ShardClaims(self.plan, self.root, self.stop, self.elsewhere)
        try:
            yield from self._make_all(claims, refs)
            while claims.busy:  # only now that nobody waits for a shard of ours
                yield from self._make_all(claims, claims.wait())
        finally:
            claims.release_all()

    def _make_all(self, claims: ShardClaims, refs: Iterable[ShardRef]) -> Iterator[MadeShard]:
        waiting: deque[Future[MadeShard]] = deque()
        with (
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(ENCODERS) as encoders,
            ThreadPoolExecutor(1) as committer,
        ):
            try:
                for ref, fetched in self._ahead(claims.take(refs), reader):
                    fetched.result()
                    waiting.append(self._start(ref, encoders, committer, claims))
                    while len(waiting) >= _SHARDS_IN_FLIGHT or (waiting and waiting[0].done()):
                        yield waiting.popleft().result()
                    yield from claims.made_elsewhere()
            except StoppedError:
                yield from (future.result() for future in waiting)
                raise
            yield from (future.result() for future in waiting)
        yield from claims.made_elsewhere()

    def _ahead(self, refs: Iterable[ShardRef], reader: ThreadPoolExecutor) -> Iterator[tuple[ShardRef, Future[None]]]:
        """Each shard, and the reading of the images that it starts from, begun while the shard before is made."""
        waiting: deque[tuple[ShardRef, Future[None]]] = deque()
        for ref in refs:
            waiting.append((ref, reader.submit(self._fetch, ref)))
            if len(waiting) == _SHARDS_IN_FLIGHT:
                yield waiting.popleft()
        yield from waiting

    def _fetch(self, ref: ShardRef) -> None:
        self.start_images.fetch(self.plan.entries[ref.entry].shard(ref.number))

    @cached_property
    def start_images(self) -> StartImages:
        """Reads the images that samples start from."""
        return of_run(self.plan, self.root)

    def _start(
        self, ref: ShardRef, encoders: ThreadPoolExecutor, committer: ThreadPoolExecutor, claims: ShardClaims
    ) -> Future[MadeShard]:
        """What is to come of one shard, whose images are made here; the rest is left to the threads."""
        entry = self._entry(ref)
        batch_size = entry.ledger.batch_size(ref.number) or entry.environment.batch_size
        while True:
            try:
                began = time.perf_counter()
                files = self._make_shard(entry, ref.number, batch_size, encoders)
                break
            except OutOfMemoryError as error:
                batch_size = self._with_half_the_batch(entry, batch_size, error)
        entry.started += 1
        environment = dataclasses.replace(entry.environment, batch_size=batch_size)
        seconds = time.perf_counter() - began

        def finish() -> MadeShard:
            try:
                return MadeShard(ref, commit(entry, ref.number, files, environment, seconds))
            finally:
                claims.release(ref)
                free_memory.hand_back()

        return committer.submit(finish)

    def _make_shard(
        self, entry: LoadedEntry, number: int, batch_size: int, encoders: ThreadPoolExecutor
    ) -> list[Future[EncodedSample]]:
        samples = entry.plan.shard(number)
        ready = [sample for sample in samples if self.start_images.has(sample)]
        maker = partial(self._make_batch, entry.maker)
        made = retry.make(
            ready,
            maker,
            batch_size,
            lambda one, attempt: entry.plan.sample(one.index, attempt),
            redo_batch_size=entry.environment.redo_batch_size,
        )
        without_start = (
            MadeSample(one, None, ("no-original", "failed")) for one in samples if not self.start_images.has(one)
        )
        files = [encoders.submit(encode, entry, one) for one in itertools.chain(made, without_start)]
        self.start_images.release(samples)
        return files

    def _make_batch(self, maker: ImageMaker, samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        if self.stop():
            raise StoppedError(STOPPED)
        made = maker(samples, precise=precise)
        check_made(made, samples)
        return made

    def _entry(self, ref: ShardRef) -> LoadedEntry:
        """The entry, its model loaded, with the adapter of a shard; the last one is kept."""
        plan = self.plan.entries[ref.entry]
        recipe = plan.sample(plan.places_of(ref.number)[0]).recipe
        if self._loaded is None or (self._loaded.plan.name, self._loaded.recipe.adapter) != (ref.entry, recipe.adapter):
            self._loaded = None  # its model is let go of before the next is read
            ready = (one for one in plan.shard(ref.number) if self.start_images.has(one))
            self._loaded = load_entry(
                plan,
                recipe,
                root=self.root,
                request=self.request,
                output=self.plan.manifest.document.output,
                start_images=self.start_images,
                sample=next(ready, None),
                prompts=run_prompts(self.plan, self.root, recipe),
            )
            if canary.needed(self._loaded) and not self._loaded.other_device:
                canary.check(self._loaded, plan.numbers, self.start_images)
        return self._loaded

    def _with_half_the_batch(self, entry: LoadedEntry, batch_size: int, error: OutOfMemoryError) -> int:
        """Half the batch, where its size was left to us; said in the log and in the receipt."""
        if self.request.batch_size is not None or batch_size == 1:
            raise OutOfMemoryError(f"{error}; {what_to_set(entry.recipe, entry.environment, batch_size)}")
        half = batch_size // 2
        _log.warning("no memory for a batch of %d, going on with %d", batch_size, half)
        smaller = min(half, entry.environment.batch_size)
        entry.environment = dataclasses.replace(entry.environment, batch_size=smaller)
        refs = (ShardRef(entry.plan.name, number) for number in entry.plan.numbers)
        if not entry.started and not any(True for _ in finished_shards(self.plan, self.root, refs)):
            run_folder.lower_batch_size(self.root, entry.plan.name, half)
        return half
