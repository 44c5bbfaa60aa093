"""What the loop around a model costs: images a CPU second beside the bare encoder and webdataset's ShardWriter.

A strategy that hands out prepared pixels takes the model's place. Three ways take the same pixels, each in a process of
its own and in turns, encode in as many threads as ``generate`` does (two threads on one core's two halves cost each
other CPU seconds), and count the CPU seconds of all:

* ``encode``    Pillow's encoder by itself, at the options that ``generate`` writes with; its bytes are thrown away;
* ``webdataset``  the same, and ``webdataset.ShardWriter`` puts the bytes with a JSON and a class into tars;
* ``generate``  ``synthgen.generate``: encodes, hashes, writes, flushes to disk, reads back, compares, and receipts;
                start-up and imports are left out.

CPU seconds, since another program on the machine changes them little. Run with ``python benchmarks/harness.py``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

WAYS = ("encode", "webdataset", "generate")
FORMATS = ("png", "webp", "jpeg")
POOL = 32
BEGAN = "HARNESS_BEGAN"  # where the strategy leaves the CPU seconds at its first batch
# Prepared pixels in place of a model: a strategy of one's own, as docs/plugins/strategy.md tells.
STRATEGY = '''
import dataclasses
import os
import time
import numpy as np
from synthgen.diffusion.maker import MadeImages
from synthgen.diffusion.strategies import fake

POOL = np.load({pool!r})


class Settings(fake.Settings):
    """A size."""


def environment(recipe, request, shard_samples):
    return dataclasses.replace(fake.environment(recipe, request, shard_samples), batch_size=16)


def maker(recipe, environment, start_image=None):
    return make


def make(samples, *, precise=False):
    os.environ.setdefault({began!r}, str(time.process_time()))
    pixels = POOL[[sample.index % len(POOL) for sample in samples]]
    return MadeImages(pixels, np.ones(len(samples), bool))
'''
MANIFEST = """
name: harness
seed: 1
labels: {{psoriasis: psoriasis, melanoma: melanoma}}
skin_tones: {{scale: fitzpatrick, values: [1, 2, 3, 4, 5, 6]}}
plugins: {{strategies: {{prepared: prepared.py}}}}
generate: [{{strategy: prepared, total: {images}, settings: {{height: {side}, width: {side}}}}}]
output: {{image_format: {image_format}, shard_samples: 64}}
"""


def prepare(path: Path, side: int) -> None:
    """Write pixels with the detail of a photograph: drawn skin, enlarged, with the grain of a camera."""
    import numpy as np
    from PIL import Image

    from synthgen.phantom import render

    names = ["psoriasis", "melanoma", "vitiligo", "healthy"]
    drawn = render.render([names[i % 4] for i in range(POOL)], [i % 6 + 1 for i in range(POOL)], site="b", seed=1)
    rng = np.random.default_rng(1)
    large = [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in drawn.images]
    grainy = np.stack(large) + rng.normal(0, 3, (POOL, side, side, 3))
    np.save(path, np.clip(np.rint(grainy), 0, 255).astype(np.uint8))


def encoded(pool: Any, images: int, encoding: Any) -> Iterator[bytes]:
    """The bytes of so many images, by as many threads as ``generate`` encodes in."""
    from synthgen.generate.worker import ENCODERS
    from synthgen.vision.images import codec

    with ThreadPoolExecutor(ENCODERS) as threads:
        for start in range(0, images, POOL):
            pixels = pool[: min(POOL, images - start)]
            yield from threads.map(lambda one: codec.encode(one, encoding), pixels)


def encode(pool: Any, images: int, image_format: str) -> tuple[int, float]:
    """Images and CPU seconds of the encoder by itself."""
    from synthgen.vision.images import codec

    encoding = codec.Encoding(image_format)
    codec.encode(pool[0], encoding)
    cpu = time.process_time()
    deque(encoded(pool, images, encoding), maxlen=0)
    return images, time.process_time() - cpu


def webdataset(pool: Any, images: int, image_format: str, folder: Path) -> tuple[int, float]:
    """The same of webdataset's writer, which gets encoded bytes."""
    from webdataset import ShardWriter

    from synthgen.vision.images import codec

    encoding = codec.Encoding(image_format)
    codec.encode(pool[0], encoding)
    cpu = time.process_time()
    with ShardWriter(f"{folder}/%05d.tar", maxcount=64, verbose=0) as writer:
        for number, content in enumerate(encoded(pool, images, encoding)):
            told = {"label": "psoriasis", "seed": number, "prompt": "An image of psoriasis"}
            writer.write({"__key__": f"{number:08}", encoding.extension: content, "json": told, "cls": 0})
    return images, time.process_time() - cpu


def generate(images: int, manifest: Path, out: Path) -> tuple[int, float]:
    """The same of ``synthgen.generate``, from the first batch that is asked for to the last receipt."""
    import webdataset  # noqa: F401 - imports torch, which is no image's cost

    import synthgen

    made = sum(len(receipt.samples) for receipt in synthgen.generate(manifest, out))
    cpu = time.process_time()
    if made != images:
        raise RuntimeError(f"{made} images, not {images}")
    return made, cpu - float(os.environ[BEGAN])


def measure(way: str, folder: Path, images: int, image_format: str, side: int) -> tuple[int, float]:
    """Child: one way, once."""
    import numpy as np

    pool = np.load(folder / "pool.npy")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if way == "encode":
            return encode(pool, images, image_format)
        if way == "webdataset":
            return webdataset(pool, images, image_format, Path(scratch))
        manifest = Path(scratch) / "harness.yaml"
        manifest.write_text(MANIFEST.format(images=images, side=side, image_format=image_format), encoding="utf-8")
        text = STRATEGY.format(pool=str(folder / "pool.npy"), began=BEGAN)
        (Path(scratch) / "prepared.py").write_text(text, encoding="utf-8")
        return generate(images, manifest, Path(scratch) / "run")


def main() -> None:
    """Prepare pixels, measure every way in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=640, help="images a way and format")
    parser.add_argument("--side", type=int, default=512, help="their height and width")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; the median counts")
    parser.add_argument("--child", nargs=3, metavar=("WAY", "FOLDER", "FORMAT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        way, folder, image_format = arguments.child
        print(json.dumps(measure(way, Path(folder), arguments.images, image_format, arguments.side)))
        return
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder) / "pool.npy", arguments.side)
        for _ in range(arguments.rounds):
            for image_format in FORMATS:
                for way in WAYS:
                    told = ["--images", str(arguments.images), "--side", str(arguments.side)]
                    command = [sys.executable, __file__, *told, "--child", way, folder, image_format]
                    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                    images, cpu = json.loads(answer.splitlines()[-1])
                    found[image_format, way].append(images / cpu)
    size = f"{arguments.side} x {arguments.side}"
    print(f"{arguments.images} images of {size}, median of {arguments.rounds}: images a CPU second")
    print(f"{'format':8}{'encode':>10}{'webdataset':>12}{'generate':>10}{'of encode':>11}{'of webdataset':>15}")
    for image_format in FORMATS:
        bare, usual, ours = (statistics.median(found[image_format, way]) for way in WAYS)
        rates = f"{bare:10.1f}{usual:12.1f}{ours:10.1f}"
        print(f"{image_format:8}{rates}{ours / bare:11.2f}{ours / usual:15.2f}")


if __name__ == "__main__":
    main()
