"""What of a dataset is sent again after it has grown: as tars, as Parquet, and with content-defined chunks.

The Hub's storage (Xet) cuts files into chunks where their content says and takes each chunk once
(https://huggingface.co/docs/hub/xet/deduplication): about 64 KiB, from 8 to 128. Here the same is done to what
`pack`'s formats write: a chunk ends where 16 bits of a rolling hash of the last 64 bytes are zero. Its hash table is
another than Xet's, so numbers are near theirs and not the same to the byte.

Images are random bytes of the sizes of JPEGs, which compress as little. Each dataset is shuffled by a hash of the key,
as `pack` does, so what is new lies between what was there. Run with ``python benchmarks/sent_again.py``.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALLEST, LARGEST, BITS = 8 << 10, 128 << 10, 16
KINDS = {
    "tars": ("webdataset", False),
    "Parquet": ("parquet", False),
    "Parquet, content-defined chunks": ("parquet", True),
}


@dataclass(frozen=True)
class Version:
    """One state of a dataset.

    Attributes:
        name: What has happened to it.
        keys: The numbers of its images.
        prompt: What is in front of each prompt.
    """

    name: str
    keys: tuple[int, ...]
    prompt: str = "A photo of"


def versions(images: int) -> list[Version]:
    """The dataset as it was first, and what may become of it."""
    old = tuple(range(images))
    dropped = tuple(number for number in old if number % 20)
    return [
        Version("first", old),
        Version("10 % more images", (*old, *range(images, images + images // 10))),
        Version("5 % rejected", dropped),
        Version("all prompts in other words", old, "A picture of"),
    ]


def records(version: Version, size: int) -> Iterator[Any]:
    """The samples in the order of the dataset."""
    from synthgen.pack.read_sample import PackedRecord
    from synthgen.plan.sample import Record, field_types
    from synthgen.runs import tar_samples

    empty = {name: kind() for name, kind in field_types().items()}
    order = sorted(version.keys, key=lambda number: hashlib.sha256(str(number).encode()).digest())
    for number in order:
        random = np.random.default_rng(number)
        image = random.bytes(int(size * random.lognormal(0, 0.3)))
        key, prompt = f"text-{number:07d}", f"{version.prompt} psoriasis on the arm, Fitzpatrick skin type {number % 6}"
        record = replace(
            Record(**empty),
            key=key,
            label="psoriasis",
            prompt=prompt,
            seed=int(random.integers(2**62)),
            image_sha256=hashlib.sha256(image).hexdigest(),
        )
        files = {"jpg": image, "json": record.to_json(), "cls": b"0"}
        yield PackedRecord(record, tar_samples.pack(key, files), f"{key}.jpg", image)


def write(folder: Path, version: Version, kind: str, size: int, per_shard: int) -> Iterator[Path]:
    """Write the data of a dataset as `pack` does; gives each shard."""
    from synthgen.pack import formats
    from synthgen.pack.scratch import PackJob, Scratch
    from synthgen.pack.shard_plan import Part

    layout, chunked = KINDS[kind]
    scratch = Scratch(folder, folder)
    scratch.prepare()
    job = PackJob(scratch, folder, layout, ("psoriasis",), content_defined_chunking=chunked)
    samples, images = records(version, size), len(version.keys)
    of = -(-images // per_shard)
    for number in range(of):
        first, last = images * number // of, images * (number + 1) // of
        part = Part("train", number, of, first, last - first)
        held = (next(samples) for _ in range(part.count))
        for _ in formats.find(layout).write(job, part, held):
            pass
        yield scratch.dataset / formats.find(layout).shard(part)


def chunks(content: NDArray[np.uint8]) -> Iterator[bytes]:
    """The chunks of a file.

    The gear hash of the last 64 bytes, ``h(i) = 2 h(i - 1) + table[byte i]`` modulo 2^64, of all places at once: that
    of twice as many bytes is the sum of two.
    """
    table = np.random.default_rng(0).integers(0, 2**64, 256, dtype=np.uint64)
    rolling = table[content]
    for step in (1, 2, 4, 8, 16, 32):
        rolling[step:] = rolling[step:] + (rolling[:-step] << np.uint64(step))
    ends = np.flatnonzero(rolling >> np.uint64(64 - BITS) == 0) + 1
    del rolling
    start, data = 0, content.tobytes()
    while start < len(data):
        found = np.searchsorted(ends, start + SMALLEST)
        stop = int(ends[found]) if found < len(ends) else len(data)
        stop = min(stop, start + LARGEST, len(data))
        yield data[start:stop]
        start = stop


def sizes_of(shards: Iterator[Path]) -> dict[bytes, int]:
    """The size of each different chunk of all shards, by its digest; a shard is removed once it is read."""
    found = {}
    for path in shards:
        for chunk in chunks(np.fromfile(path, np.uint8)):
            found[hashlib.blake2b(chunk, digest_size=16).digest()] = len(chunk)
        path.unlink()
    return found


def measure(images: int, size: int, per_shard: int) -> list[dict[str, Any]]:
    """For each kind and each later version: its bytes, and those of chunks that the first version had not."""
    rows = []
    for kind in KINDS:
        held: dict[bytes, int] = {}
        for version in versions(images):
            with tempfile.TemporaryDirectory() as folder:
                found = sizes_of(write(Path(folder) / "d", version, kind, size, per_shard))
            new = sum(length for digest, length in found.items() if digest not in held)
            total = sum(found.values())
            if version.name == "first":
                held = found
            else:
                rows.append({"kind": kind, "version": version.name, "bytes": total, "sent": new, "share": new / total})
    return rows


def main() -> None:
    """Measure and print, as a table or as JSON."""
    parser = argparse.ArgumentParser(description="bytes of a grown dataset that are sent again")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=40_000, help="bytes of an image, about")
    parser.add_argument("--per-shard", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.images, arguments.size, arguments.per_shard)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print("| layout | what happened | MB in all | MB sent again | share |\n|---|---|---:|---:|---:|")
    for row in rows:
        numbers = f"{row['bytes'] / 1e6:.1f} | {row['sent'] / 1e6:.1f} | {row['share']:.0%}"
        print(f"| {row['kind']} | {row['version']} | {numbers} |")


if __name__ == "__main__":
    main()
