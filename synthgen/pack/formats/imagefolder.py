"""Image files in folders by label, each part in folders of its own, so that none grows without bound."""

import os
from collections.abc import Iterator
from pathlib import Path

from synthgen.core import atomic
from synthgen.pack.read_sample import PackedRecord, Placed
from synthgen.pack.scratch import PackJob
from synthgen.pack.shard_plan import Part


def shard(part: Part) -> str:
    """The folders of a part, one for each label."""
    return f"data/{part.split}/*/{part.number:05d}"


def pattern(split: str) -> str:
    """The paths of a split's image files, as `datasets` takes them."""
    return f"data/{split}/**"


def write(job: PackJob, part: Part, samples: Iterator[PackedRecord]) -> Iterator[Placed]:
    """Write a part's image files; yields the path of each."""
    made = set[Path]()
    for sample in samples:
        name = f"data/{part.split}/{sample.record.label}/{part.number:05d}/{sample.name}"
        path = job.scratch.dataset / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        with atomic.naming(path):
            path.write_bytes(sample.image)
            if sample.mask:
                path.with_name(sample.mask_name).write_bytes(sample.mask)
        yield Placed(sample.record, name, 0)
    if hasattr(os, "sync"):
        os.sync()  # once a part: an fsync a file would take longer than all the rest
