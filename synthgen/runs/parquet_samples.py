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
from synthgen.runs.tar_samples import MASK, TarSample

ROWS = 100  # rows a row group with images in it, as `datasets` itself writes them
_OTHERS = 10_000
MASK_COLUMN = "mask_image"  # of the label map; a record's ``mask`` says how it was drawn
MASK_FILE = f"{MASK_COLUMN}_file_name"  # `datasets` makes an image of it in a column without this ending
Row = dict[str, Any]


def schema(labels: Sequence[str], *, images: bool, masks: bool = False) -> Any:
    """The Arrow schema with the features that `datasets` reads from it.

    Args:
        labels: The class names in their order.
        images: Whether the image is in the row, or a file that ``file_name`` names.
        masks: Whether its label map is beside it, in ``mask_image`` or as a file that ``mask_image_file_name`` names.
    """
    from datasets import ClassLabel, Features, Image, Value

    kinds = {str: "string", int: "int64", float: "float64"}
    names = ("image", MASK_COLUMN) if images else ("file_name", MASK_FILE)
    first = {name: Image() if images else Value("string") for name in names[: 2 if masks else 1]}
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

    def content(row: Row, name: str) -> tuple[str, bytes]:
        return (row[name]["path"], row[name]["bytes"]) if row.get(name) else ("", b"")

    yield from _read(path, key, ROWS, lambda row: (content(row, "image"), content(row, MASK_COLUMN)))


def read_listing(path: Path, key: str = "") -> Iterator[TarSample]:
    """Every sample that a ``metadata.parquet`` beside image files lists, or the one with that key.

    Raises:
        DamagedError: It can't be read, lacks a column, or an image is gone.
    """

    def content(row: Row, column: str) -> tuple[str, bytes]:
        name = row.get(column)
        return (name, own_file(path.parent, name).read_bytes()) if name else ("", b"")

    yield from _read(path, key, _OTHERS, lambda row: (content(row, "file_name"), content(row, MASK_FILE)))


_Files = tuple[tuple[str, bytes], tuple[str, bytes]]  # name and content of the image, and of the label map


def _read(path: Path, key: str, rows: int, files: Callable[[Row], _Files]) -> Iterator[TarSample]:
    from pyarrow import parquet

    number = 0
    with table_file.reading(path), parquet.ParquetFile(path) as file:
        names = _names(file.schema_arrow)
        found = parquet.read_table(path, filters=[("key", "==", key)]).to_batches() if key else None
        for batch in file.iter_batches(batch_size=rows) if found is None else found:
            for row in batch.to_pylist():
                yield _sample(row, names, *files(row), number)
                number += 1


def _names(found: Any) -> list[str]:
    from datasets import Features

    return list(Features.from_arrow_schema(found)["label"].names)


def _sample(
    row: Row, names: Sequence[str], image: tuple[str, bytes], mask: tuple[str, bytes], number: int
) -> TarSample:
    """A row as the files that the sample has in a tar; its offset is its number among the rows read."""
    fields: Mapping[str, Any] = {field: row[field] for field in field_types()} | {"label": names[row["label"]]}
    record = Record(**fields)
    files = {image[0].rpartition(".")[2]: image[1], "cls": str(row["label"]).encode(), "json": record.to_json()}
    files |= {MASK: mask[1]} if mask[1] else {}
    return TarSample(record.key, files, number, 0)
