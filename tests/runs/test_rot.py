"""Bytes that rot with their size and time unchanged are noticed by whoever is about to use them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import synthgen
from synthgen import study
from synthgen.cli import call
from synthgen.errors import DamagedError
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import tar_samples
from synthgen.runs.stored_images import ImageReader
from synthgen.runs.verify import verify

CURATE = {"scorers": {"fake": {}}, "keep": ["fake.chance < 2"]}
CHAIN = [
    {"name": "fake", "strategy": "fake", "per_cell": 2, "settings": {"height": 32, "width": 32}},
    {"name": "second", "strategy": "fake", "from": "fake", "settings": {"height": 32, "width": 32}},
]


def rot(path: Path, before: bytes, after: bytes) -> None:
    """Change bytes of a file and nothing that `ls` shows."""
    status, content = path.stat(), path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after, 1))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture(scope="module")
def made(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run and its dataset, of which the name of a record's field has rotted in one tar of each."""
    root = tmp_path_factory.mktemp("rot")
    make_images(make_plan(curate=CURATE), root / "run")
    study.curate(root / "run").result()
    study.pack(root / "run", root / "ds").result()
    for path in (root / "run/fake/00001.tar", *(root / "ds/data").iterdir()):
        rot(path, b'"prompt"', b'"pRompt"')
    return root


@pytest.fixture
def rotten(made: Path, tmp_path: Path) -> Path:
    """A copy of it, times kept."""
    shutil.copytree(made, tmp_path / "rotten")
    return tmp_path / "rotten"


@pytest.mark.parametrize("layout", ["webdataset", "parquet", "imagefolder"])
def test_a_rotten_record_is_not_packed(layout: Any, rotten: Path) -> None:
    """In no layout."""
    with pytest.raises(DamagedError, match=r"00001\.tar: not the bytes that were written"):
        study.pack(rotten / "run", rotten / "new", format=layout).result()
    assert not (rotten / "new").exists()


def test_rotten_shards_are_neither_scored_nor_shown_nor_read(rotten: Path, tmp_path: Path) -> None:
    """Of a run or of a dataset, by a command or by Python."""
    shutil.rmtree(rotten / "run/scores")
    with pytest.raises(DamagedError, match=r"00001\.tar"):
        study.curate(rotten / "run").result()
    for folder in (rotten / "run", rotten / "ds"):
        with pytest.raises(DamagedError, match=r"\.tar"):
            study.preview(folder, tmp_path / "page.html")
        with pytest.raises(DamagedError, match=r"\.tar"):
            list(synthgen.open(folder).images())
        with pytest.raises(DamagedError, match=r"\.tar"):
            list(synthgen.open(folder).records())


def test_verify_marks_it_and_generate_makes_it_again(
    rotten: Path, make_plan: Callable[..., Any], make_images: Callable[..., Any], extensions: Extensions
) -> None:
    """And then it is packed, to the bytes that it would have had."""
    assert [one.path for one in verify(rotten / "run", extensions) if one.state != "whole"] == ["fake/00001.tar"]
    make_images(make_plan(curate=CURATE), rotten / "run")
    study.pack(rotten / "run", rotten / "new").result()
    assert [one.state for one in verify(rotten / "new", extensions) if one.state != "whole"] == []


def test_nothing_starts_from_a_rotten_image(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """Of an earlier entry, whose shard was trusted by its size and time."""
    plan = make_plan(generate=CHAIN)
    make_images(plan, tmp_path, shards=(0, 3))
    rot(tmp_path / "fake/00000.tar", b"IDAT", b"IDaT")
    with pytest.raises(DamagedError, match=r"00000\.tar"):
        make_images(plan, tmp_path)


def test_an_image_that_rots_between_listing_and_reading_is_refused(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """Its features would be kept under the sound one's sha256."""
    make_images(make_plan(), tmp_path)
    places = {record.key: place for record, place in synthgen.open(tmp_path).located()}
    key = next(iter(places))
    rot(places[key].shard, b"XML:com.adobe.xmp", b"XML:com.adobe.xmQ")
    with pytest.raises(DamagedError, match="not the recorded one"):
        ImageReader(lambda _: b"", places).synthetic(key)


def test_reproduce_says_nothing_of_a_rotten_image(rotten: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither that it is identical nor how far off it is."""
    for shard in (rotten / "ds/data").iterdir():
        last = list(tar_samples.read(shard))[-1].key  # the first one's record has rotted
        shard.write_bytes(shard.read_bytes().replace(b"XML:com.adobe.xmp", b"XML:com.adobe.xmQ"))
        assert call(["reproduce", str(rotten / "ds"), last, "--out", str(rotten / "again.png")]) == 1
    assert "not the recorded one" in capsys.readouterr().err


def test_a_run_that_cant_be_written_names_all_its_damage(
    rotten: Path, extensions: Extensions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can't be marked, and the line says so."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    rot(rotten / "run/fake/00003.tar", b"IDAT", b"IDaT")
    monkeypatch.setattr("synthgen.runs.receipts.Ledger.mark_rotten", refuse)
    found = [one for one in verify(rotten / "run", extensions) if one.state != "whole"]
    assert [one.path for one in found] == ["fake/00001.tar", "fake/00003.tar"]
    assert all("can't be marked" in one.message for one in found)
