"""The WebDataset source lists samples by headers, and reads any member of any tar."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.errors import DamagedError, InputError
from synthgen.plan.real_index import Index
from synthgen.real import indexing
from synthgen.real.sources import webdataset

REAL = {"source": "webdataset", "path": "shards/train-*.tar"}


def tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path: Path, picture: Callable[..., bytes]) -> Path:
    """Two tars of three samples, and a word about each in another form."""
    meta = json.dumps({"label": "melanoma", "fitzpatrick": 3, "patient": "p1"}).encode()
    tar(
        tmp_path / "shards/train-000.tar",
        {"a.jpg": picture(1, ".jpg"), "a.json": meta, "b.json": meta, "b.jpg": picture(2, ".jpg")},
    )
    tar(
        tmp_path / "shards/train-001.tar",
        {"d/c.mask.png": picture(4), "d/c.jpg": picture(3, ".jpg"), "d/c.cls": b"melanoma\n"},
    )
    return tmp_path


def test_samples_are_images_with_their_metadata(shards: Path, index: Callable[..., Index]) -> None:
    """Fields of the JSON are columns, and the key is the id."""
    found = index(REAL | {"columns": {"group": "patient"}})
    assert [(one.id, one.label, one.tone, one.group) for one in found.sources] == [
        ("a", "melanoma", 3, "p1"),
        ("b", "melanoma", 3, "p1"),
    ]
    assert found.left_out == {"no label of the manifest": 1}
    assert {one.dataset for one in found.sources} == {"shards"}


def test_any_member_can_be_read(shards: Path, index: Callable[..., Index], picture: Callable[..., bytes]) -> None:
    """Tar, offset and size find the bytes again, in any order, and the path is not this machine's."""
    real = REAL | {"columns": {"label": "cls", "mask": "mask.png"}}
    (one,) = index(real, root=shards / "run").sources
    settings = webdataset.Settings.model_validate({key: real[key] for key in ("path", "columns")})
    assert indexing.open_images("webdataset", settings, shards, shards / "run")(one) == picture(3, ".jpg")
    assert indexing.open_masks("webdataset", settings, shards, shards / "run")(one) == picture(4)
    assert one.location.startswith("shards/train-001.tar#")
    assert one.fault == ""


def test_listing_reads_no_image(shards: Path, monkeypatch: pytest.MonkeyPatch, index: Callable[..., Index]) -> None:
    """Where an image's bytes are broken a listing does not see it."""
    path = shards / "shards/train-000.tar"
    found = index(REAL).sources[0]
    offset, size = map(int, found.location.partition("#")[2].split("+"))
    with path.open("rb+") as file:
        file.seek(offset)
        file.write(bytes(size))
    assert index(REAL).sources[0] == found
    assert index(REAL, root=shards / "run").sources[0].fault


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("shards/train-{000..001}.tar", 2),
        ("shards/{train,test}-000.tar", 0),
        ("shards/train-00{0,1}.tar", 2),
        ("shards/train-{000,00{1..1}}.tar", 2),
        ("shards/*.tar", 2),
        ("shards", 2),
        (["shards/train-000.tar", "shards/*-000.tar"], 1),
    ],
)
def test_addresses_stand_for_several(written: Any, found: int, shards: Path, index: Callable[..., Index]) -> None:
    """Braces and `*` are expanded, each tar counts once, and one that is not there is said."""
    if found:
        urls = {
            sample.values["__url__"]
            for sample in webdataset.TarReader(webdataset.Settings(path=written), shards)._samples()
        }
        assert len(urls) == found
    else:
        with pytest.raises(InputError) as caught:
            index(REAL | {"path": written})
        assert [(fault.path, fault.kind) for fault in caught.value.faults] == [("real.path", "not_found")]


