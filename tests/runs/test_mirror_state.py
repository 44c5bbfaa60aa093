"""What a run rests on, kept the same on its mirror: by strangers, by several at once, where files are taken away."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import errors, study
from synthgen.core import seal
from synthgen.runs import run_file
from synthgen.runs.mirror import Mirror
from synthgen.runs.mirror.state import State
from synthgen.runs.mirror.store import Store
from synthgen.runs.receipts import Receipt

ENTRY = {"digest": "d", "samples": 1, "shards": 1, "environment": None}


@pytest.fixture
def run_of(tmp_path: Path) -> Callable[..., tuple[Path, State]]:
    """Makes a run of no image, and its state on one mirror for all."""

    def make(name: str, *entries: str, **more: Any) -> tuple[Path, State]:
        root = tmp_path / name
        root.mkdir(parents=True, exist_ok=True)
        if entries:
            document = {"format": run_file.FORMAT, "manifest": "name: x", "plan": "p"}
            run_file.write(root, document | {"entries": {one: dict(ENTRY) for one in entries}} | more)
        return root, State(Store(str(tmp_path / "mirror")), root)

    return make


def written(root: Path, **contents: str) -> None:
    """Write files, ``__`` in a name being a slash."""
    for name, content in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize("place", ["entries", "former"])
@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside", "..", "", "adapters/x", "A b"])
def test_the_names_of_entries_write_nothing_outside(name: str, place: str, tmp_path: Path) -> None:
    """A stranger's run.json is refused by the name, before any work shard is written; here and from a mirror."""
    tar = b"evil bytes"
    layout = {"shards": [[0, 1]], "revisions": [[0, "d"]]}
    named: dict[str, Any] = {"entries": {}} | {place: {name: ENTRY if place == "entries" else layout}}
    content = seal.dumps({"format": run_file.PRUNED, "manifest": "name: x", **named})
    sha256 = hashlib.sha256(content).hexdigest()
    facts = {"entry": name, "shard": 0, "digest": "d", "sha256": hashlib.sha256(tar).hexdigest(), "size": len(tar)}
    receipt = Receipt(**{one.name: facts.get(one.name, ()) for one in dataclasses.fields(Receipt)})  # type: ignore[arg-type]
    store = Store(str(tmp_path / "far/mirror"))
    store.write(f".state/{sha256}", content)
    listing = {"format": 1, "generator": "x", "files": {"run.json": sha256}}
    store.write("mirror.json", seal.dumps(listing))
    there = tmp_path / "far/mirror" / name
    if not there.is_absolute() or there.is_relative_to(tmp_path):
        there.mkdir(parents=True, exist_ok=True)
        (there / "00000.tar").write_bytes(tar)
        (there / "00000.json").write_bytes(receipt.to_json())
    before = {path for path in tmp_path.rglob("*") if path.suffix in (".tar", ".json")}
    root = tmp_path / "home/run"
    with pytest.raises(errors.InputError, match=r"run\.json: not a run's file: .*can't name an entry"):
        study.brought(root, str(tmp_path / "far/mirror"))
    new = {path for path in tmp_path.rglob("*") if path.suffix in (".tar", ".json")} - before
    assert not {path.name for path in new} - {"run.json"}
    assert not run_file.is_run(root)


def test_a_refused_mirror_leaves_what_lay_there(make_plan: Callable[..., Any], tmp_path: Path) -> None:
    """What was brought is gone again; real images that an indexing kept before there was a run are not."""
    mirror = str(tmp_path / "mirror")
    study.generate(make_plan().manifest, tmp_path / "a", mirror=mirror).result()
    written(tmp_path / "a", sources__theirs="theirs")
    study.generate(make_plan().manifest, tmp_path / "a", mirror=mirror).result()
    written(tmp_path / "b", sources__own="read once", **{"sources.0123456789ab.parquet": "index"})
    with pytest.raises(errors.PlanMismatchError, match="--accept-changes"):
        study.generate(make_plan(seed=8).manifest, tmp_path / "b", mirror=mirror).result()
    left = {path.relative_to(tmp_path / "b").as_posix() for path in (tmp_path / "b").rglob("*") if path.is_file()}
    assert left - {".lock"} == {"sources/own", "sources.0123456789ab.parquet"}


def test_the_salt_is_read_by_nobody_else(
    tmp_path: Path, run_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system nobody else looks into where it lies, and here it is closed before it has a byte."""
    root, state = run_of("a", "x")
    (root / ".pseudonyms").write_bytes(b"0" * 64)
    state.send()
    assert (tmp_path / "mirror/.state").stat().st_mode & 0o077 == 0
    other, bringing = run_of("b")
    get, modes = bringing._store._files.get_file, dict[str, int]()

    def seen(name: str, here: str, **more: Any) -> None:
        path = Path(here)
        modes[path.name] = path.stat().st_mode & 0o777 if path.exists() else -1
        get(name, here, **more)

    monkeypatch.setattr(bringing._store._files, "get_file", seen)
    bringing.bring()
    assert [mode for name, mode in modes.items() if ".pseudonyms" in name] == [0o600]
    assert (other / ".pseudonyms").stat().st_mode & 0o777 == 0o600


def test_a_whole_pack_is_not_refused_for_its_salt(
    run_of: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the mirror is of another plan by then, a line says that the salt is not there."""
    _, other = run_of("b", "y")
    other.send()
    root, _ = run_of("a", "x")
    (root / ".pseudonyms").write_bytes(b"0" * 64)
    written(root, x__00000="")
    (root / "x/00000").rename(root / "x/00000.tar")
    Mirror(str(tmp_path / "mirror"), root).send_salt()
    assert "follows another plan" in caplog.text
    assert "keep a copy of" in caplog.text
