"""Tables of our own on disk: Parquet with facts in its schema's metadata, whole or not at all, refused in one line.

Not ``pyarrow.parquet`` alone, which writes in place: a kill would leave half a table.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synthgen.core import atomic, seal
from synthgen.errors import DamagedError, one_line


def write(
    path: Path, table: Any, metadata: Mapping[str, str], *, compression: str = "zstd", sealed: bool = False
) -> None:
    """Write an Arrow table, durably; equal tables and metadata give equal bytes.

    Args:
        path: Where.
        table: What; its schema's own metadata is dropped.
        metadata: The schema's metadata in its place.
        compression: As pyarrow names it.
        sealed: Whether it holds its own sha256, in the metadata; else something beside it says what it is.
    """
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    metadata = {**metadata, seal.KEY: seal.OPEN} if sealed else metadata
    parquet.write_table(table.replace_schema_metadata(metadata), sink, compression=compression)
    content = sink.getvalue().to_pybytes()
    atomic.write(path, seal.close(content) if sealed else content)


def read(path: Path, columns: Sequence[str] | None = None) -> tuple[Any, dict[str, str]]:
    """An Arrow table and its schema's metadata.

    Args:
        path: Of one file; no column is guessed from the names of its folders.
        columns: The columns to read; ``None`` for all.

    Raises:
        OSError: There is none.
        pyarrow.ArrowException: It is no whole Parquet file.
        KeyError: It lacks a column.
        ValueError: It was sealed, and has changed since.
    """
    import pyarrow as pa
    from pyarrow import parquet

    content = path.read_bytes()
    if seal.is_sealed(content) and not seal.is_whole(content):
        raise ValueError(seal.CHANGED)
    with parquet.ParquetFile(pa.BufferReader(content)) as file:
        table = file.read(None if columns is None else list(columns))
    if missing := set(columns or ()) - set(table.column_names):
        raise KeyError(f"no column {', '.join(sorted(missing))}")
    found = {key.decode(): value.decode(errors="replace") for key, value in (table.schema.metadata or {}).items()}
    if found.pop(seal.KEY, "") and not seal.is_sealed(content):
        raise ValueError(seal.CHANGED)
    return table.replace_schema_metadata(None), found


@contextmanager
def reading(path: Path, fault: str = "can't be read", advice: str = "") -> Iterator[None]:
    """Where a table is read: whatever it turns out to lack is one line that names the file.

    Args:
        path: The file.
        fault: What it is then said to be; the reason follows in brackets.
        advice: What to do about it.

    Raises:
        DamagedError: It can't be read, or is not what it should be.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
        raise DamagedError(f"{path}: {fault} ({one_line(error)})" + (advice and f"; {advice}")) from None
