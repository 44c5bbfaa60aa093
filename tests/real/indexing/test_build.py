"""Indexing by opening: what each file is, which are the same, and that images stay what was indexed."""

import errno
import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.errors import InputError, StoppedError
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.plan.real_index import Index
from synthgen.real import indexing
from synthgen.real.sources import SourceRow


def picture(number: int, width: int = 12, height: int = 10) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="png")
    return file.getvalue()


def row(location: str, mask: str = "", fault: str = "", **values: Any) -> SourceRow:
    return SourceRow(
        location, location, {"label": "nevus", "fold": "train", "patient": location, **values}, location, mask, fault
    )


SPLIT = {"columns": {"split": "fold", "group": "patient"}}


def test_files_are_opened_once(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """Size and hash of every image are in the index that is written, and nothing else is."""
    contents = {"a": picture(1), "b": picture(2, 30, 20)}
    found = given_rows([row("a"), row("b")], root=tmp_path / "run", contents=contents)
    assert [(one.width, one.height) for one in found.sources] == [(12, 10), (30, 20)]
    assert [one.sha256 for one in found.sources] == [
        hashlib.sha256(content).hexdigest() for content in contents.values()
    ]
    assert Index.read(tmp_path / "run" / "sources.parquet") == found
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["sources.parquet"]


def test_marks_of_files_are_in_the_index(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """They are a column where any file has one, are counted, and are in no digest."""
    comment = b"\xff\xfe" + (2 + len(b"Midjourney")).to_bytes(2, "big") + b"Midjourney"
    file = io.BytesIO()
    Image.open(io.BytesIO(picture(1))).save(file, format="jpeg")
    marked = file.getvalue()[:2] + comment + file.getvalue()[2:]
    found = given_rows([row("a"), row("b")], root=tmp_path, contents={"a": marked, "b": picture(2)})
    assert [one.marks for one in found.sources] == ["ai:Midjourney", ""]
    assert found.marked == {"ai:Midjourney": 1}
    assert Index.read(tmp_path / "sources.parquet") == found
    assert found.digest == Index(tuple(replace(one, marks="") for one in found.sources)).digest


def test_the_same_data_give_the_same_file(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """Whatever order rows and threads come in, the bytes are equal."""
    contents = {str(number): picture(number % 5) for number in range(12)}
    rows = [row(location) for location in contents]
    given_rows(rows, root=tmp_path / "one", contents=contents)
    given_rows(rows[::-1], root=tmp_path / "two", contents=contents)
    assert (tmp_path / "one/sources.parquet").read_bytes() == (tmp_path / "two/sources.parquet").read_bytes()


def test_look_alikes_are_one_group_before_splits(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """A photograph filed again, smaller and mirrored, for another patient is in that patient's split."""
    rng = np.random.default_rng(5)
    drawn = [np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(90)]

    def stored(pixels: Any) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="png")
        return file.getvalue()

    contents = {f"p{number:02d}": stored(pixels) for number, pixels in enumerate(drawn)}
    for number in range(0, 30, 6):
        contents[f"z{number:02d}"] = stored(drawn[number][::2, ::-2])
    rows = [row(location) for location in contents]
    settings = {"columns": {"group": "patient"}, "near_duplicates": "group"}
    found = {one.id: one for one in given_rows(rows, settings, root=tmp_path / "run", contents=contents).sources}
    twins = [(found[f"p{number:02d}"], found[f"z{number:02d}"]) for number in range(0, 30, 6)]
    assert all((one.group, one.split) == (two.group, two.split) for one, two in twins)
    assert len({one.group for one in found.values()}) == 90
    plain = given_rows(rows, {"columns": {"group": "patient"}}, root=tmp_path / "plain", contents=contents).sources
    assert any(one.split != two.split for one, two in zip(plain, found.values(), strict=True))
    assert {one.id: one.split for one in plain if one.id[0] == "p"} == {
        name: one.split for name, one in found.items() if name[0] == "p"
    }
    given = settings | {"columns": {"group": "patient", "split": "fold"}}
    rows = [row(location, fold="test" if location[0] == "z" else "train") for location in contents]
    images = given_rows(rows, given, root=tmp_path / "given", contents=contents).sources
    faults = {one.id for one in images if one.fault.startswith("group `")}
    assert faults == {f"p{number:02d}" for number in range(0, 30, 6)}


def test_an_index_without_the_option_is_named_as_before() -> None:
    """What names an index has the option only where it is asked."""
    assert "near_duplicates" not in SourceSettings().model_dump(mode="json")
    assert SourceSettings(near_duplicates="group").model_dump(mode="json")["near_duplicates"] == "group"


def test_bad_images_are_rows_with_a_reason(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """A file that is no picture is listed with why, and known faults are not opened again."""
    contents = {"a": b"<html>gone</html>", "b": picture(2)[:100], "c": picture(3)}
    found = given_rows([row("a"), row("b"), row("c"), row("d", fault="no file d")], root=tmp_path, contents=contents)
    assert [bool(one.fault) for one in found.sources] == [True, True, False, True]
    assert found.sources[3].fault == "no file d"
    assert all("\n" not in one.fault for one in found.sources)
    assert [one.id for one in found.usable(found.sources[2].split)] == ["c"]


def test_a_mask_that_can_t_be_read_is_a_fault(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """An image whose mask is broken would fail later; it is known at once."""
    contents = {"a": picture(1), "m": b"broken", "b": picture(2), "n": picture(3)}
    found = given_rows([row("a", "m"), row("b", "n")], root=tmp_path, contents=contents)
    assert [one.fault[:5] for one in found.sources] == ["mask:", ""]


def test_of_equal_files_the_one_held_back_stays(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """Test goes before validation before train, and then the smaller id."""
    contents = dict.fromkeys("abcd", picture(1)) | dict.fromkeys("ef", picture(2))
    rows = [row("a"), row("b", fold="val"), row("c", fold="test"), row("d", fold="test"), row("f"), row("e")]
    found = given_rows(rows, SPLIT, tmp_path, contents=contents)
    faults = {one.id: one.fault for one in found.sources}
    assert [name for name in faults if not faults[name]] == ["c", "e"]
    assert {fault.partition(",")[0] for fault in faults.values()} == {"", "same file as c", "same file as e"}


def test_equal_files_that_differ_in_what_is_said_are_told(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """Another label, tone or patient of the same file is worth knowing."""
    contents = dict.fromkeys("abc", picture(1))
    rows = [row("a", patient="p"), row("b", patient="p"), row("c", label="melanoma", fitzpatrick=1)]
    found = given_rows(rows, SPLIT, tmp_path, contents=contents)
    assert [one.fault for one in found.sources] == [
        "",
        "same file as a",
        "same file as a, with another label and tone and group",
    ]


def test_progress_counts_to_the_end(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """Whoever shows progress is told of every image."""
    seen: list[tuple[int, int]] = []
    contents = {str(number): picture(number) for number in range(3)}
    given_rows(
        [row(name) for name in contents], root=tmp_path, contents=contents, progress=lambda *both: seen.append(both)
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_stop_leaves_no_index(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """Indexing that was stopped writes nothing that could pass for an index."""

    def stop(done: int, total: int) -> None:
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        given_rows([row("a")], root=tmp_path, contents={"a": picture(1)}, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_images_are_those_that_were_indexed(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """Reading gives the bytes that were indexed; changed ones are refused with what to do."""
    contents = {"a": picture(1), "m": picture(2)}
    found = given_rows([row("a", "m")], root=tmp_path, contents=contents)
    read = indexing.open_images("given", None, Path(), tmp_path)  # type: ignore[arg-type]
    read_mask = indexing.open_masks("given", None, Path(), tmp_path)  # type: ignore[arg-type]
    assert read(found.sources[0]) == contents["a"]
    assert read_mask(found.sources[0]) == contents["m"]
    contents["a"] = picture(9)
    with pytest.raises(InputError, match=r"real image a \(a\) has changed since it was indexed; put the file back"):
        read(found.sources[0])


def test_an_index_without_a_sha256_opens_no_file(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """A run of somebody else could name any file here, and show it in a gallery."""
    found = given_rows([row("a")], root=tmp_path, contents={"a": picture(1)})
    read = indexing.open_images("given", None, Path(), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="real image a has no sha256 in the index"):
        read(replace(found.sources[0], sha256=""))


def test_an_image_that_is_gone_is_named(given_rows: Callable[..., Any], tmp_path: Path) -> None:
    """A removed file is bad input with the image's id."""
    contents = {"a": picture(1)}
    found = given_rows([row("a")], root=tmp_path, contents=contents)
    read = indexing.open_images("given", None, Path(), tmp_path)  # type: ignore[arg-type]
    del contents["a"]
    with pytest.raises(InputError, match=r"real image a can't be read any more \(no file a\); put the file back"):
        read(found.sources[0])


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        ("rows", lambda *_: iter([{"label": "nevus"}]), "its rows gave a dict; promised is a SourceRow"),
        ("rows", lambda *_: iter([None]), "its rows gave a NoneType; promised is a SourceRow"),
        ("keep", lambda *_: None, "its keep gave a NoneType; promised is a mapping"),
        ("keep", "raises", "its keep raised OSError: the archive went away; promised is a DamagedError"),
        ("read", "raises", "its read raised OSError: the archive went away for a.png; promised is a DamagedError"),
        ("read", lambda *_: "text", "its read gave a str; promised is the bytes"),
    ],
)
def test_what_is_not_what_a_source_promises_is_one_line(
    method: str,
    given: Any,
    said: str,
    given_rows: Callable[..., Index],
    tmp_path: Path,
) -> None:
    """It names the source, what it gave, and what was promised."""

    def fails(*_: object) -> None:
        raise OSError("the archive went away")

    methods = {method: fails if given == "raises" else given}
    rows = [SourceRow("a.png", "a", {"label": "nevus", "fitzpatrick": 1}, "a")]
    with pytest.raises(InputError, match=f"source `given`: {said}") as caught:
        given_rows(rows, root=tmp_path / "run", methods=methods)
    assert len(caught.value.faults) == 1
    assert not (tmp_path / "run" / "sources.parquet").exists()


def test_a_full_disk_is_no_fault_of_a_source(given_rows: Callable[..., Index], tmp_path: Path) -> None:
    """It is said as for everything else that writes."""

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        given_rows([row("a")], root=tmp_path / "run", methods={"keep": fails})
