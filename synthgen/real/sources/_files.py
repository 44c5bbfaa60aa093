"""The files of a folder: found by name or by a pattern, each folder listed once; nothing outside is ever read."""

import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from synthgen.errors import DamagedError, InputError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")


class Files:
    """The files under a folder, by their paths in it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listing = cache(self._list)

    def find(self, name: str, starred: bool = False) -> str:
        """The path of a file, or the first that fits where ``*`` stands for anything within a name; empty for none."""
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        if ".." in parts or name.startswith("/"):
            return ""
        return next(self._matches("", parts, starred), "") if parts else ""

    def images(self, under: str = "") -> Iterator[str]:
        """Every image, sorted by path; hidden ones are not seen."""
        for name in self._listing(under):
            path = f"{under}{name}"
            if name.startswith("."):
                continue
            if name.endswith("/"):
                yield from self.images(path)
            elif name.lower().endswith(EXTENSIONS):
                yield path

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            DamagedError: It is not there any more, or lies outside.
            InputError: It can't be read.
        """
        if ".." in PurePosixPath(path).parts or path.startswith("/"):
            raise DamagedError(f"{path} is outside of the folder")
        try:
            return (self._root / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise DamagedError(f"no file {path}") from None
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from None

    def _matches(self, under: str, parts: list[str], starred: bool) -> Iterator[str]:
        """The paths that fit, sorted; the listing of a folder ends its folders' names in ``/``."""
        wanted = parts[0] + "/" * (len(parts) > 1)
        for name in self._fitting(self._listing(under), wanted, starred):
            if len(parts) > 1:
                yield from self._matches(under + name, parts[1:], starred)
            else:
                yield under + name

    @staticmethod
    def _fitting(names: list[str], wanted: str, starred: bool) -> Iterator[str]:
        """Of sorted names those that fit."""
        prefix, star, _ = wanted.partition("*") if starred else (wanted, "", "")
        pattern = re.compile("[^/]*".join(map(re.escape, wanted.split("*")))) if star else None
        for place in range(bisect_left(names, prefix), len(names)):
            name = names[place]
            if not name.startswith(prefix) or (not pattern and name != wanted):
                return
            if not pattern or pattern.fullmatch(name):
                yield name

    def _list(self, under: str) -> list[str]:
        try:
            with os.scandir(self._root / under) as entries:
                return sorted(entry.name + "/" * entry.is_dir() for entry in entries)
        except OSError:
            return []
