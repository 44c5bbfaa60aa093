"""A stranger's dataset names its own files alone, and what a stranger's run asks to run is listed, not run."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from synthgen import study
from synthgen.cli import call
from synthgen.errors import DamagedError
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs.own_files import own_file
from synthgen.runs.verify import verify
from synthgen.vision.images import codec


@pytest.mark.parametrize("name", ["/etc/passwd", "../me.png", "sub/../../me.png", "link.png", "away/me.png", "", "a\0"])
def test_nothing_outside_of_a_folder(name: str, tmp_path: Path) -> None:
    """By a path or by a link."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "me.png").write_bytes(b"x")
    (tmp_path / "folder/link.png").symlink_to("../me.png")
    (tmp_path / "folder/away").symlink_to("..")
    with pytest.raises(DamagedError, match="outside of it"):
        own_file(tmp_path / "folder", name)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """It would be waited for."""
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DamagedError, match="no regular file"):
        own_file(tmp_path, "a.png")


def test_the_links_of_the_hub_s_cache_are_its_own(tmp_path: Path) -> None:
    """A download lies in blobs, to which its files are links."""
    snapshot = tmp_path / "datasets--a--b/snapshots/0123"
    snapshot.mkdir(parents=True)
    (tmp_path / "datasets--a--b/blobs").mkdir()
    (tmp_path / "datasets--a--b/blobs/x").write_bytes(b"x")
    (snapshot / "a.png").symlink_to("../../blobs/x")
    assert own_file(snapshot, "a.png").read_bytes() == b"x"


def test_a_listing_shows_no_file_of_ours(
    make_plan: Callable[..., Any],
    make_images: Callable[..., Any],
    extensions: Extensions,
    tmp_path: Path,
) -> None:
    """An image folder's table, and a provenance, that name files elsewhere: damage, in every command."""
    make_images(make_plan(), tmp_path / "run")
    study.pack(tmp_path / "run", tmp_path / "ds", format="imagefolder").result()
    (tmp_path / "me.png").write_bytes(next((tmp_path / "ds").rglob("*.png")).read_bytes())
    path = tmp_path / "ds/data/train/metadata.parquet"
    table = pyarrow.parquet.ParquetFile(path).read()
    rows = table.to_pylist()
    rows[0]["file_name"] = "../../../me.png"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=table.schema), path)
    assert call(["preview", str(tmp_path / "ds"), "--out", str(tmp_path / "p.html"), "-q"]) == 1
    assert not (tmp_path / "p.html").exists()
    provenance = tmp_path / "ds/provenance.json"
    document = json.loads(provenance.read_bytes())
    document["files"]["../me.png"] = {"sha256": "0", "size": 1}
    provenance.write_text(json.dumps(document))
    assert [one.state for one in verify(tmp_path / "ds", extensions) if "me.png" in one.message] == ["damaged"]


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n", b"P6\n1 1\n255\n\0\0\0"])
def test_no_other_decoder_runs(content: bytes) -> None:
    """PostScript, which Pillow hands to Ghostscript, and Netpbm are no images of ours."""
    with pytest.raises(DamagedError, match="not a whole image"):
        codec.decode(content)


def test_verify_lists_what_a_run_asks_to_run(
    write_manifest: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose manifest the user has named is trusted; the same code with another letter is not, and nothing runs."""
    (tmp_path / "red.py").write_text("def score(records, pixels): return {'redness': pixels[..., 0].mean((1, 2))}\n")
    scorer = {"red": {"file": "red.py", "columns": ["redness"]}}
    path = write_manifest(curate={"scorers": scorer, "keep": ["red.redness > -1"]})
    assert call(["generate", str(path), "--out", str(tmp_path / "run"), "-q"]) == 0
    capsys.readouterr()
    assert call(["verify", str(tmp_path / "run")]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("asks to run")]
    assert "scorer `red`" in line
    assert "you have named it" in line
    (tmp_path / "red.py").write_text("open('ran', 'w')\n")
    assert call(["verify", str(tmp_path / "run"), "-q"]) == 0
    assert "not trusted" in capsys.readouterr().out
    assert not Path("ran").exists()


def test_a_pipe_in_a_run_is_damage(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], extensions: Extensions, tmp_path: Path
) -> None:
    """In place of a tar or a receipt; neither is waited for."""
    make_images(make_plan(), tmp_path)
    for name in ("00000.tar", "00001.json"):
        (tmp_path / "fake" / name).unlink()
        os.mkfifo(tmp_path / "fake" / name)
    found = list(verify(tmp_path, extensions))
    assert [one.state for one in found][:3] == ["damaged", "damaged", "whole"]
