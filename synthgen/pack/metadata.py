"""``metadata.parquet``: the rows of each part are written with the part, and put together at the end."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from synthgen.core import atomic
from synthgen.pack.read_sample import Placed
from synthgen.pack.scratch import PackJob
from synthgen.pack.shard_plan import Part
from synthgen.plan.sample import field_types
from synthgen.runs import dataset_folder, parquet_samples

_ROWS = 5000  # rows a row group, at the most


def schema() -> Any:
    """The record's fields, none null, and where the sample lies."""
    import pyarrow

    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    fields = [pyarrow.field(name, kinds[kind], nullable=False) for name, kind in field_types().items()]
    place = [("split", pyarrow.string()), ("shard", pyarrow.string()), ("offset", pyarrow.int64())]
    return pyarrow.schema([*fields, *place])


def write_part(path: Path, part: Part, placed: Iterator[Placed]) -> None:
    """Write the rows of one part."""
    import pyarrow.parquet

    with atomic.naming(path), path.open("wb") as file:
        with pyarrow.parquet.ParquetWriter(file, schema(), compression="zstd") as writer:
            while rows := list(itertools.islice(placed, _ROWS)):
                writer.write_table(_table(rows, part))
        file.flush()
        os.fsync(file.fileno())


def write(job: PackJob, parts: Sequence[Part]) -> None:
    """Put the rows of all parts together, and list the images of each split where they are files."""
    _write(job, dataset_folder.METADATA, schema(), (table for part in parts for table in _read(job, part)))
    for split, name in listings(job, parts):
        schema_of_listing = parquet_samples.schema(job.labels, images=False, masks=job.masks)
        tables = (table for part in parts if part.split == split for table in _read(job, part))
        _write(job, name, schema_of_listing, (_listing_rows(table, split, schema_of_listing) for table in tables))


def listings(job: PackJob, parts: Iterable[Part]) -> list[tuple[str, str]]:
    """Each split, and the file that lists its images, where they are files of their own."""
    if job.layout != "imagefolder":
        return []
    return [(split, dataset_folder.listing(split)) for split in dict.fromkeys(part.split for part in parts)]


def _write(job: PackJob, name: str, schema: Any, tables: Iterator[Any]) -> None:
    import pyarrow.parquet

    scratch = job.scratch.state / ".metadata"
    with atomic.naming(job.scratch.dataset / name), scratch.open("wb") as file:
        with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)
        file.flush()
        os.fsync(file.fileno())
    atomic.publish(scratch, job.scratch.dataset / name)


def _read(job: PackJob, part: Part) -> Iterator[Any]:
    """The row groups of a part."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(job.scratch.rows(part.name)) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def _table(rows: Sequence[Placed], part: Part) -> Any:
    import pyarrow

    fields = {name: [getattr(row.record, name) for row in rows] for name in field_types()}
    place = {"split": [part.split] * len(rows), "shard": [r.shard for r in rows], "offset": [r.offset for r in rows]}
    return pyarrow.Table.from_pydict(fields | place, schema=schema())


def _listing_rows(table: Any, split: str, schema: Any) -> Any:
    """The rows of an image folder's listing: paths from its own folder, the class by its number."""
    import pyarrow

    begin = len(dataset_folder.listing(split)) - len(dataset_folder.METADATA)
    names = [path[begin:] for path in table["shard"].to_pylist()]
    found = {"file_name": pyarrow.array(names, pyarrow.string()), "label": table["label_id"]}
    if parquet_samples.MASK_FILE in schema.names:
        masks = [dataset_folder.mask_file(name) for name in names]
        found[parquet_samples.MASK_FILE] = pyarrow.array(masks, pyarrow.string())
    columns = [found[name] if name in found else table[name] for name in schema.names]
    return pyarrow.Table.from_arrays(columns, schema=schema)
