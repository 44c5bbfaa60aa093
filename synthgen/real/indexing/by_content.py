"""Reads indexed real images from wherever somebody has them: by the sha256 of their bytes, whatever they are called."""

import hashlib
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from synthgen.errors import Fault, InputError
from synthgen.plan.real_index import Source

Read = Callable[[], bytes]


class ByContent:
    """The images of a folder and all below it, files of their own or in tars, by what they hold.

    A folder is searched until what is asked for is found: files that are named as the index names the image come first,
    and no byte is read twice to be hashed. Links are followed to files, not to folders.

    Args:
        folder: Where the images are.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(Fault.at(f"--real {folder}", "no such folder", "not_found"))
        self._folder = folder
        self._found: dict[str, Read] = {}
        self._seen: set[Path] = set()
        self._others = self._paths()
        self._lock = threading.Lock()

    def image(self, source: Source) -> bytes:
        """The bytes of an indexed image.

        Raises:
            InputError: No file of the folder has them, or the index does not say which they are.
        """
        return self._bytes(f"real image {source.id}", source.location, source.sha256)

    def mask(self, source: Source) -> bytes:
        """The bytes of an indexed image's mask; errors as of :meth:`image`."""
        return self._bytes(f"the mask of real image {source.id}", source.mask, source.mask_sha256)

    def _bytes(self, what: str, location: str, sha256: str) -> bytes:
        where = f"--real {self._folder}"
        if not sha256:
            said = f"{what} has no sha256 in the index, so it can't be told by its bytes; give its run: --work RUN"
            raise InputError(Fault.at(where, said, "unsupported"))
        name = Path(location).name
        content = self._find(sha256, name)
        if content is None:
            called = f", once called {name}" if name else ""
            said = f"no file there, and none in a tar there, has the bytes of {what} (sha256 {sha256[:12]}{called})"
            raise InputError(Fault.at(where, said, "not_found"))
        return content

    def _find(self, sha256: str, name: str) -> bytes | None:
        with self._lock:
            self._look_for(sha256, name)
        read = self._found.get(sha256)
        content = read() if read else None
        return content if content is not None and hashlib.sha256(content).hexdigest() == sha256 else None

    def _look_for(self, sha256: str, name: str) -> None:
        """Go through the files of that name, and then through all others, until it is found."""
        named = (path for path in self._paths() if path.name == name)
        for paths in (named, self._others):
            for path in paths if sha256 not in self._found else ():
                if path not in self._seen:
                    self._seen.add(path)
                    self._found |= dict(_digests(path))
                if sha256 in self._found:
                    return

    def _paths(self) -> Iterator[Path]:
        for root, folders, files in os.walk(self._folder):
            folders.sort()
            yield from (Path(root, name) for name in sorted(files))


def _digests(path: Path) -> Iterator[tuple[str, Read]]:
    """The sha256 of a file, and of each file in it if it is a tar; nothing of what can't be read."""
    if not path.is_file():  # a pipe would be waited for
        return
    try:
        if path.suffix == ".tar":
            yield from _members(path)
        else:
            yield hashlib.sha256(path.read_bytes()).hexdigest(), path.read_bytes
    except (OSError, tarfile.TarError):
        return


def _members(path: Path) -> Iterator[tuple[str, Read]]:
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if member.isfile():
                read = partial(_part, path, member.offset_data, member.size)
                yield hashlib.sha256(read()).hexdigest(), read


def _part(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)
