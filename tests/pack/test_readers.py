"""A packed dataset opens in the readers that people use, and every one of them reads what was generated."""

import gc
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import webdataset
from PIL import Image

from synthgen import study
from synthgen.plan.sample import Record
from synthgen.runs import tar_samples
from synthgen.vision.images.codec import EXTENSIONS

# webdataset leaves the tars that it read to the garbage collector; such a test collects them itself, under this mark.
leaves_files_open = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@dataclass(frozen=True)
class Packed:
    """A dataset, and what was generated for it: record and image bytes by key."""

    folder: Path
    extension: str
    generated: dict[str, tuple[Record, bytes]]

    @property
    def shards(self) -> list[str]:
        """The paths of its tars."""
        return sorted(map(str, self.folder.glob("data/*.tar")))


@pytest.fixture(scope="module", params=["jpeg", "png", "webp"])
def packed(
    request: pytest.FixtureRequest,
    make_plan: Callable[..., Any],
    make_images: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Packed:
    """A dataset of 24 images in three tars, in each image format."""
    root = tmp_path_factory.mktemp(request.param)
    plan = make_plan(output={"image_format": request.param, "shard_samples": 5}, pack={"images_per_shard": 8})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        make_images(plan, root / "run")
        list(study.pack(root / "run", root / "dataset"))
    extension = EXTENSIONS[request.param]
    stored = [one for path in (root / "run").rglob("*.tar") for one in tar_samples.read(path)]
    generated = {one.key: (Record.from_json(one.files["json"]), one.files[extension]) for one in stored}
    return Packed(root / "dataset", extension, generated)


def load(packed: Packed, cache: Path, **options: Any) -> Any:
    """Open the folder as a user does, in a cache of its own."""
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset(str(packed.folder), split="train", cache_dir=str(cache), **options)


def check_rows(rows: list[dict[str, Any]], packed: Packed) -> None:
    """Every row is what was generated under its key: label, tone, class, all of the record, and the pixels."""
    assert sorted(row["__key__"] for row in rows) == sorted(packed.generated)
    for row in rows:
        record, content = packed.generated[row["__key__"]]
        assert Record(**row["json"]) == record
        assert row["cls"] == record.label_id
        with Image.open(io.BytesIO(content)) as image:
            assert np.array_equal(np.asarray(row[packed.extension].convert("RGB")), np.asarray(image.convert("RGB")))


def test_datasets_loads_the_folder(packed: Packed, tmp_path: Path) -> None:
    """`datasets.load_dataset(folder)` gives every image with its class and its record."""
    check_rows(list(load(packed, tmp_path)), packed)


def test_datasets_streams_the_folder(packed: Packed, tmp_path: Path) -> None:
    """Streaming gives the same as loading the whole."""
    check_rows(list(load(packed, tmp_path, streaming=True)), packed)


def test_datasets_knows_the_classes_by_name(packed: Packed, tmp_path: Path) -> None:
    """`cls` is a ClassLabel with the manifest's labels, so no reader has to guess what 0 is."""
    features = load(packed, tmp_path).features
    assert features["cls"].names == ["psoriasis", "healthy"]
    assert type(features[packed.extension]).__name__ == "Image"


def test_datasets_gives_the_very_bytes(packed: Packed, tmp_path: Path) -> None:
    """The image's bytes that come out of `datasets` have the sha256 of the record."""
    import datasets

    rows = load(packed, tmp_path).cast_column(packed.extension, datasets.Image(decode=False))
    found = {row["json"]["key"]: sha256(row[packed.extension]["bytes"]).hexdigest() for row in rows}
    assert found == {key: record.image_sha256 for key, (record, _) in packed.generated.items()}


def test_datasets_keeps_large_seeds(packed: Packed, tmp_path: Path) -> None:
    """Seeds pass 2^53 and come through as they were."""
    seeds = {row["json"]["key"]: row["json"]["seed"] for row in load(packed, tmp_path)}
    assert seeds == {key: record.seed for key, (record, _) in packed.generated.items()}
    assert max(seeds.values()) > 2**53


def test_datasets_shuffles_a_stream_across_tars(packed: Packed, tmp_path: Path) -> None:
    """A stream can be shuffled by tar and by buffer, and loses nothing."""
    rows = load(packed, tmp_path, streaming=True).shuffle(seed=1, buffer_size=4)
    assert sorted(row["__key__"] for row in rows) == sorted(packed.generated)


@leaves_files_open
def test_webdataset_reads_the_tars(packed: Packed) -> None:
    """`webdataset` decodes image, class and record of every sample."""
    reader = webdataset.WebDataset(packed.shards, shardshuffle=False).decode("pil")
    rows = [{**sample, "__key__": sample["__key__"].rpartition("/")[2]} for sample in reader]
    check_rows(rows, packed)
    del reader
    gc.collect()


@leaves_files_open
def test_webdataset_gives_the_very_bytes(packed: Packed) -> None:
    """Undecoded, every image has the sha256 of its record."""
    reader = webdataset.WebDataset(packed.shards, shardshuffle=False)
    for sample in reader:
        record = json.loads(sample["json"])
        assert sha256(sample[packed.extension]).hexdigest() == record["image_sha256"]
        assert int(sample["cls"]) == record["label_id"]
    del reader
    gc.collect()


def test_tarfile_reads_the_tars(packed: Packed) -> None:
    """Python's own tarfile finds three plain members a sample, side by side, with nobody's name or time on them."""
    names, kinds = [], set()
    for path in packed.shards:
        with tarfile.open(path) as tar:
            names += tar.getnames()
            kinds |= {(one.isreg(), one.mtime, one.uname, one.mode & 0o111) for one in tar.getmembers()}
    assert kinds == {(True, 0, "synthgen", 0)}
    keys = [name.partition(".")[0] for name in names[::3]]
    assert sorted(keys) == sorted(packed.generated)
    expected = [sorted(f"{key}.{extension}" for extension in ("cls", "json", packed.extension)) for key in keys]
    assert [sorted(names[first : first + 3]) for first in range(0, len(names), 3)] == expected


def test_pandas_reads_the_metadata(packed: Packed) -> None:
    """`metadata.parquet` in pandas has the record of every image, none null, integers as integers."""
    table = pandas.read_parquet(packed.folder / "metadata.parquet").set_index("key", drop=False)
    assert sorted(table.index) == sorted(packed.generated)
    assert not table.isna().any().any()
    assert str(table["seed"].dtype) == "int64"
    for key, (record, _) in packed.generated.items():
        assert {name: table.loc[key, name] for name in Record.__dataclass_fields__} == {
            name: getattr(record, name) for name in Record.__dataclass_fields__
        }


def test_pandas_finds_an_image_by_shard_and_offset(packed: Packed) -> None:
    """From a row's shard and offset an image is read without reading the tar before it."""
    row = pandas.read_parquet(packed.folder / "metadata.parquet").iloc[-1]
    with (packed.folder / row["shard"]).open("rb") as file:
        file.seek(int(row["offset"]))
        with tarfile.open(fileobj=file, mode="r|") as tar:
            found = {}
            for member in tar:
                if member.name.partition(".")[0] != row["key"]:
                    break
                content = tar.extractfile(member)
                assert content is not None
                found[member.name.partition(".")[2]] = content.read()
    assert sha256(found[packed.extension]).hexdigest() == row["image_sha256"]


def test_every_tar_alone_has_every_class(packed: Packed) -> None:
    """A reader of one tar sees both classes."""
    for path in packed.shards:
        assert {one.files["cls"] for one in tar_samples.read(Path(path))} == {b"0", b"1"}
