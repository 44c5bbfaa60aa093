"""Datasets of every layout are published, and read back from the Hub by `datasets` and pandas."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Publish, last
from hub import Hub

from synthgen import study

READ = """
import json
import datasets, pandas

def keys(**options):
    found = datasets.load_dataset("org/name", **options)
    return {name: sorted(row["key"] for row in split) for name, split in found.items()}, \
        next(iter(found.values())).features["label"].names, next(iter(found["train"]))["image"].size

table = pandas.read_parquet("hf://datasets/org/name/metadata.parquet")
print(json.dumps([keys(), keys(streaming=True), {name: sorted(part["key"]) for name, part in table.groupby("split")}]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["parquet", "imagefolder"])
def test_it_is_read_back_from_the_hub(
    layout: str, hub: Hub, publish: Publish, two_splits: Path, outside: Callable[..., Any]
) -> None:
    """`load_dataset("org/name")` gives images, class names and splits, whole and streaming; again sends nothing."""
    dataset = two_splits.with_name("dataset")
    list(study.pack(two_splits, dataset, format=layout))
    publish(dataset)
    done = outside("-c", READ)
    assert done.returncode == 0, done.stderr
    whole, streamed, table = json.loads(done.stdout.splitlines()[-1])
    assert whole == streamed == [table, ["psoriasis", "healthy"], [32, 32]]
    assert set(table) == {"train", "test"}
    assert last(publish(dataset)).commits == 0


@pytest.fixture
def two_splits(make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path) -> Path:
    """A run of 24 images in two splits."""
    pack = {"images_per_shard": 8, "splits": {"train": 0.7, "test": 0.3}}
    make_images(make_plan(pack=pack, publish={"license": "openrail"}), tmp_path / "run")
    return tmp_path / "run"
