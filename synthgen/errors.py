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
    └── StoppedError              exit 75  a signal asked to stop; the work can be resumed

``commands`` catches the root and prints one line a fault; anything else is a bug and shows its traceback.
"""


class SynthgenError(Exception):
    """The root: something that was asked for was not achieved."""

    exit_code = 1

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        self.faults = faults

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


class StoppedError(SynthgenError):
    """A signal asked to stop; everything committed is kept and the work can be resumed."""

    exit_code = 75


def one_line(error: object) -> str:
    """What an error says, on one line: line breaks and runs of blanks are one blank each."""
    return " ".join(str(error).split())
