"""The lists of a mirror: which sha256 each file of the run has that lies there, and what was taken away.

Each has a number and is created, never written over, so that of two machines that add to one list one alone can, and
the other sees what that one added. ``mirror.json`` is a copy of one of the newest, from which the newest is looked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from synthgen.core import releases, seal
from synthgen.errors import InputError, MirrorError
from synthgen.runs.mirror.store import PRIVATE, Store

LISTING = "mirror.json"
_FORMAT = 1
Listing = Mapping[str, str]
"""The sha256 of each file, by its path in the run."""


@dataclass(frozen=True, slots=True)
class List:
    """A list of a mirror.

    Attributes:
        number: How many were written before it.
        files: The sha256 of each file.
        gone: The sha256 of each that was taken away, as it was last.
    """

    number: int = 0
    files: Listing = field(default_factory=dict)
    gone: Listing = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The list as indented JSON with its own sha256."""
        document = {"format": _FORMAT, "generator": releases.signature(""), "number": self.number, "files": self.files}
        return seal.dumps(document | ({"gone": self.gone} if self.gone else {}))


def newest(store: Store) -> List | None:
    """The newest list of a mirror; ``None`` where nothing was ever copied there.

    Raises:
        InputError: It is of another version.
        MirrorError: It can't be read, or is not what was written.
    """
    content = store.read(LISTING)
    found = None if content is None else _read(store, LISTING, content)
    while (content := store.read(name := place(found.number + 1 if found else 1))) is not None:
        newer = _read(store, name, content)
        if newer.number != (found.number + 1 if found else 1):
            raise InputError(f"{store.name}/{name}: says another number than its name; remove it there")
        found = newer
    return found


def place(number: int) -> str:
    """The name of a list on its mirror."""
    return f"{PRIVATE}list-{number:06d}.json"


def _read(store: Store, name: str, content: bytes) -> List:
    where = f"{store.name}/{name}"
    try:
        document = seal.loads(content)
        if document["format"] != _FORMAT:
            raise InputError(f"{where}: written by another version of synthgen ({document.get('generator')})")
        files, gone = (
            {str(name): str(sha256) for name, sha256 in found.items()}
            for found in (document["files"], document.get("gone", {}))
        )
        number = int(document.get("number", 0))
        if number < 0:
            raise ValueError("its number is below 0")
        if seal.has_changed(content):
            raise ValueError(seal.CHANGED)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{where}: not the list of a mirror ({error}); remove it there, and who has the run writes it anew"
        raise MirrorError(said, passing=True) from None  # it may just be written
    return List(number, files, gone)
