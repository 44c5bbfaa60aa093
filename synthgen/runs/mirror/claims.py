"""Which machine is at which work shard, as a mirror tells: so that two seldom make the same one.

A claim spares work and guards nothing: two machines that make one shard all the same write the same bytes. So whatever
fails here lets the shard be made, but of an entry that nobody is known to have begun, which is left for last. A claim
counts as long as the machine that made it shows that it lives.
"""

import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from synthgen.errors import PlanMismatchError, SynthgenError
from synthgen.plan import ShardRef
from synthgen.runs import run_folder
from synthgen.runs.mirror import pull
from synthgen.runs.mirror.beat import Beat
from synthgen.runs.mirror.state import State
from synthgen.runs.mirror.store import Store, retried
from synthgen.runs.receipts import Ledger

_FOLDER = ".claims"
_PATIENCE = 10.0  # seconds that a shard waits for the network at most
_LONGEST = 60.0  # seconds that the first shard of an entry waits for it, once nothing else is left
_PAUSE = 60.0  # seconds that nothing is asked after the network kept one waiting, or failed
_MACHINE = re.compile(r"[0-9A-Za-z-]{1,64}")
_log = logging.getLogger(__name__)


def claim_name(ref: ShardRef) -> str:
    """The name of the claim on a work shard."""
    return f"{_FOLDER}/{ref.entry}-{ref.number:05d}.json"


@dataclass
class MirrorClaims:
    """What the processes of one machine ask before they make a shard.

    Attributes:
        address: The mirror's address.
        root: The run's folder.
        machine: What this machine is called.
        poll_seconds: How often others are asked again whether they are done.
    """

    poll_seconds: ClassVar[float] = 5.0

    address: str
    root: Path
    machine: str
    _quiet_until: float = field(default=float("-inf"), init=False, repr=False)
    _begun_elsewhere: dict[str, float] = field(default_factory=dict, init=False, repr=False)

    def __getstate__(self) -> tuple[str, Path, str]:
        return self.address, self.root, self.machine

    def __setstate__(self, state: tuple[str, Path, str]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def take(self, ledger: Ledger, ref: ShardRef, *, late: bool) -> bool:
        """Whether a shard is to be made here, or lies here now; not where another machine is at it, or has made it.

        Args:
            ledger: The ledger of its entry.
            ref: The shard.
            late: Whether everything else is made: then one that another machine has finished is copied here.

        Raises:
            PlanMismatchError: The run was begun otherwise elsewhere, so images here would be others.
        """
        begun = run_folder.pinned(self.root, ref.entry) is not None
        if time.monotonic() < self._quiet_until and (begun or not late):
            return begun
        patience = _PATIENCE if begun or not late else _LONGEST
        future = self._asker.submit(self._ask, ledger, ref, late=late, begun=begun)
        try:
            return future.result(None if begun and late else patience)
        except PlanMismatchError:
            raise
        except LateError:
            future.cancel()
            self._be_quiet(f"no answer in {patience:.0f} seconds")
        except SynthgenError as error:
            self._be_quiet(str(error))
        if not begun and late:
            _log.warning(
                "--mirror: entry `%s` is begun without knowing whether another machine has begun it; where that one "
                "did so with another batch size, thread count or version, what is made here can't go there", ref.entry,
            )  # fmt: skip
        return begun or late

    def _ask(self, ledger: Ledger, ref: ShardRef, *, late: bool, begun: bool) -> bool:
        """What the mirror says; asked again and again where an entry that nobody has begun has to wait for it."""

        def ask() -> bool:
            return self._take(ledger, ref, late=late)

        return ask() if begun else retried(ask)

    def _be_quiet(self, why: str) -> None:
        self._quiet_until = time.monotonic() + _PAUSE
        _log.warning("--mirror: others are not asked for the next minute which work shards they are at: %s", why)

    def _take(self, ledger: Ledger, ref: ShardRef, *, late: bool) -> bool:
        if pull.receipt_there(self._store, ledger, ref.number):
            if late:
                pull.bring_shard(self._store, ledger, ref.number)
            return late
        if run_folder.pinned(self.root, ref.entry) is None and not self._may_begin(ref.entry):
            return False
        return self._claimed(claim_name(ref))

    def _may_begin(self, entry: str) -> bool:
        """Whether this machine is to decide what an entry is begun with, or another has, and this one knows now."""
        if time.monotonic() < self._begun_elsewhere.get(entry, float("-inf")):
            return False
        self._state.bring(running=True)
        if run_folder.pinned(self.root, entry) is not None or self._claimed(f"{_FOLDER}/{entry}.json"):
            return True
        self._begun_elsewhere[entry] = time.monotonic() + self.poll_seconds
        return False

    def _claimed(self, name: str) -> bool:
        """Whether a claim is this machine's now."""
        content = json.dumps({"machine": self.machine}).encode()
        if self._store.create(name, content):
            return True
        held = self._store.read(name)
        try:
            holder = str(json.loads(held or b"{}").get("machine", ""))
        except (ValueError, AttributeError):  # it is just being written, or was cut
            holder = ""
        if holder == self.machine:
            return True
        if _MACHINE.fullmatch(holder) and self._beat.lives(holder):
            return False
        self._store.write(name, content)
        return True

    @cached_property
    def _store(self) -> Store:
        return Store(self.address)

    @cached_property
    def _state(self) -> State:
        return State(self._store, self.root)

    @cached_property
    def _beat(self) -> Beat:
        return Beat(self._store, self.machine)

    @cached_property
    def _asker(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix="mirror")


class NoClaims:
    """Nobody else is at anything: a run without a mirror."""

    poll_seconds: ClassVar[float] = 0.5

    def take(self, ledger: Ledger, ref: ShardRef, *, late: bool) -> bool:
        """``True``: it is to be made here."""
        return True


Claims = MirrorClaims | NoClaims
