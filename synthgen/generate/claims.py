"""Several processes on one run share its shards out: whoever begins one has claimed it, and the others leave it."""

import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from synthgen.core import atomic
from synthgen.errors import InputError, StoppedError
from synthgen.plan import Plan, ShardRef
from synthgen.runs.mirror.claims import Claims, NoClaims
from synthgen.runs.receipts import Ledger, Receipt

NO_CLAIMS = NoClaims()
STOPPED = "stopped by a signal; run the same command again to go on"
_POLL_SECONDS = 0.5
_LATE_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MadeShard:
    """A work shard that is finished.

    Attributes:
        item: Which one.
        receipt: Its receipt.
        elsewhere: Whether another process made it in the meantime.
    """

    item: ShardRef
    receipt: Receipt
    elsewhere: bool = False


@contextmanager
def marked(root: Path) -> Iterator[str]:
    """The name of a file in a run by which a process elsewhere tells that it sees the very same folder."""
    scratch = root / ".scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    mark = scratch / f".mark.{atomic.owner()}"
    mark.touch()
    try:
        yield mark.name
    finally:
        mark.unlink(missing_ok=True)


def check_mark(root: Path, mark: str) -> None:
    """Refuse to work where the run's folder is another one; a network folder may show a new file late.

    Raises:
        InputError: It is.
    """
    until = time.monotonic() + _LATE_SECONDS
    while not (root / ".scratch" / mark).exists():
        if time.monotonic() > until:
            raise InputError(
                f"{root}: on {socket.gethostname()} this is another folder than where the work was begun, or none; "
                "the run must lie on a file system that all machines have under one path"
            )
        time.sleep(_POLL_SECONDS)


class ShardClaims:
    """The shards that this process has claimed.

    Args:
        plan: The plan.
        root: The run's folder.
        stop: Whether to stop, asked while others are waited for.
        elsewhere: Asked what machines without this folder are at.

    Attributes:
        busy: Shards that another process was at when they were come to.
    """

    def __init__(self, plan: Plan, root: Path, stop: Callable[[], bool], elsewhere: Claims = NO_CLAIMS) -> None:
        self._ledgers = {name: Ledger(root, name, entry.digest_of) for name, entry in plan.entries.items()}
        self._stop, self._other_machines = stop, elsewhere
        self._held: dict[ShardRef, Callable[[], None]] = {}
        self._elsewhere = list[MadeShard]()
        self._said = False
        self.busy = list[ShardRef]()

    def take(self, refs: Iterable[ShardRef]) -> Iterator[ShardRef]:
        """Those shards that are to be made here, claimed; the others are in ``busy``, or were made elsewhere."""
        for ref in refs:
            ledger = self._ledgers[ref.entry]
            release = ledger.claim(ref.number)
            if release is None:
                self.busy.append(ref)
                continue
            if not self._other_machines.take(ledger, ref, late=self._said):
                release()
                self.busy.append(ref)
                continue
            self._held[ref] = release
            if receipt := ledger.trusted(ref.number):  # its maker may have been done just before
                self.release(ref)
                self._elsewhere.append(MadeShard(ref, receipt, elsewhere=True))
                continue
            yield ref

    def made_elsewhere(self) -> Iterator[MadeShard]:
        """Shards that another process has made, and that were not given yet."""
        while self._elsewhere:
            yield self._elsewhere.pop()

    def wait(self) -> list[ShardRef]:
        """Wait a little; returns what was busy, to be come to once more.

        Raises:
            StoppedError: ``stop`` said so.
        """
        if not self._said:
            _log.warning("waiting for %d work shards that another process is at", len(self.busy))
        until = time.monotonic() + (self._other_machines.poll_seconds if self._said else 0.0)
        self._said = True
        while not self._stop() and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        if self._stop():
            raise StoppedError(STOPPED)
        busy, self.busy = self.busy, []
        return busy

    def release(self, ref: ShardRef) -> None:
        """Let go of a shard."""
        if release := self._held.pop(ref, None):
            release()

    def release_all(self) -> None:
        """Let go of whatever is still claimed."""
        for ref in list(self._held):
            self.release(ref)
