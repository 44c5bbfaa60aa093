"""The README's table of readers is what the readers did: each opened one dataset, and what it gave was compared."""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas
import pytest
import webdataset

from synthgen import study
from synthgen.plan.sample import Record
from synthgen.runs import tar_samples

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- readers: made by `make golden` -->\n", "<!-- /readers -->"
Seen = tuple[str, str, str, str]  # key, label, skin tone, sha256 of the image's bytes


@pytest.fixture(scope="module")
def run(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of 24 images and its dataset of three tars."""
    root = tmp_path_factory.mktemp("readers")
    plan = make_plan(output={"image_format": "jpeg", "shard_samples": 5}, pack={"images_per_shard": 8})
    make_images(plan, root / "run")
    list(study.pack(root / "run", root / "dataset"))
    return root


def by_datasets(folder: Path, *, streaming: bool = False) -> Iterator[Seen]:
    """The Hugging Face library; the class is a name, its number resolved by the dataset's own features."""
    import datasets

    datasets.disable_progress_bars()
    cache = str(folder.parent / "cache")
    found = datasets.load_dataset(str(folder), split="train", streaming=streaming, cache_dir=cache)
    names = found.features["cls"].names
    for row in found.cast_column("jpg", datasets.Image(decode=False)):
        image = hashlib.sha256(row["jpg"]["bytes"]).hexdigest()
        yield row["__key__"], names[row["cls"]], row["json"]["skin_tone"], image


def by_datasets_streaming(folder: Path) -> Iterator[Seen]:
    """The Hugging Face library, nothing stored."""
    yield from by_datasets(folder, streaming=True)


def by_webdataset(folder: Path) -> Iterator[Seen]:
    """webdataset, undecoded; the class's name is in the record."""
    for path in sorted(map(str, folder.glob("data/*.tar"))):
        with closing(webdataset.WebDataset(path, shardshuffle=False)) as samples:
            for sample in samples:
                record, image = json.loads(sample["json"]), hashlib.sha256(sample["jpg"]).hexdigest()
                yield Path(sample["__key__"]).name, record["label"], record["skin_tone"], image


def by_tarfile(folder: Path) -> Iterator[Seen]:
    """Python alone."""
    for path in sorted(folder.glob("data/*.tar")):
        with tarfile.open(path) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
        for name in (name for name in files if name.endswith(".json")):
            key = name.removesuffix(".json")
            record, image = json.loads(files[name]), hashlib.sha256(files[f"{key}.jpg"]).hexdigest()
            yield key, record["label"], record["skin_tone"], image


def by_pandas(folder: Path) -> Iterator[Seen]:
    """The table of records; an image is read where its row says that it lies."""
    for row in pandas.read_parquet(folder / "metadata.parquet").itertuples():
        with (folder / row.shard).open("rb") as file:
            file.seek(row.offset)
            with tarfile.open(fileobj=file, mode="r|") as tar:
                members = ((member.name, tar.extractfile(member)) for member in tar)
                content = next(part.read() for name, part in members if part and name == f"{row.key}.jpg")
        yield row.key, row.label, row.skin_tone, hashlib.sha256(content).hexdigest()


READERS: dict[str, Callable[[Path], Iterator[Seen]]] = {
    '`datasets`: `load_dataset("runs/quickstart/dataset")`': by_datasets,
    "`datasets`, `streaming=True`": by_datasets_streaming,
    '`webdataset`: `WebDataset("data/train-{00000..00002}-of-00003.tar")`': by_webdataset,
    "Python's `tarfile`": by_tarfile,
    '`pandas`: `read_parquet("metadata.parquet")`, then `shard` and `offset`': by_pandas,
}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset leaves tars to the garbage collector
def test_the_readmes_table(run: Path, request: pytest.FixtureRequest) -> None:
    """Every reader gives every image, label and skin tone, and bytes of the sha256 that was recorded."""
    stored = [
        Record.from_json(one.files["json"])
        for path in sorted((run / "run").rglob("*.tar"))
        for one in tar_samples.read(path)
    ]
    made = sorted((one.key, one.label, one.skin_tone, one.image_sha256) for one in stored)
    lines = ["| reader | images | labels | skin tones | sha256 of the images |", "|---|---|---|---|---|"]
    for name, read in READERS.items():
        columns = zip(zip(*made, strict=True), zip(*sorted(read(run / "dataset")), strict=True), strict=True)
        lines.append(f"| {name} | {' | '.join('equal' if one == other else 'differ' for one, other in columns)} |")
    table = "\n".join(lines) + "\n"
    assert "differ" not in table
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    held, _, after = rest.partition(END)
    if request.config.getoption("--rewrite-golden"):
        README.write_text(f"{before}{BEGIN}{table}{END}{after}", encoding="utf-8")
    else:
        assert held == table, "the README's table of readers is not what was read; run `make golden`"
