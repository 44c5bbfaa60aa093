"""A run copied to an address that fsspec opens, and taken up from there, by machines that share no folder.

On the mirror, work shards have the names that they have in the run, and what they rest on lies under its sha256.
Nothing is believed before its sha256 is checked, and a work shard counts there as here: by its receipt, which is copied
last.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from synthgen.errors import Fault, IncompleteError, MirrorError, PlanMismatchError, SynthgenError, UnavailableError
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import pseudonyms, revision, run_file, run_folder
from synthgen.runs.mirror import address as addresses
from synthgen.runs.mirror import pull, state
from synthgen.runs.mirror.beat import Beat, machine_of
from synthgen.runs.mirror.claims import MirrorClaims, NoClaims
from synthgen.runs.mirror.push import Sender
from synthgen.runs.mirror.state import State
from synthgen.runs.mirror.store import Store, retried
from synthgen.runs.receipts import Receipt, finished_shards

__all__ = ["NO_MIRROR", "Mirror", "NoClaims", "NoMirror", "opened"]

Progress = Callable[[str, int, int], None]
Stop = Callable[[], bool]
_log = logging.getLogger(__name__)
_BRINGING = "bringing work shards from the mirror"


def never() -> bool:
    """Say that there is no reason to stop."""
    return False


class Mirror:
    """The mirror of one run.

    Args:
        address: Its address.
        root: The run's folder.

    Attributes:
        root: The run's folder.

    Raises:
        InputError: It is no address.
        UnavailableError: It can't be had here.
    """

    def __init__(self, address: str, root: Path) -> None:
        addresses.check_apart(address, root)
        self.root = root
        self._address, self._store = address, Store(address)
        self._state, self._fresh = State(self._store, root), not run_file.is_run(root)
        self._damaged = frozenset[Any]()
        self._senders = list[Sender]()

    def bring_state(self, stop: Stop = never) -> None:
        """Bring here what a run's images rest on, where the mirror has it and it is newer there.

        Raises:
            InputError: The folder holds something else.
            PlanMismatchError: The mirror is of another plan.
            UnavailableError: It can't be reached, or read.
        """
        self._refused(lambda: state.bring(self._state, self.root, stop))

    def bring_shards(
        self,
        plan: Plan | None = None,
        part: tuple[slice, slice] | None = None,
        progress: Progress | None = None,
        stop: Stop = never,
    ) -> None:
        """Bring here the work shards that the mirror has finished.

        Args:
            plan: The plan that is asked for.
            part: Which shards of it are looked at, if not all; ignored where the run follows another plan so far.
            progress: Told how many are here, and of how many; may raise to stop.
            stop: Whether to stop.

        Raises:
            UnavailableError: The mirror can't be read.
            StoppedError: ``stop`` said so.
        """
        if not run_file.is_run(self.root):
            return
        wanted = None
        if plan is not None and part is not None and self._follows(plan):
            whole, every = part
            wanted = pull.needed(plan, list(plan.refs())[whole][every])
        told = (lambda done, total: progress(_BRINGING, done, total)) if progress else None
        self._damaged |= self._refused(
            lambda: pull.bring_shards(self._store, self.root, wanted=wanted, progress=told, stop=stop)
        )

    def check(self, plan: Plan, extensions: Extensions, *, accept_changes: bool) -> None:
        """Refuse a plan that would set aside what the mirror's run has made, before anything of that is copied here.

        Raises:
            PlanMismatchError: It would, and that was not accepted; what was brought to a new folder is gone again.
        """
        if accept_changes or not run_file.is_run(self.root) or self._follows(plan):
            return
        begun = self._refused(lambda: [name for name in pull.ledgers_of(self.root) if self._store.sizes(name)])
        if not begun:
            return
        held, document = run_folder.read_plan(self.root, extensions), run_file.read(self.root)
        begun = [name for name in begun if name in held.entries]
        found = revision.revise(self.root, held, begun, run_file.former(document), plan).differences
        faults = [
            f"{self._store.name}: holds a run in which {one.anew + one.gone:,} images of entry `{one.entry}` are "
            f"planned otherwise ({'; '.join(one.changes) or 'other real images'}); --accept-changes sets those "
            "that are made aside, or undo the change, or use another --mirror"
            for one in found
            if one.anew + one.gone
        ]
        if faults:
            if self._fresh:
                self._state.undo()
            raise PlanMismatchError(*faults)

    def sending(self, plan: Plan, stop: Stop = never) -> Sender:
        """What copies the work shards of the run to the mirror as they are finished, a context manager.

        Raises:
            PlanMismatchError: The mirror is of another plan by now.
            UnavailableError: It can't be written to.
        """
        ledgers = {name: ledger for name, ledger in pull.ledgers_of(self.root).items() if name in plan.entries}
        beat = Beat(self._store, self._machine)
        self._refused(beat.tell, stop)
        self._refused(self._state.send, stop)
        sender = Sender(
            self._store,
            self._state,
            beat,
            ledgers=ledgers,
            finished=lambda: (shard.ref for shard in finished_shards(plan, self.root)),
            again=self._damaged,
            stop=stop,
        )
        self._senders.append(sender)
        return sender

    @property
    def claims(self) -> MirrorClaims:
        """What a process asks before it makes a work shard; it travels to workers."""
        return MirrorClaims(self._address, self.root.resolve(), self._machine)

    def send_salt(self) -> None:
        """Copy the salt of pseudonyms, which nothing else tells and packing may have made; say so where it can't be."""
        if not (self.root / pseudonyms.FILE).is_file():
            return
        try:
            retried(self._state.send)
        except SynthgenError as error:  # of another plan by now, too: what was packed is whole
            _log.warning("%s; keep a copy of %s, which nothing else tells", error, self.root / pseudonyms.FILE)

    def check_sent(self) -> None:
        """Refuse to end as if all were well where it is not; asked at the end, when everything else is done.

        Raises:
            IncompleteError: Something is not on the mirror, or other bytes are.
        """
        last, faults = self._senders[-1] if self._senders else None, list[str]()
        if last and not last.left and not self._state.is_sent:  # whoever packs makes the salt of pseudonyms
            self.send_salt()
        if last and last.left:
            said = f"{last.left} work shards are not on {self._store.name} ({last.why}); they are whole in {self.root}"
            again = ": run the same command again, which copies them and makes none anew"
            faults.append(said + ("" if last.refused else again))
        if apart := [name for sender in self._senders for name in sender.disagreeing]:
            named = ", ".join(apart[:3]) + (", ..." if len(apart) > 3 else "")
            faults.append(f"{len(apart)} work shards are not the same here and on {self._store.name} ({named})")
        if faults:
            raise IncompleteError(*faults)

    @property
    def _machine(self) -> str:
        return machine_of(self.root / state.HOME)

    def _follows(self, plan: Plan) -> bool:
        """Whether the run follows a plan already."""
        held = run_file.read(self.root)["entries"]
        return {name: one["digest"] for name, one in held.items()} == {
            name: entry.digest for name, entry in plan.entries.items()
        }

    def _refused(self, ask: Callable[[], Any], stop: Stop = never) -> Any:
        """What something gives, a fault of the mirror being bad input."""
        try:
            return retried(ask, stop)
        except MirrorError as error:
            raise UnavailableError(
                *(Fault(f"--mirror: {one}", path="mirror", kind="unavailable") for one in error.faults)
            ) from None


