"""An image folder of phantoms is what the interface promises, grows, goes on after a kill, and harms nothing."""

import csv
import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthgen.errors import InputError, StoppedError
from synthgen.phantom import render, write_folder
from synthgen.phantom.write_folder import PhantomOptions

WISH = PhantomOptions(("psoriasis", "healthy"), (1, 6), per_cell=2, seed=5, site="b")


def make(out: Path, asked: PhantomOptions = WISH) -> list[int]:
    return list(write_folder.write(write_folder.prepare(out, asked)))


def tree(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_folder, "BATCH", 3)


def test_metadata_lists_every_image(tmp_path: Path) -> None:
    """The columns are those of the interface, and each image has one row that says the truth."""
    make(tmp_path)
    listed = rows(tmp_path)
    assert list(listed[0]) == ["file_name", "label", "skin_tone", "fitzpatrick", "site", "seed"]
    assert listed[7] | {"seed": ""} == {
        "file_name": "images/healthy-6-0000001.png",
        "label": "healthy",
        "skin_tone": "VI",
        "fitzpatrick": "6",
        "site": "b",
        "seed": "",
    }
    files = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "images").iterdir()}
    assert {row["file_name"] for row in listed} == files
    assert len(listed) == 8


def test_a_row_s_seed_makes_its_image_again(tmp_path: Path) -> None:
    """What a row says is all that an image depends on."""
    make(tmp_path)
    for row in rows(tmp_path):
        again = render.render_one(row["label"], int(row["fitzpatrick"]), row["site"], int(row["seed"]))
        with Image.open(tmp_path / row["file_name"]) as image:
            assert image.mode == "RGB"
            assert np.array_equal(np.asarray(image), again.image)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    """Two folders of one request hold the same files, byte for byte."""
    asked = replace(WISH, masks=True)
    make(tmp_path / "one", asked)
    make(tmp_path / "two", asked)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_picture_says_that_an_algorithm_drew_it(tmp_path: Path) -> None:
    """The file carries the IPTC digital source type for media that no data was sampled for."""
    make(tmp_path)
    assert b"digitalsourcetype/algorithmicMedia" in (tmp_path / "images" / "healthy-1-0000000.png").read_bytes()


def test_masks_are_written_when_asked_for(tmp_path: Path) -> None:
    """Each image has a mask of the same name, 255 where the disease is and 0 elsewhere; healthy skin's is empty."""
    make(tmp_path, replace(WISH, masks=True))
    for row in rows(tmp_path):
        with Image.open(tmp_path / "masks" / Path(row["file_name"]).name) as image:
            assert (image.mode, image.size) == ("L", (64, 64))
            values = set(np.unique(np.asarray(image)).tolist())
        assert values == ({0} if row["label"] == "healthy" else {0, 255})


def test_no_masks_unless_asked_for(tmp_path: Path) -> None:
    """A folder without masks has none."""
    make(tmp_path)
    assert not (tmp_path / "masks").exists()


