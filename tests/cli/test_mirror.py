"""``--mirror`` on the command line: what a folder lacks is brought from there, and each fault is one line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from synthgen.cli import call


@pytest.fixture
def mirrored(write_manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A mirror of the small run, which a curated manifest made on a machine that is gone, by a relative path."""
    monkeypatch.chdir(tmp_path)
    manifest = write_manifest(curate={"scorers": {"quality": {}}, "keep": ["quality.sharpness >= 0"]})
    address = (tmp_path / "mirror").as_uri()
    assert call(["generate", str(manifest), "--out", "gone", "--mirror", address, "-q"]) == 0
    return address


def test_what_a_folder_lacks_is_brought(mirrored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By verify, curate and pack alike, with progress, also where there is no folder yet."""
    work, dataset = str(tmp_path / "here/work"), str(tmp_path / "here/dataset")
    assert call(["verify", work, "--mirror", mirrored]) == 0
    said = capsys.readouterr()
    assert "24 images" in said.out
    assert "bringing work shards from the mirror: 5 of 5 work shards" in said.err
    (tmp_path / "here/work/fake/00001.tar").unlink()
    assert call(["curate", work, "--mirror", mirrored, "-q"]) == 0
    (tmp_path / "here/work/fake/00002.json").unlink()
    assert call(["pack", work, "--out", dataset, "--mirror", mirrored, "-q"]) == 0
    assert call(["verify", dataset, "-q"]) == 0


@pytest.mark.parametrize("verb", ["verify", "curate", "pack"])
def test_a_mirror_without_a_run_is_said(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, with what makes one; and a folder that is not there is one still, without a mirror."""
    more = ["--out", str(tmp_path / "dataset")] if verb == "pack" else []
    empty = (tmp_path / "nothing").as_uri()
    assert call([verb, str(tmp_path / "work"), "--mirror", empty, *more]) == 2
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert "holds no run" in said
    assert call([verb, str(tmp_path / "work"), *more]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_mirror_within_the_run_is_refused(
    write_manifest: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that loses one loses both."""
    out = tmp_path / "work"
    for inside in (out, out / "mirror", tmp_path):
        assert call(["generate", str(write_manifest()), "--out", str(out), "--mirror", str(inside)]) == 2
        assert "give a place of its own" in capsys.readouterr().err
    assert not out.exists()


def test_a_password_is_not_printed(
    write_manifest: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even in the line that refuses it."""
    address = "s3://AKIA:se/cret@bucket/run"
    assert call(["generate", str(write_manifest()), "--out", str(tmp_path / "work"), "--mirror", address]) == 2
    said = capsys.readouterr().err
    assert "holds what may be a secret" in said
    assert "cret" not in said.replace("secret", "")
    assert "AKIA" not in said


def test_processes_of_one_machine_ask_the_mirror(
    mirrored: str, write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """A claim travels to workers, which leave alone what another machine is at, and make it once that is gone."""
    import pickle

    from synthgen.plan import ShardRef
    from synthgen.runs.mirror import Mirror
    from synthgen.runs.mirror.pull import ledgers_of

    mirror = Mirror(mirrored, tmp_path / "gone")
    claims = pickle.loads(pickle.dumps(mirror.claims))
    ledger = ledgers_of(tmp_path / "gone")["fake"]
    made, late = ShardRef("fake", 1), ShardRef("fake", 99)
    assert not claims.take(ledger, made, late=False)
    assert claims.take(ledger, made, late=True)
    folder = tmp_path / "mirror/.claims"
    (folder / "machine-other.json").write_text('{"machine": "other"}')
    (folder / "fake-00099.json").write_text('{"machine": "other"}')
    assert not claims.take(ledger, late, late=False)
    (folder / "machine-other.json").unlink()
    claims = pickle.loads(pickle.dumps(claims))
    assert claims.take(ledger, late, late=False)
