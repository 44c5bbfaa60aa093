"""Metadata in files, CSV, JSON or Parquet: read as rows, and joined on the columns they share."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core.yaml_documents import near
from synthgen.errors import Fault, ManifestError, one_line

Values = dict[str, Any]
_LONGEST_CELL = 16 * 1024 * 1024

_PLACE = "real.metadata"


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
        return reader(path)
    except OSError as error:
        raise ManifestError(Fault.at(_PLACE, f"{shown}: {error.strerror or error}", "not_found")) from None
    except UnicodeDecodeError as error:
        raise ManifestError(Fault.at(_PLACE, f"{shown}: not UTF-8 text (byte {error.start})", "unreadable")) from None
    except (csv.Error, ValueError, RecursionError) as error:
        raise ManifestError(Fault.at(_PLACE, f"{shown}: {one_line(error)}", "unreadable")) from None


def joined(one: Table, other: Table, shown: str) -> Table:
    """Each row with what a second table says of it: all rows of the first, once for each that fits of the second.

    Raises:
        ManifestError: They share no column.
    """
    shared = [name for name in one.columns if name in other.columns]
    if not shared:
        raise ManifestError(Fault.at(_PLACE, f"{shown} shares no column with the metadata before it", "conflict"))
    fitting = defaultdict[tuple[str, ...], list[Values]](list)
    for row in other.rows:
        fitting[_key(row, shared)].append(row)
    rows = tuple(more | row for row in one.rows for more in fitting.get(_key(row, shared), [{}]))
    return Table(tuple(dict.fromkeys([*one.columns, *other.columns])), rows)


def _key(row: Values, shared: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(row.get(name, "")).strip() for name in shared)


def _delimited(path: Path) -> Table:
    """A table whose first line is its header, of which the first tab, semicolon or comma is what separates."""
    csv.field_size_limit(_LONGEST_CELL)
    content = path.read_text(encoding="utf-8-sig")
    header = content.partition("\n")[0]
    delimiter = min((mark for mark in "\t;," if mark in header), key=header.index, default=",")
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    columns = tuple(name.strip() for name in next(rows, ()))
    if not columns:
        raise ValueError("no header in the first line")
    blank = ("",) * len(columns)
    return Table(columns, tuple(dict(zip(columns, (*row, *blank), strict=False)) for row in rows if row))


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
