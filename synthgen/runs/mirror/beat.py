"""A sign that a machine lives, written to a mirror again and again, and whether that of another has stopped.

No two clocks are ever compared. A sign that changes is alive. How long one has stayed the same is told by the clock of
whoever looks, from when it was first seen; and where the store says when files were written, from how much older it is
than one's own sign, both by the store's clock.
"""

import json
import secrets
import threading
import time
from pathlib import Path

from synthgen.core import atomic
from synthgen.errors import MirrorError
from synthgen.runs.mirror.store import Store

SECONDS = 30.0
"""How often a sign is written."""
LEASE = 180.0
"""After how many seconds without a new sign a machine is taken for lost."""
_LOOK_AGAIN = 5.0
_FOLDER = ".claims"


def machine_of(home: Path) -> str:
    """What this folder is called on its mirror; the same for every process on it, made the first time."""
    path = home / "machine"
    if not path.is_file():
        home.mkdir(parents=True, exist_ok=True)
        atomic.write(path, secrets.token_hex(8).encode())
    return path.read_text().strip()


class Beat:
    """The sign of one machine, and those of others as it sees them.

    Args:
        store: The mirror.
        machine: What this machine is called.
    """

    def __init__(self, store: Store, machine: str) -> None:
        self._store, self._machine = store, machine
        self._count, self._told = 0, float("-inf")
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[bytes, float]] = {}
        self._looked: dict[str, tuple[float, bool]] = {}

    def tell(self) -> None:
        """Write the sign, where that was not done for a while.

        Raises:
            MirrorError: It can't be written.
        """
        with self._lock:
            if time.monotonic() - self._told < SECONDS:
                return
            self._count += 1
            said = {"machine": self._machine, "count": self._count, "of": secrets.token_hex(4)}
            self._store.write(self._name(self._machine), json.dumps(said).encode())
            self._told = time.monotonic()

    def end(self) -> None:
        """Take the sign away: whatever this machine has claimed is free."""
        try:
            self._store.remove(self._name(self._machine))
        except MirrorError:
            return  # it is found stale instead

    def lives(self, machine: str) -> bool:
        """Whether another machine is there, as far as can be seen.

        Raises:
            MirrorError: The store doesn't say.
        """
        now = time.monotonic()
        looked, found = self._looked.get(machine, (float("-inf"), False))
        if now - looked < _LOOK_AGAIN:
            return found
        content = self._store.read(self._name(machine))
        if content is None:
            alive = False
        else:
            before, since = self._seen.get(machine, (b"", now))
            if content != before:
                since = now - (self._older(machine) if not before else 0.0)
                self._seen[machine] = content, since
            alive = now - since < LEASE
        self._looked[machine] = now, alive
        return alive

    def _older(self, machine: str) -> float:
        """By how many seconds the sign of another machine is older than this one's, by the store's clock."""
        mine, theirs = (self._store.modified(self._name(one)) for one in (self._machine, machine))
        return max(0.0, mine - theirs) if mine is not None and theirs is not None else 0.0

    @staticmethod
    def _name(machine: str) -> str:
        return f"{_FOLDER}/machine-{machine}.json"
