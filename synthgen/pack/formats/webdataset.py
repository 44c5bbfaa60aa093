"""WebDataset tars: the raw blocks of each sample, one after the other."""

import os
from collections.abc import Iterator

from synthgen.core import atomic
from synthgen.pack.read_sample import PackedRecord, Placed
from synthgen.pack.scratch import PackJob
from synthgen.pack.shard_plan import Part
from synthgen.runs import tar_samples


def shard(part: Part) -> str:
    """The path of a part's tar."""
    return f"data/{part.name}.tar"


def pattern(split: str) -> str:
    """The paths of a split's tars, as `datasets` takes them."""
    return f"data/{split}-*.tar"


def write(job: PackJob, part: Part, samples: Iterator[PackedRecord]) -> Iterator[Placed]:
    """Write a part's tar; yields where each sample lies in it."""
    name, offset = shard(part), 0
    scratch = job.scratch.state / f".{part.name}"
    with atomic.naming(job.scratch.dataset / name), scratch.open("wb") as file:
        for sample in samples:
            file.write(sample.blocks)
            yield Placed(sample.record, name, offset)
            offset += len(sample.blocks)
        tar_samples.finish(file)
        file.flush()
        os.fsync(file.fileno())
    atomic.publish(scratch, job.scratch.dataset / name)
