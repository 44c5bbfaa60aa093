"""The sha256 of files that are made together, in ``SHA256SUMS``, written last and checked by whoever reads one.

The form is that of coreutils: ``sha256sum -c SHA256SUMS`` checks them too. The list goes before any of its files is
written anew, so a kill leaves no list, and never one that does not fit.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from synthgen.core import atomic
from synthgen.core.hashing import sha256_file
from synthgen.errors import DamagedError

FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def clear(folder: Path) -> None:
    """Take the list away, since what it lists is about to be written."""
    (folder / FILE).unlink(missing_ok=True)


def write(folder: Path, names: Iterable[str]) -> None:
    """List files by their paths in the folder, durably; a file that is not there is not listed."""
    lines = (f"{sha256_file(folder / name)}  {name}\n" for name in sorted(names) if (folder / name).is_file())
    atomic.write(folder / FILE, "".join(lines).encode())


def read(folder: Path) -> dict[str, str]:
    """The sha256 of each file that is listed, by its path in the folder; nothing where there is no list.

    Raises:
        DamagedError: A line of it is none.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        lines = [_LINE.fullmatch(line) for line in path.read_bytes().decode().splitlines()]
        return {line[2]: line[1] for line in lines if line} if all(lines) else _refuse(path)
    except UnicodeDecodeError:
        return _refuse(path)


def check(path: Path, advice: str) -> None:
    """Refuse a file that is not what the list beside it says; one that it does not list is not looked at.

    Args:
        path: The file.
        advice: What to do about it.

    Raises:
        DamagedError: It is not.
    """
    promised = read(path.parent).get(path.name)
    if promised is not None and (not path.is_file() or sha256_file(path) != promised):
        raise DamagedError(f"{path}: not what {FILE} says; {advice}")


def differing(folder: Path) -> Iterator[tuple[str, bool]]:
    """Each file that is listed, and whether it is there and what was listed.

    Raises:
        DamagedError: The list can't be read.
    """
    for name, sha256 in read(folder).items():
        inside = ".." not in Path(name).parts and not Path(name).is_absolute()
        path = folder / name
        yield name, inside and path.is_file() and sha256_file(path) == sha256


def _refuse(path: Path) -> dict[str, str]:
    raise DamagedError(f"{path}: not a list of checksums")
