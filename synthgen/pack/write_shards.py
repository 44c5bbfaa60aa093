"""Writes the parts of a dataset, here or in processes of their own; a part counts once its receipt is there."""

import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path

from synthgen.core import atomic, processes
from synthgen.core.hashing import sha256_file
from synthgen.errors import SynthgenError
from synthgen.pack import formats, metadata, read_sample
from synthgen.pack.read_sample import PackedRecord
from synthgen.pack.scratch import PackJob
from synthgen.pack.shard_plan import Part
from synthgen.pack.shuffled_order import Order
from synthgen.plan.manifest.schema import LAYOUTS


@dataclass(frozen=True, slots=True)
class PackedShard:
    """One shard of the dataset.

    Attributes:
        path: Its path in the folder, or the pattern of its folders.
        samples: How many samples it holds.
        size: The bytes of its file, or of its images.
        sha256: Of its file; empty where its images are files of their own.
    """

    path: str
    samples: int
    size: int
    sha256: str = ""


def write_all(job: PackJob, parts: Sequence[Part], workers: int) -> Iterator[PackedShard]:
    """Every shard of the dataset, in order; each is written where it is not there yet."""
    if workers == 1:
        yield from (write_one(job, part) for part in parts)
        return
    waiting: deque[Future[PackedShard]] = deque()
    with processes.pool(workers) as pool:
        for part in parts:
            waiting.append(pool.submit(write_one, job, part))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def write_one(job: PackJob, part: Part) -> PackedShard:
    """The shard that a part becomes; it is written, its receipt last, or its receipt read where that is there.

    Raises:
        DamagedError: A sample is not what the run wrote.
        SynthgenError: A plug-in wrote no file where it said that the part lies.
    """
    receipt = job.scratch.receipt(part.name)
    if receipt is not None:
        return PackedShard(**receipt)
    layout, sizes = formats.find(job.layout), Counter[str]()
    with Order(job.scratch.order, job.root) as order:
        samples = (
            read_sample.read(stored, job.labels, job.names, private=job.private)
            for stored in order.samples(part.first, part.count)
        )
        metadata.write_part(job.scratch.rows(part.name), part, layout.write(job, part, _adding_up(samples, sizes)))
    path = layout.shard(part)
    shard = PackedShard(path, part.count, sizes["images"])
    if job.layout not in LAYOUTS and not (job.scratch.dataset / path).is_file():
        raise SynthgenError(f"format {job.layout}: wrote no file {path}")
    if (job.scratch.dataset / path).is_file():
        shard = PackedShard(path, part.count, *size_and_sha256(job.scratch.dataset / path))
    atomic.write(job.scratch.state / f"{part.name}.json", json.dumps(asdict(shard)).encode())
    return shard


def size_and_sha256(path: Path) -> tuple[int, str]:
    """The size and sha256 of a file."""
    return path.stat().st_size, sha256_file(path)


def _adding_up(samples: Iterator[PackedRecord], sizes: Counter[str]) -> Iterator[PackedRecord]:
    """The same samples, the bytes of their images and label maps added up."""
    for one in samples:
        sizes["images"] += len(one.image) + len(one.mask)
        yield one
