"""Parquet shards with the image in the row, and with the features that `datasets` reads from them."""

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

from synthgen.core import atomic
from synthgen.errors import InputError
from synthgen.pack.read_sample import PackedRecord, Placed
from synthgen.pack.scratch import PackJob
from synthgen.pack.shard_plan import Part
from synthgen.runs import parquet_samples

_IMAGES = ("image", parquet_samples.MASK_COLUMN)
_FIRST_THAT_CHUNKS = 21


def shard(part: Part) -> str:
    """The path of a part's Parquet file."""
    return f"data/{part.name}.parquet"


def pattern(split: str) -> str:
    """The paths of a split's Parquet files, as `datasets` takes them."""
    return f"data/{split}-*.parquet"


def write(job: PackJob, part: Part, samples: Iterator[PackedRecord]) -> Iterator[Placed]:
    """Write a part's Parquet file, so many rows at a time; yields the number of each sample's row."""
    import pyarrow
    import pyarrow.parquet

    name, offset = shard(part), 0
    schema = parquet_samples.schema(job.labels, images=True, masks=job.masks)
    columns = [column for column in schema.names if column not in _IMAGES]
    images = [f"{name}.{part}" for name in _IMAGES if name in schema.names for part in ("bytes", "path")]
    compression = dict.fromkeys(columns, "zstd") | dict.fromkeys(images, "none")  # images are compressed themselves
    scratch = job.scratch.state / f".{part.name}"
    with atomic.naming(job.scratch.dataset / name), scratch.open("wb") as file:
        with pyarrow.parquet.ParquetWriter(
            file, schema, compression=compression, use_dictionary=columns, write_page_index=True, **_chunking(job)
        ) as writer:
            while rows := list(itertools.islice(samples, parquet_samples.ROWS)):
                writer.write_table(_table(rows, schema))
                for sample in rows:
                    yield Placed(sample.record, name, offset)
                    offset += 1
        file.flush()
        os.fsync(file.fileno())
    atomic.publish(scratch, job.scratch.dataset / name)


def _chunking(job: PackJob) -> dict[str, bool]:
    """What asks the writer for pages that end where the content says, so that what is the same is sent once.

    Raises:
        InputError: This pyarrow can't.
    """
    if not job.content_defined_chunking:
        return {}
    import pyarrow

    if int(pyarrow.__version__.partition(".")[0]) < _FIRST_THAT_CHUNKS:
        raise InputError(
            f"pack.content_defined_chunking: needs pyarrow {_FIRST_THAT_CHUNKS} or later, here is {pyarrow.__version__}"
            "; install it, or set content_defined_chunking: false"
        )
    return {"use_content_defined_chunking": True}


def _table(samples: Sequence[PackedRecord], schema: Any) -> Any:
    import pyarrow

    columns = parquet_samples.columns([sample.record for sample in samples])
    columns["image"] = [{"bytes": sample.image, "path": sample.name} for sample in samples]
    masks = ({"bytes": sample.mask, "path": sample.mask_name} if sample.mask else None for sample in samples)
    columns[parquet_samples.MASK_COLUMN] = list(masks)
    return pyarrow.Table.from_pydict({name: columns[name] for name in schema.names}, schema=schema)
