"""Holds a source of one's own to what every source promises, so that it fails in one line and not in a traceback."""

import errno
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from synthgen.errors import InputError, one_line
from synthgen.real import sources
from synthgen.real.sources import Reader, SourceRow

Thing = TypeVar("Thing")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a full disk is no fault of the plug-in


def open_source(name: str, settings: Any, base: Path, cache: Path | None, *, labels: Collection[str] = ()) -> Reader:
    """The reader of a source by its name; one that is not built in is checked as it is used.

    Raises:
        InputError: There is no such source, or its metadata can't be read.
    """
    opened = sources.source(name).open_source(settings, base, cache, labels=labels)
    return opened if name in sources.plugins.built_in() else PromisedReader(name, opened)


class PromisedReader:
    """A reader of which everything that it gives is looked at.

    Args:
        source: The name of its source.
        reader: The reader.
    """

    def __init__(self, source: str, reader: Any) -> None:
        self._source, self._reader = source, reader
        parts = ("name", "columns", "rows", "keep", "read")
        if missing := [part for part in parts if not hasattr(reader, part)]:
            raise self._other("open_source", reader, f"a reader; it lacks {', '.join(missing)}")
        self.name: str = reader.name

    @property
    def columns(self) -> Sequence[str]:
        """The metadata columns that there are."""
        columns: Sequence[str] = self._reader.columns
        return columns

    def rows(self) -> Iterator[SourceRow]:
        """Every row; raises InputError for what is none."""
        rows = iter(self._called("rows", lambda: iter(self._reader.rows())))
        while (row := self._called("rows", lambda: next(rows, self))) is not self:
            if not isinstance(row, SourceRow):
                raise self._other("rows", row, "a SourceRow for each image")
            yield row

    def keep(self, locations: Collection[str]) -> Mapping[str, str]:
        """The new locations of those moved; raises InputError where that is no mapping."""
        moved = self._called("keep", lambda: self._reader.keep(locations))
        if not isinstance(moved, Mapping):
            raise self._other("keep", moved, "a mapping of the locations that have moved, {} for none")
        return dict(moved)

    def read(self, location: str) -> bytes:
        """The bytes of a file; raises InputError where they are none."""
        content = self._called("read", lambda: self._reader.read(location), f" for {location}")
        if not isinstance(content, bytes | bytearray | memoryview):
            raise self._other("read", content, "the bytes of an image's file")
        return bytes(content)

    def _called(self, function: str, call: Callable[[], Thing], of: str = "") -> Thing:
        try:
            return call()
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            said = one_line(f"{type(error).__name__}: {error}")
            raise InputError(
                f"source `{self._source}`: its {function} raised {said}{of}; promised is a DamagedError for an image "
                "that can't be read, and an InputError for data that can't be had"
            ) from None

    def _other(self, function: str, given: object, promised: str) -> InputError:
        return InputError(
            f"source `{self._source}`: its {function} gave a {type(given).__name__}; promised is {promised}"
        )
