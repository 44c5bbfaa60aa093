"""The files of a folder: found by name or by a pattern, each folder listed once; nothing outside is ever read.

A link that leads out of the folder is followed only where that was asked for: an archive from elsewhere may hold one to
any file of this machine.
"""

import logging
import os
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from synthgen.errors import DamagedError, InputError

EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
# Pictures by their names' endings that are not read, and what they are called.
OTHERS = {
    ".heic": "HEIC", ".heif": "HEIF", ".avif": "AVIF", ".jp2": "JPEG 2000", ".j2k": "JPEG 2000", ".jpx": "JPEG 2000",
    ".jxl": "JPEG XL", ".dcm": "DICOM", ".dicom": "DICOM", ".psd": "Photoshop", ".svg": "SVG", ".ppm": "Netpbm",
    ".pgm": "Netpbm", ".pnm": "Netpbm", ".tga": "Targa", ".dng": "a camera's raw file", ".cr2": "a camera's raw file",
    ".cr3": "a camera's raw file", ".nef": "a camera's raw file", ".arw": "a camera's raw file",
    ".raf": "a camera's raw file", ".orf": "a camera's raw file", ".rw2": "a camera's raw file",
}  # fmt: skip


LARGEST = 1024**3  # bytes of an image's file: 100 megapixels of 16-bit RGBA are 800 MB
OUTSIDE = "outside of the folder, by a link; put the file itself there, or say `real.follow_links: true`"
_log = logging.getLogger(__name__)


class Files:
    """The files under a folder, by their paths in it.

    Args:
        root: The folder.
        follow_links: Whether links may lead out of it.
    """

    def __init__(self, root: Path, *, follow_links: bool = False) -> None:
        self._root, self._follow_links = root, follow_links
        self._listing = cache(self._list)
        self._is_outside = cache(self._resolves_outside)

    def find(self, name: str, starred: bool = False) -> str:
        """The path of a file, or the first that fits where ``*`` stands for anything within a name; empty for none."""
        parts = self._parts(name)
        if not parts:
            return ""
        found = next(self._matches("", parts, starred), "")
        if not found and parts[0] == self._root.absolute().name:  # the folder's own name before it
            found = next(self._matches("", parts[1:], starred), "") if parts[1:] else ""
        return found

    def kept_elsewhere(self, name: str) -> str:
        """What is said of a file that is not here since DVC or git-annex keeps it elsewhere; empty of any other."""
        parts = self._parts(name)
        for place in ("/".join(parts), "/".join(parts[1:])) if parts else ():
            path = self._root / place
            if place and path.with_name(f"{path.name}.dvc").is_file():
                return "DVC keeps it elsewhere; fetch it with `dvc pull`"
            if place and path.is_symlink() and "annex/objects/" in path.readlink().as_posix():
                return "git-annex keeps it elsewhere; fetch it with `git annex get`"
        return ""

    def _parts(self, name: str) -> list[str]:
        """The parts of a path in the folder, which a whole path of a file that lies there has too; none elsewhere."""
        if name.startswith("/"):
            for root in dict.fromkeys((self._root.absolute(), self._root.resolve())):
                if PurePosixPath(name).is_relative_to(root):
                    name = PurePosixPath(name).relative_to(root).as_posix()
                    break
            else:
                return []
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        return [] if ".." in parts else parts

    def images(self) -> Iterator[str]:
        """Every picture, those of kinds that are not read too, sorted by path; hidden ones are not seen.

        Each real folder is entered once, whatever links lead to it: by its own path where it has one in here.
        """
        entered = set[tuple[int, int]]()
        found, links = list[str](), list[str]()
        todo = [""]
        while todo or links:
            if not todo:
                todo = [links.pop(0)]
            under = todo.pop()
            if self.leads_out(under.rstrip("/")):
                _log.warning("real.path: %s is %s", under.rstrip("/"), OUTSIDE)
                continue
            status = (self._root / under).stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            for name in self._listing(under):
                path = f"{under}{name}"
                if name.startswith("."):
                    continue
                if name.endswith("/"):
                    (links if (self._root / path[:-1]).is_symlink() else todo).append(path)
                elif name.lower().endswith((*EXTENSIONS, *OTHERS)):
                    found.append(os.fsencode(path).decode("utf-8", "replace"))  # one that is not UTF-8 is not found
        yield from sorted(found)

    def leads_out(self, path: str) -> bool:
        """Whether a file or folder is, or lies behind, a link out of the folder that nobody said may be followed."""
        if self._follow_links or not path:
            return False
        under = path.rpartition("/")[0]
        return self._is_outside(under) or ((self._root / path).is_symlink() and self._resolves_outside(path))

    def _resolves_outside(self, path: str) -> bool:
        try:
            return not (self._root / path).resolve().is_relative_to(self._root.resolve())
        except (OSError, RuntimeError):  # links in a circle
            return True

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            DamagedError: It is not there any more, or lies outside.
            InputError: It can't be read.
        """
        if ".." in PurePosixPath(path).parts or path.startswith("/"):
            raise DamagedError(f"{path} is outside of the folder")
        if self.leads_out(path):
            raise DamagedError(f"{path} is {OUTSIDE}")
        try:
            if not (self._root / path).is_file() and (self._root / path).exists():
                raise DamagedError(f"{path} is no regular file")
            size = (self._root / path).stat().st_size
            if size > LARGEST:
                raise DamagedError(f"{size:,} bytes, more than {LARGEST:,}")
            return (self._root / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise DamagedError(f"no file {path}") from None
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from None

    def _matches(self, under: str, parts: list[str], starred: bool) -> Iterator[str]:
        """The paths that fit, sorted; the listing of a folder ends its folders' names in ``/``."""
        wanted = parts[0] + "/" * (len(parts) > 1)
        listing = self._listing(under)
        fitting = list(self._fitting(listing, wanted, starred))
        if not fitting and not wanted.isascii():  # composed here and decomposed on disk, as macOS has it, or otherwise
            same = unicodedata.normalize("NFC", wanted)
            fitting = [name for name in listing if unicodedata.normalize("NFC", name) == same]
        for name in fitting:
            if len(parts) > 1:
                yield from self._matches(under + name, parts[1:], starred)
            else:
                yield under + name

    @staticmethod
    def _fitting(names: list[str], wanted: str, starred: bool) -> Iterator[str]:
        """Of sorted names those that fit."""
        prefix, star, _ = wanted.partition("*") if starred else (wanted, "", "")
        for place in range(bisect_left(names, prefix), len(names)):
            name = names[place]
            if not name.startswith(prefix) or (not star and name != wanted):
                break
            if not star or _fits(name, wanted):
                yield name

    def _list(self, under: str) -> list[str]:
        try:
            with os.scandir(self._root / under) as entries:
                there = [entry for entry in entries if entry.is_dir() or entry.is_file()]  # no pipe, no device
                return sorted(entry.name + "/" * entry.is_dir() for entry in there)
        except OSError:
            return []


def _fits(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern in which ``*`` stands for anything within it, in time that grows with both alone.

    Not fnmatch: its regular expression takes hours of a name for which a pattern of many stars was thought out, and
    knows more signs than the star.
    """
    if name.endswith("/") != pattern.endswith("/"):
        return False
    first, *middle, last = pattern.split("*")
    if not name.startswith(first) or len(name) < len(first) + len(last) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