class NoMirror:
    """A run that is copied nowhere: every question has the answer that nothing is to be done."""

    claims = NoClaims()

    def bring_state(self, stop: Stop = never) -> None:
        """Nothing to bring."""

    def bring_shards(
        self,
        plan: Plan | None = None,
        part: tuple[slice, slice] | None = None,
        progress: Progress | None = None,
        stop: Stop = never,
    ) -> None:
        """Nothing to bring."""

    def check(self, plan: Plan, extensions: Extensions, *, accept_changes: bool) -> None:
        """Nothing to check."""

    def sending(self, plan: Plan, stop: Stop = never) -> AbstractContextManager["NoMirror"]:
        """Nothing to send."""
        return nullcontext(self)

    def add(self, receipt: Receipt) -> None:
        """Nothing to send."""

    def send_salt(self) -> None:
        """Nothing to send."""

    def check_sent(self) -> None:
        """Nothing to complain of."""


NO_MIRROR = NoMirror()


def opened(address: "str | Mirror | NoMirror | None", root: Path, stop: Stop = never) -> "Mirror | NoMirror":
    """The mirror of a run, what its images rest on brought here; one that is open already as it is.

    Raises:
        InputError: The address or the folder is at fault, or the mirror can't be had, or is of another plan.
    """
    if address is None:
        return NO_MIRROR
    if isinstance(address, Mirror | NoMirror):
        return address
    mirror = Mirror(address, root)
    mirror.bring_state(stop)
    return mirror