def test_tars_elsewhere_are_read(shards: Path, index: Callable[..., Index], picture: Callable[..., bytes]) -> None:
    """Any address that fsspec opens will do."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/x-0.tar", (shards / "shards/train-000.tar").read_bytes())
    try:
        found = index(REAL | {"path": "memory://bucket/x-*.tar"}, root=shards / "run")
        assert [one.fault for one in found.sources] == ["", ""]
        reader = webdataset.TarReader(webdataset.Settings(path="x"), shards)
        assert reader.read(found.sources[0].location) == picture(1, ".jpg")
    finally:
        memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"columns": {"image": "jpeg"}}, "real.columns.image: no sample has `jpeg`; did you mean `jpg`?"),
        ({"columns": {"mask": "seg"}}, "real.columns.mask: no sample has `seg`; there are: jpg, mask.png"),
        ({"columns": {"label": "lable"}}, "real.columns.label: no column `lable`; did you mean `label`?"),
        ({"path": "zzz://bucket/x.tar"}, "zzz://bucket/x.tar: can't be read (Protocol not known: zzz)"),
    ],
)
def test_what_is_not_there_is_said(
    change: dict[str, Any], fault: str, shards: Path, index: Callable[..., Index]
) -> None:
    """A wrong extension, column or address is bad input in a line."""
    with pytest.raises(InputError) as caught:
        index(REAL | change)
    assert caught.value.faults == (fault,)


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b compressed"])
def test_what_is_no_tar_is_refused(content: bytes, shards: Path, index: Callable[..., Index]) -> None:
    """Garbage and compressed tars are bad input in a line."""
    (shards / "shards/train-000.tar").write_bytes(content)
    with pytest.raises(InputError, match=r"train-000\.tar") as caught:
        index(REAL)
    assert [fault.kind for fault in caught.value.faults] == ["unreadable"]


def test_a_tar_that_was_cut_since_is_damage(shards: Path, index: Callable[..., Index]) -> None:
    """An image that has lost its end is damage, not a shorter image."""
    location = index(REAL).sources[1].location
    path = shards / "shards/train-000.tar"
    path.write_bytes(path.read_bytes()[: int(location.partition("#")[2].partition("+")[0]) + 9])
    with pytest.raises(DamagedError, match="ends within this image"):
        webdataset.TarReader(webdataset.Settings(path="x"), shards).read(location)


def test_odd_members_are_passed_over(
    tmp_path: Path, picture: Callable[..., bytes], index: Callable[..., Index]
) -> None:
    """Folders, hidden files, files without extension and broken JSON stop nothing."""
    members = {
        "._a.jpg": b"x",
        "README": b"x",
        "./k/a.JPG": picture(1, ".jpg"),
        "./k/a.json": b'{"label": "melanoma"}',
        "b.json": b"{",
        "b.jpg": b"",
    }
    tar(tmp_path / "shards/train-0.tar", members)
    found = index(REAL)
    assert [(one.id, one.fault) for one in found.sources] == [("a", "")]
    assert found.left_out == {"its JSON can't be read": 1}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a**b", "'\\*\\*' can only be an entire path component"),
        ("x-{0..99999999}.tar", "stands for more than 100,000 tars"),
        ("{0..999}{0..999}.tar", "no tar `00.tar`"),
        ("~nobody-of-that-name/x.tar", "nobody knows the home that `~` stands for"),
        ("reference://x", "can't be read"),
        ("memory://*::file:///nowhere", "can't be read|no tar"),
    ],
)
def test_addresses_that_can_not_be_had_are_refused(path: str, said: str, index: Callable[..., Index]) -> None:
    """Whatever the file system that fsspec finds for one raises."""
    with pytest.raises(InputError, match=said):
        index(REAL | {"path": path})


def test_names_that_are_not_utf_8_and_broken_json_are_rows(
    tmp_path: Path, picture: Callable[..., bytes], index: Callable[..., Index]
) -> None:
    """A tar of somebody's with such names is indexed, and what can't be read of it has a reason."""
    meta = json.dumps({"label": "melanoma", "fitzpatrick": 3}).encode()
    odd = "\udcff\udcfe"
    members = {f"{odd}.png": picture(1), f"{odd}.json": meta, "b.png": picture(2), "b.json": b'{"label": "\\ud800"}'}
    tar(tmp_path / "one.tar", members)
    found = index(REAL | {"path": "one.tar"}, root=tmp_path / "run")
    assert [one.fault for one in found.sources] == [""]
    assert sum(found.left_out.values()) == 1


def test_the_current_folder_is_one_of_tars(tmp_path: Path, picture: Callable[..., bytes], index: Any) -> None:
    """`.` means the tars beside the manifest."""
    tar(tmp_path / "one.tar", {"a.png": picture(1), "a.json": b'{"label": "melanoma", "fitzpatrick": 3}'})
    assert len(index(REAL | {"path": "."}).sources) == 1
