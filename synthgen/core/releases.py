"""Which releases of synthgen make the same bytes, so that one of them can go on with what another has begun."""

__version__ = "0.2.0"

SAME_BYTES = ("0.1.0", "0.2.0")
"""Releases that make the same bytes from the same manifest, the oldest first and this one last.

A run may be gone on with, and a dataset packed again, by any of them. Add a release's number when ``__version__`` is
set to it. Begin a new tuple, with that release alone, where the release changes a byte that an older one has left on
disk or would have: the pixels of a strategy or of the bundled model, seeds, the order of samples, how an image is
encoded, the fields of a record, the members of a tar, what a scorer gives, the order and the cut of a packed dataset.
The files in ``tests/golden`` and the runs in ``tests/compat`` tell: where one has to change, a new tuple begins. What
people read may change: a card, a page, a sheet, a message.
"""


def same_bytes(one: str, other: str) -> bool:
    """Whether two releases make the same bytes from the same manifest."""
    return one == other or {one, other} <= set(SAME_BYTES)


def generation() -> str:
    """The oldest release that makes the same bytes as this one: it names them all in a digest."""
    return SAME_BYTES[0] if __version__ in SAME_BYTES else __version__


def signature(begun: str = "") -> str:
    """The ``synthgen VERSION`` that signs what is made now.

    Args:
        begun: The signature of the run that it is made for. It stays, so that a run which another release goes on with
            ends with the bytes of one that was never stopped; unless that release made other bytes.
    """
    name, _, version = begun.partition(" ")
    return begun if name == "synthgen" and same_bytes(version, __version__) else f"synthgen {__version__}"
