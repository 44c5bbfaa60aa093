"""Samples as rows of Parquet: with the image's bytes in the row, or with the path of a file beside it.

The columns are those that `datasets` makes PIL images and class names of: ``image`` (bytes and path) or ``file_name``,
``label`` as ClassLabel, and every other field of the record.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from synthgen.core import table_file
from synthgen.plan.sample import Record, field_types
from synthgen.runs.own_files import own_file
from synthgen.runs.tar_samples import TarSample

ROWS = 100  # rows a row group with images in it, as `datasets` itself writes them
_OTHERS = 10_000
Row = dict[str, Any]


def schema(labels: Sequence[str], *, images: bool) -> Any:
    """The Arrow schema with the features that `datasets` reads from it.

    Args:
        labels: The class names in their order.
        images: Whether the image is in the row, or a file that ``file_name`` names.
    """
    from datasets import ClassLabel, Features, Image, Value

    kinds = {str: "string", int: "int64", float: "float64"}
    first = {"image": Image()} if images else {"file_name": Value("string")}
    record = {name: Value(kinds[kind]) for name, kind in field_types().items() if name != "label"}
    return Features({**first, "label": ClassLabel(names=list(labels)), **record}).arrow_schema


def columns(records: Sequence[Record]) -> dict[str, list[Any]]:
    """The columns of the records' fields, the class by its number."""
    found = {name: [getattr(record, name) for record in records] for name in field_types()}
    return found | {"label": found["label_id"]}


def read(path: Path, key: str = "") -> Iterator[TarSample]:
    """Every sample of a Parquet shard with images in it, or the one with that key.

    Raises:
        DamagedError: It can't be read, or lacks a column.
    """

    def image(row: Row) -> tuple[str, bytes]:
        return row["image"]["path"], row["image"]["bytes"]

    yield from _read(path, key, ROWS, image)


def read_listing(path: Path, key: str = "") -> Iterator[TarSample]:
    """Every sample that a ``metadata.parquet`` beside image files lists, or the one with that key.

    Raises:
        DamagedError: It can't be read, lacks a column, or an image is gone.
    """

    def image(row: Row) -> tuple[str, bytes]:
        return row["file_name"], own_file(path.parent, row["file_name"]).read_bytes()

    yield from _read(path, key, _OTHERS, image)


def _read(path: Path, key: str, rows: int, image: Callable[[Row], tuple[str, bytes]]) -> Iterator[TarSample]:
    from pyarrow import parquet

    number = 0
    with table_file.reading(path), parquet.ParquetFile(path) as file:
        names = _names(file.schema_arrow)
        found = parquet.read_table(path, filters=[("key", "==", key)]).to_batches() if key else None
        for batch in file.iter_batches(batch_size=rows) if found is None else found:
            for row in batch.to_pylist():
                yield _sample(row, names, *image(row), number)
                number += 1


def _names(found: Any) -> list[str]:
    from datasets import Features

    return list(Features.from_arrow_schema(found)["label"].names)


def _sample(row: Row, names: Sequence[str], name: str, content: bytes, number: int) -> TarSample:
    """A row as the files that the sample has in a tar; its offset is its number among the rows read."""
    fields: Mapping[str, Any] = {field: row[field] for field in field_types()} | {"label": names[row["label"]]}
    record = Record(**fields)
    files = {name.rpartition(".")[2]: content, "cls": str(row["label"]).encode(), "json": record.to_json()}
    return TarSample(record.key, files, number, 0)
