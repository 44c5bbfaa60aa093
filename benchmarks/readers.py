"""Images a second of the readers that people train with, of one dataset as tars and as Parquet, in one run.

A dataset of images of noise (the strategy ``fake``) is made and packed in both layouts. Each reader then
gives every image as decoded pixels, as uint8 arrays, in a process of its own, once to warm up and then so many times:

* ``datasets, map``       `datasets.load_dataset`, row by row from its Arrow cache, which the warming up has written;
* ``datasets, stream``    the same with ``streaming=True``, from the files of the dataset;
* ``webdataset``          `webdataset.WebDataset`, of tars alone;
* ``litdata``             `litdata.StreamingDataset`, of Parquet alone;
* ``fiftyone``            `fiftyone.Dataset`, of image folders alone: the files of its samples, opened by Pillow;
* ``DataLoader, N``       torch's DataLoader with N workers, around each of these but FiftyOne.

A reader that is not installed is a row that says so.

Run with ``python benchmarks/readers.py``; with ``--images 5000 --side 512`` for others.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MANIFEST = """
name: readers
seed: 1
labels: {psoriasis: psoriasis, melanoma: melanoma}
skin_tones: {scale: fitzpatrick, values: [1, 2, 3, 4, 5, 6]}
generate: [{strategy: fake, total: %d, settings: {height: %d, width: %d}}]
pack: {images_per_shard: %d}
"""
READERS = {  # by the layouts that each opens
    "datasets, map": ("webdataset", "parquet"),
    "datasets, stream": ("webdataset", "parquet"),
    "webdataset": ("webdataset",),
    "litdata": ("parquet",),
    "fiftyone": ("imagefolder",),
}
LAYOUTS = ("webdataset", "parquet", "imagefolder")
NOT_INSTALLED = "not installed"


def make(folder: Path, images: int, side: int) -> int:
    """Child: make and pack the dataset in both layouts; gives the bytes of its tars."""
    import yaml

    from synthgen import study

    manifest = yaml.safe_load(MANIFEST % (images, side, side, -(-images // 4)))
    list(study.generate(manifest, folder / "run"))
    for layout in LAYOUTS:
        list(study.pack(folder / "run", folder / layout, format=layout))
    return sum(path.stat().st_size for path in (folder / "webdataset").glob("data/*.tar"))


def array(row: Any) -> Any:
    """The pixels of a row, whatever its reader calls them."""
    import numpy as np

    image = next(row[name] for name in ("image", "jpg") if name in row)
    return np.asarray(image)


def opened(reader: str, folder: Path) -> Any:
    """The dataset in a reader, whose rows are pixels."""
    if reader == "webdataset":
        import webdataset

        tars = sorted(map(str, folder.glob("data/*.tar")))
        return webdataset.WebDataset(tars, shardshuffle=False).decode("pil").map(array)
    if reader == "litdata":
        return in_litdata(folder)
    if reader == "fiftyone":
        return in_fiftyone(folder)
    import datasets

    datasets.disable_progress_bars()
    streaming = reader.endswith("stream")
    found = datasets.load_dataset(str(folder), split="train", streaming=streaming)
    return found.map(lambda row: {"pixels": array(row)}).select_columns("pixels") if streaming else Rows(found)


def in_litdata(folder: Path) -> Any:
    """The Parquet files in LitData, whose index is written beside them."""
    import io

    import litdata
    from litdata.streaming.item_loader import ParquetLoader
    from PIL import Image

    litdata.index_parquet_dataset(str(folder / "data"))

    class Pixels(litdata.StreamingDataset):  # type: ignore[misc]
        def __getitem__(self, index: Any) -> Any:
            row = super().__getitem__(index)
            image = next(value for value in row if isinstance(value, dict) and "bytes" in value)
            return array({"image": Image.open(io.BytesIO(image["bytes"]))})

    return Pixels(str(folder / "data"), item_loader=ParquetLoader())


def in_fiftyone(folder: Path) -> Any:
    """The image files in FiftyOne."""
    import fiftyone
    from PIL import Image

    dataset = fiftyone.Dataset.from_images_dir(str(folder / "data" / "train"), recursive=True)
    return (array({"image": Image.open(sample.filepath)}) for sample in dataset)


class Rows:
    """A dataset whose rows are pixels, decoded when they are asked for."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, number: int) -> Any:
        return array(self.found[number])


def loaded(data: Any, workers: int) -> Iterable[Any]:
    """The same through torch's DataLoader; as it is without workers."""
    if not workers:
        return (data[number] for number in range(len(data))) if isinstance(data, Rows) else data
    from torch.utils.data import DataLoader

    return DataLoader(data, batch_size=32, num_workers=workers, collate_fn=list)


def count(batches: Iterable[Any]) -> int:
    """How many images come."""
    return sum(len(batch) if isinstance(batch, list) else 1 for batch in batches)


def read(folder: Path, reader: str, workers: int, rounds: int) -> list[float]:
    """Child: images a second of each round after the first."""
    data, rates = opened(reader, folder), []
    for turn in range(rounds + 1):
        data = opened(reader, folder) if reader == "fiftyone" else data  # a generator, which ends
        began = time.perf_counter()
        images = count(loaded(data, workers))
        if turn:
            rates.append(images / (time.perf_counter() - began))
    return rates


def child(*arguments: object, cache: Path) -> Any:
    """Run this file in a process of its own; returns what it printed."""
    environment = os.environ | {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout)


def installed(reader: str) -> bool:
    """Whether a reader's package is here."""
    return importlib.util.find_spec(reader.partition(",")[0]) is not None


def rows(folder: Path, workers: int, rounds: int) -> Iterator[tuple[str, str, int, float | None]]:
    """Layout, reader, workers and the median rate of each that there is; ``None`` of one that is not installed."""
    for layout in LAYOUTS:
        for reader in (name for name, layouts in READERS.items() if layout in layouts):
            if not installed(reader):
                yield layout, reader, 0, None
                continue
            for number in (0,) if reader == "fiftyone" else (0, workers):
                rates = child("read", folder / layout, reader, number, rounds, cache=folder / "cache")
                yield layout, reader, number, statistics.median(rates)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="images a second of readers")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        what, folder, *rest = arguments.child
        if what == "make":
            print(json.dumps(make(Path(folder), int(rest[0]), int(rest[1]))))
        else:
            print(json.dumps(read(Path(folder), rest[0], int(rest[1]), int(rest[2]))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = child("make", folder, arguments.images, arguments.side, cache=folder / "cache")
        print(f"{arguments.images:,} images of {arguments.side} pixels, {size / arguments.images / 1000:.0f} kB each\n")
        print("| layout | reader | DataLoader workers | images/s |\n|---|---|---:|---:|")
        for layout, reader, workers, rate in rows(folder, arguments.workers, arguments.rounds):
            said = NOT_INSTALLED if rate is None else f"{rate:,.0f}"
            print(f"| {layout} | {reader} | {workers or '-'} | {said} |", flush=True)


if __name__ == "__main__":
    main()
