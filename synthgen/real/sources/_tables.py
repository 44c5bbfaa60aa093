"""Metadata in files, CSV, JSON or Parquet: read as rows, and joined on the columns they share."""

import csv
import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core.yaml_documents import near, not_utf8
from synthgen.errors import Fault, ManifestError, one_line
from synthgen.real.sources import _delimited as _delimited_text
from synthgen.real.sources import known
from synthgen.vision.images import file_signatures

Values = dict[str, Any]
_PLACE = "real.metadata"
_NAMELESS = re.compile(r"(?i)unnamed: \d+")  # what pandas calls an index that was saved without a name
_WHOLE = re.compile(r"^([+-]?\d+)\.0+$")
_NO_TABLES = ("HTML", "XML", "SVG", "PDF", "ZIP", "gzip", "only zero bytes")
# What csv, json and pyarrow raise of files that are not as they say: pyarrow's own are among Python's.
_UNREADABLE = (
    csv.Error, ValueError, LookupError, TypeError, ArithmeticError, NotImplementedError, MemoryError, RecursionError,
)  # fmt: skip
_MOST_JOINED = 100_000  # rows that a join may always have
_TIMES_JOINED = 10  # as many as both of its tables, above that
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, and all the columns that any of them has."""

    columns: tuple[str, ...]
    rows: tuple[Values, ...]

    @classmethod
    def of(cls, rows: Iterable[Values]) -> "Table":
        """The table of some rows."""
        held = tuple(rows)
        return cls(tuple(dict.fromkeys(name for row in held for name in row)), held)


def read(path: Path, shown: str) -> Table:
    """Read a file of metadata; ``shown`` is what faults call it.

    Raises:
        ManifestError: It can't be read, or not as what its name ends in.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        said = f"can't tell what `{shown}` holds; {near(path.suffix, filter(None, _READERS))}"
        raise ManifestError(Fault.at(_PLACE, said, "unsupported"))
    try:
        with path.open("rb") as file:
            found = file_signatures.kind(file.read(4096))
        if found in _NO_TABLES or " pointer; fetch" in found:
            raise ValueError(f"not a table: {found}")
        return reader(path)
    except OSError as error:
        raise ManifestError(Fault.at(_PLACE, f"{shown}: {error.strerror or error}", "not_found")) from None
    except UnicodeDecodeError as error:
        raise ManifestError(Fault.at(_PLACE, f"{shown}: {not_utf8(error)}", "unreadable")) from None
    except _UNREADABLE as error:
        raise ManifestError(Fault.at(_PLACE, f"{shown}: {one_line(error)}", "unreadable")) from None


def joined(one: Table, other: Table, shown: str) -> Table:
    """Each row with what a second table says of it: all rows of the first, once for each that fits of the second.

    A key of which any part is empty, or one of the words for what nobody knows, fits nothing.

    Raises:
        ManifestError: They share no column, or no row of one fits any of the other.
    """
    shared = [name for name in one.columns if name in other.columns and name and not _NAMELESS.fullmatch(name)]
    if not shared:
        raise ManifestError(Fault.at(_PLACE, f"{shown} shares no column with the metadata before it", "conflict"))
    fitting = defaultdict[tuple[str, ...], list[Values]](list)
    for row in other.rows:
        fitting[_key(row, shared)].append(row)
    unknown = [key for key in fitting if not all(key)]
    nothing = [row for key in unknown for row in fitting.pop(key)]
    asked = dict.fromkeys(key for row in one.rows if all(key := _key(row, shared)))
    fits = [key for key in asked if key in fitting]
    on = ", ".join(shared)
    if one.rows and other.rows and not fits:
        here, there = (", ".join(next(iter(keys), ("nothing",))) for keys in (asked, fitting))
        said = (
            f"no row of {shown} fits any of the metadata before it by {on}: `{here[:60]}` there, `{there[:60]}` in it"
        )
        raise ManifestError(Fault.at(_PLACE, said, "conflict"))
    if nothing:
        _log.warning("%s: %s rows without %s say nothing of any image", shown, f"{len(nothing):,}", on)
    several = [key for key in fits if len(fitting[key]) > 1]
    if several:
        first = ", ".join(several[0])[:60]
        _log.warning("%s: %s is there in several rows for %s values, as `%s`", shown, on, f"{len(several):,}", first)
    _check_size(one, other, shown, on, sum(len(fitting.get(_key(row, shared), ())) or 1 for row in one.rows))
    rows = tuple(more | row for row in one.rows for more in fitting.get(_key(row, shared), [{}]))
    return Table(tuple(dict.fromkeys([*one.columns, *other.columns])), rows)


def _check_size(one: Table, other: Table, shown: str, on: str, rows: int) -> None:
    """Refuse a join of many rows with many, which no column that names images gives, and which fills the memory."""
    if rows > max(_MOST_JOINED, _TIMES_JOINED * (len(one.rows) + len(other.rows))):
        said = (
            f"{shown} and the metadata before it would be {rows:,} rows, joined by {on}; let them share a column that "
            "names each image, or rename the one that they share"
        )
        raise ManifestError(Fault.at(_PLACE, said, "conflict"))


def _key(row: Values, shared: Sequence[str]) -> tuple[str, ...]:
    """What a row is joined by; ``1001.0``, which a column of numbers with gaps makes of ``1001``, is that."""
    cells = (known(row.get(name, "")) for name in shared)
    return tuple(_WHOLE.sub(r"\1", cell) for cell in cells)


def _delimited(path: Path) -> Table:
    return Table(*_delimited_text.parse(path.read_text(encoding="utf-8-sig")))


def _lines(path: Path) -> Table:
    return Table.of(_objects(path.read_text(encoding="utf-8-sig")))


def _objects(content: str) -> Iterator[Values]:
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            try:
                yield _object(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None


def _object(value: object) -> Values:
    if not isinstance(value, dict):
        raise ValueError("expected an object of columns and values")
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair, which JSON can say, is no text
    return value


def _json(path: Path) -> Table:
    """One list of objects, or an object a line."""
    content = path.read_text(encoding="utf-8-sig")
    if content.lstrip().startswith("["):
        return Table.of(map(_object, json.loads(content)))
    return Table.of(_objects(content))


def _parquet(path: Path) -> Table:
    from pyarrow import parquet

    table = parquet.read_table(path)
    return Table(tuple(table.column_names), tuple(table.to_pylist()))


_READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".tab": _delimited,
    ".txt": _delimited,
    "": _delimited,
    ".json": _json,
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".parquet": _parquet,
}