def test_masks_can_be_added_later(tmp_path: Path) -> None:
    """Asking again with masks gives the folder that asking at once would have given."""
    make(tmp_path / "one")
    make(tmp_path / "one", replace(WISH, masks=True))
    make(tmp_path / "two", replace(WISH, masks=True))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_the_same_again_does_nothing(tmp_path: Path) -> None:
    """A finished folder is left alone, to the time stamps."""
    make(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert make(tmp_path) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_more_a_cell_keep_those_that_are_there(tmp_path: Path) -> None:
    """A folder that grew is the folder of the larger request, and no older image was touched."""
    make(tmp_path / "one")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one" / "images").iterdir()}
    assert sum(make(tmp_path / "one", replace(WISH, per_cell=4))) == 8
    make(tmp_path / "two", replace(WISH, per_cell=4))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.usefixtures("small_batches")
def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    """Stopped between batches, a folder lists what is there, and the same call ends as if never stopped."""
    answers = iter([False, True])
    with pytest.raises(StoppedError, match=r"\b3 of 8\b"):
        list(write_folder.write(write_folder.prepare(tmp_path / "one", WISH), lambda: next(answers)))
    assert len(rows(tmp_path / "one")) == 3
    assert make(tmp_path / "one") == [3, 2]
    make(tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


@pytest.mark.usefixtures("small_batches")
def test_images_that_were_not_listed_yet_are_taken_over(tmp_path: Path) -> None:
    """Killed after a batch's images and before its rows, a run finds them as it would make them."""
    make(tmp_path)
    whole = tree(tmp_path)
    lines = whole["metadata.csv"].splitlines(keepends=True)
    (tmp_path / "metadata.csv").write_bytes(b"".join(lines[:4]))
    assert make(tmp_path) == [3, 2]
    assert tree(tmp_path) == whole


def test_a_lost_image_is_made_again(tmp_path: Path) -> None:
    """An image that was deleted comes back the same."""
    make(tmp_path)
    whole = tree(tmp_path)
    (tmp_path / "images" / "healthy-1-0000001.png").unlink()
    assert make(tmp_path) == [1]
    assert tree(tmp_path) == whole


def test_a_label_named_twice_counts_once(tmp_path: Path) -> None:
    """Labels and types are sets in the order they were given."""
    make(tmp_path, replace(WISH, labels=("healthy", "healthy"), tones=(2, 2)))
    assert len(rows(tmp_path)) == 2


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"seed": 6}, r"\b8 phantoms.* images/healthy-1-0000000\.png"),
        ({"site": "a"}, r"\b8 phantoms"),
        ({"per_cell": 1}, r"\b4 phantoms"),
        ({"tones": (1,)}, r"\b4 phantoms"),
    ],
)
def test_a_folder_of_other_phantoms_is_refused(change: dict[str, object], fault: str, tmp_path: Path) -> None:
    """Two data sets are never mixed, and the one that is there stays as it is."""
    make(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(InputError, match=fault):
        make(tmp_path, replace(WISH, **change))
    assert tree(tmp_path) == before


def test_a_folder_with_masks_is_not_grown_without(tmp_path: Path) -> None:
    """Either every image of a folder has a mask, or none."""
    make(tmp_path, replace(WISH, masks=True))
    with pytest.raises(InputError, match="--masks"):
        make(tmp_path, replace(WISH, per_cell=3))


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("notes.txt", "mine", "^{folder} "),
        ("metadata.csv", "file_name,label\nmine.png,x\n", r"^{folder}/metadata\.csv "),
        ("metadata.csv", "", r"^{folder}/metadata\.csv "),
        (
            "metadata.csv",
            "file_name,label,skin_tone,fitzpatrick,site,seed\nmine.png,x,I,1\n",
            r"^{folder}/metadata\.csv ",
        ),
        ("metadata.csv", "file_name,label,skin_tone,fitzpatrick,site,seed\nmine.png,x,I,1,a,0\n", r"mine\.png"),
    ],
)
def test_a_folder_of_somebody_s_is_refused(name: str, content: str, fault: str, tmp_path: Path) -> None:
    """A folder that holds anything else is left as it is."""
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=fault.replace("{folder}", str(tmp_path))):
        make(tmp_path)
    assert tree(tmp_path) == {name: content.encode()}


def test_a_metadata_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are somebody else's."""
    (tmp_path / "metadata.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"metadata\.csv"):
        make(tmp_path)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """A file that has a phantom's name and is not that phantom is never overwritten."""
    make(tmp_path)
    mine = tmp_path / "images" / "healthy-1-0000002.png"
    mine.write_bytes(b"mine")
    before = tree(tmp_path)
    with pytest.raises(InputError, match=str(mine)):
        make(tmp_path, replace(WISH, per_cell=3))
    assert tree(tmp_path) == before


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    """The folder can't be a file."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=str(tmp_path / "file")):
        make(tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"labels": ("acne",)}, "`acne`"),
        ({"tones": (0,)}, "type 0"),
        ({"site": "c"}, "site `c`"),
        ({"per_cell": 0}, "0 images a cell"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_written(
    change: dict[str, object], fault: str, tmp_path: Path
) -> None:
    """Nothing is on disk after a refusal."""
    with pytest.raises(InputError, match=fault):
        make(tmp_path / "out", replace(WISH, **change))
    assert not (tmp_path / "out").exists()


def test_nothing_is_loaded_to_find_the_weights() -> None:
    """Importing the package itself imports nothing of what is in it."""
    import subprocess
    import sys

    code = "import sys, synthgen.phantom; print([name for name in sys.modules if name.startswith('synthgen.phantom.')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("masks", [False, True])
def test_datasets_opens_the_folder(masks: bool, tmp_path: Path) -> None:
    """`load_dataset("imagefolder")` gives each image with its row, and does not take masks for images."""
    from datasets import load_dataset

    make(tmp_path / "out", replace(WISH, masks=masks))
    loaded = load_dataset(
        "imagefolder", data_dir=str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.num_rows == 8
    assert loaded["label"][:3] == ["psoriasis"] * 3
    assert loaded[4]["image"].size == (64, 64)
    assert [loaded[4][name] for name in ("skin_tone", "fitzpatrick", "site")] == ["I", 1, "b"]
    del loaded
    gc.collect()  # what datasets leaves open is closed here, where its warning is expected
