"""`output: {mask: true}`: a label map beside each image, through every layout and every verb that reads it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen import preview, study
from synthgen.diffusion.masks import Mask
from synthgen.errors import DamagedError, ManifestError
from synthgen.generate.reproduce import reproduce
from synthgen.pack.read_sample import read as read_packed
from synthgen.pack.shuffled_order import Stored
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.publish.preflight import Preflight
from synthgen.runs import dataset_folder, tar_samples
from synthgen.runs.folders import open_folder
from synthgen.runs.verify import check, verify

LAYOUTS = ["webdataset", "parquet", "imagefolder"]
COLUMNS = {
    "webdataset": ("png", "mask.png"),
    "parquet": ("image", "mask_image"),
    "imagefolder": ("image", "mask_image"),
}
SHAPE = {"shape": "random", "fraction": 0.2}
ENTRY = {"strategy": "fake", "per_cell": 2, "settings": {"height": 32, "width": 32, "mask": SHAPE}}
ASKED: dict[str, Any] = {
    "generate": [ENTRY],
    "output": {"image_format": "png", "shard_samples": 5, "mask": True},
    "pack": {"images_per_shard": 7},
    "publish": {"license": "openrail"},
}


@pytest.fixture(scope="module")
def run(run_of: Callable[..., Path]) -> Path:
    """A run of 12 images with label maps; nobody changes it."""
    return run_of(**ASKED)


@pytest.fixture(scope="module")
def stored(run: Path) -> list[tar_samples.TarSample]:
    """What its tars hold."""
    return [one for path in sorted(run.rglob("*.tar")) for one in tar_samples.read(path)]


@pytest.fixture(scope="module", params=LAYOUTS)
def packed(request: Any, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset in one layout; nobody changes it."""
    out = tmp_path_factory.mktemp("packed") / request.param
    list(study.pack(run, out, format=request.param))
    return out


def test_a_map_says_where_and_as_which_class(
    stored: list[tar_samples.TarSample], make_plan: Callable[..., Plan]
) -> None:
    """0 outside the mask that the sample's own seed draws, the number of its class + 1 inside; its sha256 is known."""
    plan = make_plan(**ASKED)
    for one in stored:
        sample = plan.find(one.key)
        assert sample is not None
        with Image.open(io.BytesIO(one.files["mask.png"])) as image:
            pixels = np.asarray(image)
        assert np.array_equal(pixels, Mask(**SHAPE).draw(32, 32, sample.seed) * (sample.label_id + 1))
        assert check(one).key == one.key
    assert {one.files["cls"] for one in stored} == {b"0", b"1"}


def test_a_run_that_was_stopped_has_the_same_bytes(
    run: Path, make_plan: Callable[..., Plan], make_images: Callable[..., Any], tars_in: Any, tmp_path: Path
) -> None:
    """Label maps among them."""
    make_images(make_plan(**ASKED), tmp_path / "run", limit=5)
    make_images(make_plan(**ASKED), tmp_path / "run")
    assert tars_in(tmp_path / "run") == tars_in(run)


@pytest.mark.parametrize("damage", ["another", "none", "size"])
def test_another_map_is_damage(damage: str, stored: list[tar_samples.TarSample], tmp_path: Path) -> None:
    """To who verifies, and to who packs."""
    one = stored[0]
    other = {"another": stored[1].files["mask.png"], "size": b"", "none": None}[damage]
    files = {name: content for name, content in one.files.items() if name != "mask.png"}
    files |= {} if other is None else {"mask.png": other}
    with pytest.raises(DamagedError, match=r"mask\.png"):
        check(tar_samples.TarSample(one.key, files, 0, 0))
    blocks = tar_samples.pack(one.key, files)
    (tmp_path / "a.tar").write_bytes(blocks)
    with pytest.raises(DamagedError, match="is damaged"):
        read_packed(Stored(one.key, str(tmp_path / "a.tar"), 0, len(blocks)), ("psoriasis", "healthy"))


def test_datasets_reads_both(packed: Path, stored: list[tar_samples.TarSample], tmp_path: Path) -> None:
    """As images of the same size, by the card, and to the byte."""
    import datasets

    found = datasets.load_dataset(str(packed), split="train", cache_dir=str(tmp_path))
    columns = COLUMNS[packed.name]
    row = found[0]
    assert [row[name].size for name in columns] == [(32, 32)] * 2
    assert row[columns[1]].mode == "L"
    read = {}
    for name in columns:
        found = found.cast_column(name, datasets.Image(decode=False))
    for row in found:
        key = row["__key__"].rpartition("/")[2] if "__key__" in row else row["key"]
        read[key] = [row[name]["bytes"] or Path(row[name]["path"]).read_bytes() for name in columns]
    assert read == {one.key: [one.files["png"], one.files["mask.png"]] for one in stored}


def test_every_verb_takes_it(packed: Path, run: Path, extensions: Extensions, tree: Any, tmp_path: Path) -> None:
    """It is packed alike again, verified, shown, reproduced, and may be published."""
    list(study.pack(run, tmp_path / "again", format=packed.name))
    assert tree(tmp_path / "again") == tree(packed)
    assert {one.state for one in verify(packed, extensions)} == {"whole"}
    preview.show(open_folder(packed, extensions), tmp_path / "page.html")
    key = dataset_folder.read_metadata(packed, ["key"])[0]["key"]
    assert reproduce(packed, key, extensions).identical
    found = Preflight(packed)
    list(found.check())
    assert found.faults == []
    assert "image-segmentation" in (packed / "README.md").read_text()


def test_a_map_file_that_was_changed_is_found(run: Path, extensions: Extensions, tmp_path: Path) -> None:
    """Where it is a file of its own."""
    list(study.pack(run, tmp_path / "files", format="imagefolder"))
    path = next((tmp_path / "files").rglob("*.mask.png"))
    path.write_bytes(next(one for one in (tmp_path / "files").rglob("*.png") if one != path).read_bytes())
    assert [one.state for one in verify(tmp_path / "files", extensions) if one.state != "whole"] == ["damaged"]
    path.unlink()
    assert [one.state for one in verify(tmp_path / "files", extensions) if one.state != "whole"] != []


def test_entries_without_a_mask_and_too_many_labels_are_refused(make_plan: Callable[..., Plan]) -> None:
    """One line each, at `output.mask`."""
    with pytest.raises(ManifestError) as told:
        make_plan(generate=[ENTRY | {"name": "a"}, {"strategy": "text2img", "per_cell": 1}], output={"mask": True})
    assert [fault.path for fault in told.value.faults] == ["output.mask"]
    assert "entry `text2img` makes images without a mask" in str(told.value)
    with pytest.raises(ManifestError, match=r"output\.mask: a label map has room for 255 labels, found 256"):
        make_plan(labels={f"l{n}": f"l{n}" for n in range(256)}, generate=[ENTRY], output={"mask": True})


def test_who_asks_for_no_map_has_the_plan_of_before(make_plan: Callable[..., Plan]) -> None:
    """Left out and false are one; true is another plan."""
    digests = [make_plan(generate=[ENTRY], output=output).digest for output in ({}, {"mask": False}, {"mask": True})]
    assert digests[0] == digests[1] != digests[2]
