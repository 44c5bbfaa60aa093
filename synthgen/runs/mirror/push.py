"""Finished work shards are copied to a mirror in the background, while others are made.

What waits is a number, never bytes: the shard lies on disk. Threads of our own in place of an executor's, since what
fails goes back to the end of the line, and all of them wait while the mirror is away.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from synthgen.core import backoff
from synthgen.errors import MirrorError, SynthgenError
from synthgen.plan import ShardRef
from synthgen.runs.mirror import pull
from synthgen.runs.mirror.beat import Beat
from synthgen.runs.mirror.claims import claim_name
from synthgen.runs.mirror.state import State
from synthgen.runs.mirror.store import TRIES, Store, retried
from synthgen.runs.receipts import Ledger, Receipt

AT_ONCE = 4
_LOOK_SECONDS = 1.0  # how often it is asked whether run.json has changed
_log = logging.getLogger(__name__)


class Sender:
    """Copies work shards as they are finished; a context manager, whose end waits for what is still to be copied.

    Args:
        store: The mirror.
        state: What is copied beside work shards.
        beat: What tells other machines that this one lives.
        ledgers: The ledgers of its entries, by name.
        finished: Finished shards of the run, asked for in the background: those that the mirror lacks are copied too.
        again: Shards whose bytes on the mirror are known to be damaged.
        stop: Whether a signal asked to stop: then what fails is not tried again.

    Attributes:
        left: How many shards are not on the mirror, once it has ended.
        why: Why not.
        refused: Whether they can't go there, since the mirror follows another plan or was begun otherwise.
        disagreeing: The shards of which the mirror holds other bytes than were made here.
    """

    def __init__(
        self,
        store: Store,
        state: State,
        beat: Beat,
        *,
        ledgers: Mapping[str, Ledger],
        finished: Callable[[], Iterable[ShardRef]],
        again: frozenset[ShardRef],
        stop: Callable[[], bool],
    ) -> None:
        self._store, self._state, self._beat = store, state, beat
        self._ledgers, self._finished, self._again, self._stop = ledgers, finished, again, stop
        self._todo, self._added, self._busy = deque[ShardRef](), set[ShardRef](), 0
        self._failures, self._resume, self._ending, self._given_up = 0, 0.0, False, False
        self._said, self._listed = False, False
        self._bug: Exception | None = None
        self._changed, self._state_lock = threading.Condition(threading.RLock()), threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(AT_ONCE)]
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self.left, self.why, self.refused, self.disagreeing = 0, "", False, list[str]()

    def __enter__(self) -> Self:
        for thread in (self._keeper, *self._threads):
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Wait until all is copied, or can't be; of work that was broken off nothing is tried twice."""
        if kind is not None and not issubclass(kind, SynthgenError):
            with self._changed:  # left off, or a bug: what is here is whole, and the next command copies it
                self._given_up = True
                self._changed.notify_all()
            return
        with self._changed:
            self._ending, self._resume, self._failures = True, 0.0, 0
            waiting = len(self._todo)
            self._changed.notify_all()
        if waiting > AT_ONCE:
            _log.warning("waiting for %d work shards to be copied to %s", waiting, self._store.name)
        for thread in (*self._threads, self._keeper):
            thread.join()
        if self._bug is not None:
            raise self._bug
        if not self._given_up:
            self._try(lambda: retried(self._send_state, self._stop))
        self.left = len(self._todo) or int(not (self._listed and self._state.is_sent))
        self._beat.end()

    def add(self, receipt: Receipt) -> None:
        """A shard is finished; it is copied some time soon."""
        self._add([ShardRef(receipt.entry, receipt.shard)])

    def _add(self, refs: Iterable[ShardRef]) -> None:
        with self._changed:
            for ref in refs:
                if ref not in self._added:
                    self._added.add(ref)
                    self._todo.append(ref)
            self._changed.notify_all()

    def _keep(self) -> None:
        """Tell that this machine lives, and copy ``run.json`` soon after it has changed: it may pin something now."""
        while not self._is_done():
            if time.monotonic() >= self._resume:
                for ask in (self._beat.tell, self._send_state, *(() if self._listed else (self._list,))):
                    self._try(ask)
            with self._changed:
                if self._listed and not self._is_done():
                    self._changed.wait(_LOOK_SECONDS)
                elif not self._listed:
                    self._changed.wait(max(0.0, self._resume - time.monotonic()))

    def _is_done(self) -> bool:
        """Whether there is nothing more to do, now and later."""
        with self._changed:
            return self._given_up or (self._ending and self._listed and not self._todo and not self._busy)

    def _list(self) -> None:
        """Look for finished shards that the mirror lacks, as of a command that was killed."""
        sizes = {name: self._store.sizes(name) for name in self._ledgers}
        for ref in self._finished():
            name = pull.name_of(self._ledgers[ref.entry], ref.number)
            there = sizes[ref.entry].get(name) == self._ledgers[ref.entry].tar(ref.number).stat().st_size
            if not there or f"{name.removesuffix('.tar')}.json" not in sizes[ref.entry] or ref in self._again:
                self._add([ref])
        with self._changed:
            self._listed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (ref := self._next()) is not None:
            done = self._try(lambda ref=ref: self._send(ref), copies=True)  # type: ignore[misc]
            with self._changed:
                self._busy -= 1
                if not done:
                    self._todo.append(ref)
                self._changed.notify_all()

    def _next(self) -> ShardRef | None:
        """The next shard to copy, once there is one and the mirror is there; ``None`` where nothing is to be done."""
        with self._changed:
            while True:
                wait = self._resume - time.monotonic()
                if self._is_done():
                    return None
                if self._todo and wait <= 0:
                    self._busy += 1
                    return self._todo.popleft()
                self._changed.wait(max(wait, 0.0) or _LOOK_SECONDS)

    def _try(self, ask: Callable[[], object], *, copies: bool = False) -> bool:
        """Whether something was done; what fails makes all threads wait, and at the end give up.

        Args:
            ask: Does it.
            copies: Whether that it was done shows that work shards can be copied again.
        """
        try:
            ask()
        except SynthgenError as error:
            self._failed(error)
            return False
        except Exception as error:  # noqa: BLE001 - raised again where the work ends
            with self._changed:
                self._bug, self._given_up = error, True
                self._changed.notify_all()
            return False
        if copies:
            with self._changed:
                self._failures = 0
        return True

    def _failed(self, error: SynthgenError) -> None:
        passing = isinstance(error, MirrorError) and error.passing and not self._stop()
        with self._changed:
            self.why = " ".join(str(error).split())
            if time.monotonic() >= self._resume:  # several threads that fail at once are one failure
                self._failures += 1
                self._resume = time.monotonic() + backoff.doubling(self._failures)
            lasts = not passing or self._failures >= TRIES
            if not isinstance(error, MirrorError) or (self._ending and lasts):
                self._given_up = True  # of another plan by now, or gone
                self.refused = not isinstance(error, MirrorError)
            elif lasts:
                self._resume = time.monotonic() + backoff.LONGEST_WAIT
            say = (lasts or self._given_up) and not self._said
            self._said = self._said or say
            self._changed.notify_all()
        if say:
            _log.warning("%s; work shards stay here meanwhile, and images are made on", self.why)

    def _send_state(self) -> None:
        with self._state_lock:
            if not self._state.is_sent:
                self._state.send()

    def _send(self, ref: ShardRef) -> None:
        """Copy a shard, its receipt last; one that is there already is compared."""
        self._send_state()  # what a shard rests on is there before it is
        ledger, number = self._ledgers[ref.entry], ref.number
        name = pull.name_of(ledger, number)
        mine = ledger.trusted(number)
        if mine is None:
            return  # found damaged since, and made again
        theirs = pull.receipt_there(self._store, ledger, number)
        if theirs and theirs.sha256 != mine.sha256:
            self._disagree(name, mine, theirs)
        elif theirs is None or ref in self._again or self._store.size(name) != mine.size:
            self._store.put(ledger.tar(number), name)
            self._store.write(f"{name.removesuffix('.tar')}.json", ledger.receipt_path(number).read_bytes())
        self._store.remove(claim_name(ref))

    def _disagree(self, name: str, mine: Receipt, theirs: Receipt) -> None:
        self.disagreeing.append(name)
        _log.warning(
            "%s/%s: another machine made other bytes of this work shard (sha256 %s there, %s here; on %s there, %s "
            "here): neither is overwritten; keep one, and remove the other with its receipt",
            self._store.name, name, theirs.sha256[:12], mine.sha256[:12],
            theirs.environment.get("device_name"), mine.environment.get("device_name"),
        )  # fmt: skip
