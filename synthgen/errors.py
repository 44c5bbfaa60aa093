"""Every exception that synthgen raises on purpose, drawn as a tree.

::

    SynthgenError                 exit 1   something asked for was not achieved
    ├── InputError                exit 2   bad usage or bad input: one line a fault
    │   ├── ManifestError                  the manifest, or what it names, is at fault
    │   ├── PlanMismatchError              the folder belongs to another plan
    │   └── UnavailableError               what was asked for can't be had on this machine
    ├── DamagedError              exit 1   bytes on disk are not what was written
    ├── IncompleteError           exit 1   a part that is needed has not been made yet
    ├── OutOfMemoryError          exit 1   the device has no room for the batch
    ├── LostWorkError             exit 1   a part of the work ended every worker that tried it
    ├── MirrorError               exit 1   what is to be copied to or from a mirror can't be
    └── StoppedError              exit 75  a signal asked to stop; the work can be resumed

``cli`` catches the root and prints one line a fault; anything else is a bug and shows its traceback.
"""

from numbers import Integral
from typing import Any, Self


class Fault(str):
    """One thing that is wrong, as the line that is printed; its place and its kind beside it, for whoever reads it.

    Attributes:
        path: The place in a document or the file, as ``generate[0].settings.height``; empty where there is none.
        kind: One short word that stays the same however the line is worded: ``unknown_key``, ``missing``,
            ``wrong_type``, ``out_of_range``, ``invalid``, ``not_found``, ``duplicate``, ``conflict``, ``unsupported``,
            ``unavailable``, ``untrusted``, ``syntax``, ``unreadable``; ``other`` where nobody said.
    """

    path: str
    kind: str

    def __new__(cls, text: str, *, path: str | None = None, kind: str | None = None) -> Self:
        """A fault; where ``text`` is one already, what is not given here stays as it is there."""
        made = super().__new__(cls, text)
        made.path = getattr(text, "path", "") if path is None else path
        made.kind = getattr(text, "kind", "other") if kind is None else kind
        return made

    @classmethod
    def at(cls, path: str, message: str, kind: str) -> Self:
        """A fault at a place: ``path: message``."""
        return cls(f"{path}: {message}", path=path, kind=kind)

    def within(self, path: str) -> Self:
        """The same fault seen from further out: what ``height: ...`` is within ``generate[0].settings``."""
        if not self.path:
            return type(self)(f"{path}: {self}", path=path, kind=self.kind)
        return type(self)(f"{path}.{self}", path=f"{path}.{self.path}", kind=self.kind)

    def keyed(self) -> Self:
        """The same fault, its place what stands before its first colon where nobody has said its place."""
        return self if self.path else type(self)(self, path=self.partition(": ")[0])

    def in_file(self, name: object) -> Self:
        """The same fault, its line led by the name of the file that it is in."""
        return type(self)(f"{name}: {self}", path=self.path, kind=self.kind)

    def __reduce__(self) -> tuple[Any, ...]:
        return _fault, (str(self), self.path, self.kind)


def _fault(text: str, path: str, kind: str) -> Fault:
    return Fault(text, path=path, kind=kind)


class SynthgenError(Exception):
    """The root: something that was asked for was not achieved.

    Attributes:
        faults: What is wrong, one line each.
    """

    exit_code = 1
    faults: tuple[Fault, ...]

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        self.faults = tuple(Fault(fault) for fault in faults)

    def __str__(self) -> str:
        return "\n".join(self.faults)


class InputError(SynthgenError):
    """Bad usage or bad input; each fault says where it is and what to do."""

    exit_code = 2


class ManifestError(InputError):
    """The manifest, or a file that it names, is at fault; each fault reads ``path: message``."""


class PlanMismatchError(InputError):
    """The folder holds work of another plan, which is never mixed or overwritten."""


class UnavailableError(InputError):
    """What was asked for (a backend, a dtype, a device, a model) can't be had here."""


class DamagedError(SynthgenError):
    """Bytes on disk are not the bytes that were written."""


class IncompleteError(SynthgenError):
    """A part that is needed has not been made yet."""


class OutOfMemoryError(SynthgenError):
    """The device has no room for a batch of this size."""


class LostWorkError(SynthgenError):
    """Parts of the work ended every worker that tried them.

    Attributes:
        items: These parts.
    """

    def __init__(self, *faults: str, items: tuple[Any, ...] = ()) -> None:
        super().__init__(*faults)
        self.items = items


class MirrorError(SynthgenError):
    """Something can't be copied to a run's mirror, or had from it.

    Attributes:
        passing: Whether that may be gone in a while, as a server's trouble is and a lack of rights is not.
    """

    def __init__(self, *faults: str, passing: bool = False) -> None:
        super().__init__(*faults)
        self.passing = passing


class StoppedError(SynthgenError):
    """A signal asked to stop; everything committed is kept and the work can be resumed."""

    exit_code = 75


def one_line(error: object) -> str:
    """What an error says, on one line: line breaks and runs of blanks are one blank each."""
    return " ".join(str(error).split())


def counted(name: str, value: object) -> None:
    """Check what somebody gave as how many there are to be; ``None`` leaves it open.

    Raises:
        InputError: It is no whole number from 1 on.
    """
    if value is not None and (not isinstance(value, Integral) or isinstance(value, bool) or value < 1):
        raise InputError(Fault(f"{name} {value!r}: give a whole number from 1 on", path=name, kind="out_of_range"))
