"""Parquet files and image folders hold what the tars hold, and every verb reads them."""

import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from synthgen import preview, study
from synthgen.errors import InputError
from synthgen.generate.reproduce import reproduce
from synthgen.pack import inventory, shard_plan, shuffle
from synthgen.pack.shuffled_order import Order
from synthgen.plan import packed_layout
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.sample import Record
from synthgen.publish.preflight import Preflight
from synthgen.runs import dataset_folder, tar_samples
from synthgen.runs.folders import open_folder
from synthgen.runs.verify import verify

LAYOUTS = ["parquet", "imagefolder"]


@pytest.fixture(scope="module")
def made(two_splits: Path) -> dict[str, tuple[Record, bytes]]:
    """Record and image by key, as the run holds them."""
    found = (one for path in two_splits.rglob("*.tar") for one in tar_samples.read(path))
    return {one.key: (Record.from_json(one.files["json"]), one.files["png"]) for one in found}


@pytest.fixture(scope="module", params=LAYOUTS)
def packed(request: Any, two_splits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset in one layout; nobody changes it."""
    out = tmp_path_factory.mktemp("packed") / request.param
    list(study.pack(two_splits, out, format=request.param))
    return out


@pytest.fixture
def dataset(packed: Path, tmp_path: Path) -> Path:
    """A copy of it to do things to."""
    return Path(shutil.copytree(packed, tmp_path / packed.name))


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_reads_what_was_made(packed: Path, made: Any, streaming: bool, tmp_path: Path) -> None:
    """`load_dataset(folder)` gives PIL images, class names, and every record's fields, split by split."""
    import datasets
    from PIL import Image

    found = datasets.load_dataset(str(packed), streaming=streaming, cache_dir=str(tmp_path))
    assert list(found) == ["train", "test"]
    keys = []
    for split in found.values():
        assert split.features["label"].names == ["psoriasis", "healthy"]
        assert isinstance(next(iter(split))["image"], Image.Image)
        for row in split.cast_column("image", datasets.Image(decode=False)):
            record, content = made[row["key"]]
            image = row["image"]["bytes"] or Path(row["image"]["path"]).read_bytes()
            assert image == content
            assert row["label"] == record.label_id
            assert (row["seed"], row["skin_tone"]) == (record.seed, record.skin_tone)
            keys.append(row["key"])
    assert sorted(keys) == sorted(made)


def test_the_same_run_gives_the_same_bytes(packed: Path, two_splits: Path, pack: Any, tree: Any) -> None:
    """Two packs are equal in every file."""
    assert tree(pack(two_splits, format=packed.name)) == tree(packed)


def test_splits_are_those_of_the_tars(packed: Path, two_splits: Path, pack: Any, rows: Any) -> None:
    """The layout decides neither the order nor the split."""
    places = [(row["key"], row["split"]) for row in rows(packed)]
    assert places == [(row["key"], row["split"]) for row in rows(pack(two_splits))]


def test_verify_reads_every_image(packed: Path, extensions: Extensions) -> None:
    """Every file is whole, and every image counted."""
    found = list(verify(packed, extensions))
    assert {finding.state for finding in found} == {"whole"}
    assert sum(finding.samples for finding in found) == 24


def test_verify_finds_a_turned_bit(dataset: Path, extensions: Extensions) -> None:
    """One bit in one file of images is damage."""
    path = max(dataset.glob("data/**/*.*"), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (finding,) = (one for one in verify(dataset, extensions) if one.state != "whole")
    assert finding.state == "damaged"


def test_verify_finds_what_does_not_belong(dataset: Path, extensions: Extensions) -> None:
    """A file that is none of the dataset's is said, among images as well."""
    (dataset / "data" / "extra.png").write_bytes(b"x")
    found = {one.path: one.message for one in verify(dataset, extensions) if one.state != "whole"}
    assert found == {"data/extra.png": "not a file of this dataset"}


def test_an_image_is_made_again(packed: Path, made: Any, extensions: Extensions) -> None:
    """`reproduce` finds a sample by its key and makes the same bytes."""
    key = sorted(made)[5]
    again = reproduce(packed, key, extensions)
    assert again.identical
    assert sha256(again.content).hexdigest() == made[key][0].image_sha256


def test_preview_shows_it(packed: Path, made: Any, extensions: Extensions, tmp_path: Path) -> None:
    """The gallery holds every image."""
    preview.show(open_folder(packed, extensions), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert all(key in text for key in made)


def test_it_may_be_published(packed: Path, tree: Any) -> None:
    """What `pack` makes passes the check, and every file of the folder is listed to go."""
    preflight = Preflight(packed)
    list(preflight.check())
    assert preflight.faults == []
    assert {file.name for file in preflight.files} == set(tree(packed))


def test_a_shard_that_the_card_leaves_out_is_found(two_splits: Path, pack: Any) -> None:
    """Parquet files that the loader does not see keep the dataset from going."""
    dataset = pack(two_splits, format="parquet")
    provenance = dataset_folder.read_provenance(dataset)
    from synthgen.publish import load_check

    shards = [*dataset_folder.shards(provenance), "data/train-00009-of-00003.parquet"]
    assert list(load_check.faults(dataset, shards, ["train", "test"])) == [
        "`datasets` does not find all of data/train-*.parquet; the card's `configs` leave it out"
    ]


def test_too_many_image_files_are_refused(two_splits: Path, pack: Any) -> None:
    """An image folder larger than the Hub takes well is refused with what to do, beside all other faults."""
    dataset = pack(two_splits, format="imagefolder")
    (dataset / "notes.txt").write_text("mine", encoding="utf-8")
    found = Preflight(dataset, most_image_files=23)
    list(found.check())
    assert any("24 image files are more than" in fault and "pack with --format" in fault for fault in found.faults)
    assert any("notes.txt: not a file of this dataset" in fault for fault in found.faults)


def test_a_folder_holds_only_so_many(two_splits: Path, tmp_path: Path) -> None:
    """A part of image files, which is a folder, has no more than are good for it, and other parts may have more."""
    held, order = inventory.collect(study.open_run(two_splits), partial=False), tmp_path / "order.sqlite"
    laid_out = held.plan.manifest.document.pack.model_copy(update={"images_per_shard": 7})
    shuffle.sort_samples(order, held, laid_out)
    with Order(order, two_splits) as ordered:
        folders, tars = (
            shard_plan.plan_parts(ordered, laid_out.model_copy(update={"format": layout}), files_per_folder=3)
            for layout in ("imagefolder", "webdataset")
        )
    assert sum(part.count for part in folders) == sum(part.count for part in tars) == 24
    assert max(part.count for part in folders) <= 3 < max(part.count for part in tars)


def test_a_part_of_image_files_is_a_folder(run_of: Callable[..., Path], pack: Any) -> None:
    """No folder has more images than a part, however many images there are."""
    dataset = pack(run_of(pack={"images_per_shard": 3}), format="imagefolder")
    images = list(dataset.glob("data/*/*/*/*.png"))
    assert len(images) == 24
    assert max(len(list(folder.iterdir())) for folder in {path.parent for path in images}) <= 3


def test_the_manifest_may_say_the_layout(run_of: Callable[..., Path], pack: Any) -> None:
    """`pack.format` is the layout where no flag is given."""
    dataset = pack(run_of(pack={"format": "parquet"}))
    assert [path.name for path in (dataset / "data").iterdir()] == ["train-00000-of-00001.parquet"]


def test_the_flag_wins_over_the_manifest(run_of: Callable[..., Path], pack: Any) -> None:
    """The flag is stronger than the manifest; without it, the manifest's layout takes the place of the other."""
    run = run_of(pack={"format": "parquet"})
    dataset = pack(run, format="webdataset")
    assert [path.name for path in (dataset / "data").iterdir()] == ["train-00000-of-00001.tar"]
    pack(run)
    assert [path.name for path in (dataset / "data").iterdir()] == ["train-00000-of-00001.parquet"]


def test_auto_is_parquet_where_the_viewer_shows_a_part_of_tars(
    small: Path, pack: Any, provenance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is decided by the bytes of the run, and is the dataset that the layout gives by its name."""
    assert provenance(pack(small, "tars", format="auto"))["layout"] == "webdataset"
    monkeypatch.setattr(packed_layout, "SHOWN_OF_TARS", 1000)
    chosen, asked = pack(small, "auto", format="auto"), pack(small, "asked", format="parquet")
    assert provenance(chosen)["layout"] == "parquet"
    assert provenance(chosen)["dataset_digest"] == provenance(asked)["dataset_digest"]


def test_chunks_of_parquet_follow_the_content_where_asked(
    run_of: Callable[..., Path], pack: Any, provenance: Any
) -> None:
    """The same rows either way; only where it was asked for is the dataset another."""
    plain, said = pack(run_of(), "plain", format="parquet"), pack(run_of(), "said", format="parquet")
    chunked = pack(run_of(pack={"content_defined_chunking": True}), "chunked", format="parquet")
    names = [sorted(path.name for path in one.glob("data/*")) for one in (plain, said, chunked)]
    assert names[0] == names[1] == names[2]
    digests = [provenance(one)["dataset_digest"] for one in (plain, said, chunked)]
    assert digests[0] == digests[1] != digests[2]
    for name in names[0]:
        assert (plain / "data" / name).read_bytes() == (said / "data" / name).read_bytes()
        assert pq.read_table(plain / "data" / name).equals(pq.read_table(chunked / "data" / name))


def test_chunking_without_a_pyarrow_that_can_is_refused(
    run_of: Callable[..., Path], pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the key and the version that it needs."""
    monkeypatch.setattr("pyarrow.__version__", "18.1.0")
    with pytest.raises(
        InputError, match=r"pack\.content_defined_chunking: needs pyarrow 21 or later, here is 18\.1\.0"
    ):
        pack(run_of(pack={"content_defined_chunking": True}), format="parquet")
