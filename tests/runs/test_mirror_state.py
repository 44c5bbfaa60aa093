"""What a run rests on, kept the same on its mirror: by strangers, by several at once, where files are taken away."""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from synthgen import errors, study
from synthgen.core import adapter_folder, backoff, seal
from synthgen.plan import ShardRef
from synthgen.runs import run_file
from synthgen.runs.mirror import Mirror
from synthgen.runs.mirror.claims import MirrorClaims
from synthgen.runs.mirror.state import State
from synthgen.runs.mirror.store import Store
from synthgen.runs.receipts import Ledger, Receipt

ENVIRONMENT = {
    "device": "cpu", "device_name": "c", "dtype": "fp32", "attention": "sdpa", "batch_size": 1, "threads": 1,
    "model_revision": "",
    "versions": {},
}  # fmt: skip
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


def pinned(root: Path, entry: str) -> None:
    """Pin what an entry is made with."""
    held = run_file.read(root)
    held["entries"][entry] = held["entries"][entry] | {"environment": ENVIRONMENT}
    run_file.write(root, held)


@pytest.mark.parametrize("at", ["list", "mirror.json"])
def test_machines_that_send_at_once_lose_nothing_of_each_other(
    at: str, run_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the list after another machine has read it adds to what that one wrote; a third one has both."""
    (first, one), (second, other) = run_of("a", "x", "y"), run_of("b", "x", "y")
    one.send()
    other.send()
    pinned(first, "x")
    pinned(second, "y")
    written(first, adapters__mine__w="of the first")
    written(second, sources__theirs="of the second")
    turns = [one]

    def between(write: Callable[..., Any]) -> Callable[..., Any]:
        def wait(name: str, content: bytes) -> Any:
            if at in name and turns:
                turns.pop().send()
            return write(name, content)

        return wait

    monkeypatch.setattr(other._store, "write", between(other._store.write))
    monkeypatch.setattr(other._store, "create", between(other._store.create))
    other.send()
    assert not turns
    third, bringing = run_of("c")
    bringing.bring()
    held = run_file.read(third)["entries"]
    assert [bool(held[name]["environment"]) for name in "xy"] == [True, True]
    assert (third / "adapters/mine/w").is_file()
    assert (third / "sources/theirs").is_file()


def trained(root: Path, method: str, digest: str, **weights: str) -> None:
    """Train an adapter anew, the old one set aside."""
    folder = root / "adapters/skin"
    if folder.exists():
        adapter_folder.set_aside(root, "skin", adapter_folder.read(folder)["digest"])
    written(folder, **weights)
    facts = {"name": "skin", "digest": digest * 64, "method": method, "pool": {"ids": []}, "words": {}}
    adapter_folder.write(folder, facts)


def test_an_adapter_that_is_trained_anew_stays_whole_on_every_machine(run_of: Callable[..., Any]) -> None:
    """Its files are one: those of the old one come back into it neither where it was trained nor elsewhere."""
    (first, one), (second, other) = run_of("a", "x"), run_of("b")
    trained(first, "lora", "1", **{"pytorch_lora_weights.safetensors": "old"})
    one.send()
    other.bring()
    trained(first, "textual-inversion", "2", **{"learned_embeds.safetensors": "new"})
    for state in (one, other, one, other):
        state.bring()
        state.send()
    third, bringing = run_of("c")
    bringing.bring()
    for root in (first, second, third):
        assert not list(adapter_folder.damage(root / "adapters/skin"))
        assert not list(adapter_folder.damage(root / "adapters/.aside/skin-111111111111"))
        assert not (root / "adapters/skin/pytorch_lora_weights.safetensors").exists()
    adapter_folder.set_aside(first, "skin", "2" * 64)
    assert adapter_folder.restore(first, "skin", "1" * 64)
    for state in (one, other, bringing):
        state.send()
    for root in (first, second, third):
        assert adapter_folder.read(root / "adapters/skin")["method"] == "lora"
        assert not list(adapter_folder.damage(root / "adapters/skin"))
        assert [path.name for path in (root / "adapters/.aside").iterdir()] == ["skin-222222222222"]


def test_a_part_of_an_adapter_that_is_lost_is_brought(run_of: Callable[..., Any]) -> None:
    """It is no other adapter for that."""
    root, state = run_of("a", "x")
    trained(root, "lora", "1", **{"pytorch_lora_weights.safetensors": "old"})
    state.send()
    (root / "adapters/skin/pytorch_lora_weights.safetensors").unlink()
    state.bring()
    assert not list(adapter_folder.damage(root / "adapters/skin"))


def test_a_photograph_that_is_deleted_does_not_come_back(
    run_of: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Not here, nor to machines that come later; where it still lies a line says so, and it goes to no other."""
    (first, one), (second, other) = run_of("a", "x"), run_of("b")
    written(first, sources__pat7="photograph", sources__pat8="another")
    one.send()
    other.bring()
    (first / "sources/pat7").unlink()
    one.bring()
    assert not (first / "sources/pat7").exists()
    one.send()
    for state in (other, other, one):
        state.send()
    assert "taken away on another machine are still here (sources/pat7)" in caplog.text
    third, bringing = run_of("c")
    bringing.bring()
    assert [path.name for path in (third / "sources").iterdir()] == ["pat8"]
    assert [path.name for path in (first / "sources").iterdir()] == ["pat8"]
    assert (second / "sources/pat7").is_file()
    written(first, sources__pat7="photograph")  # wanted again
    one.send()
    bringing.bring()
    assert (third / "sources/pat7").is_file()


def test_rules_that_change_on_both_sides_are_refused(run_of: Callable[..., Any]) -> None:
    """Those that change on one side alone are the other's too; images stay what they are."""

    def ruled(root: Path, keep: str) -> None:
        run_file.write(root, run_file.read(root) | {"manifest": f"name: x\ncurate: {{keep: {keep}}}\n"})

    (first, one), (second, other) = run_of("a", "x"), run_of("b")
    one.send()
    other.bring()
    ruled(first, "a")
    one.send()
    other.send()
    assert "keep: a" in run_file.read(second)["manifest"]
    ruled(first, "b")
    ruled(second, "c")
    one.send()
    with pytest.raises(errors.PlanMismatchError, match=r"curate\.keep: \"b\" there, \"c\" here"):
        other.bring()
    ruled(second, "b")
    other.bring()


def test_an_entry_that_nobody_has_begun_is_left_for_last_where_the_mirror_is_silent(
    run_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another machine may have begun it otherwise; one that is pinned goes on."""
    monkeypatch.setattr(backoff, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(backoff, "LONGEST_WAIT", 0.0)
    root, _ = run_of("a", "x", "y")
    pinned(root, "y")
    claims = MirrorClaims(str(root.parent / "mirror"), root, "me")

    def silent(*_: Any) -> Any:
        raise errors.MirrorError("silent", passing=True)

    monkeypatch.setattr(claims._store, "read", silent)
    ledgers = {name: Ledger(root, name, "d") for name in "xy"}
    for _ in range(2):  # at once, and in the minute that nothing is asked
        taken = {name: claims.take(ledgers[name], ShardRef(name, 0), late=False) for name in "xy"}
        assert taken == {"x": False, "y": True}
    assert claims.take(ledgers["x"], ShardRef("x", 0), late=True)
    assert "entry `x` is begun without knowing" in caplog.text


@pytest.mark.parametrize("links", [True, False], ids=["disk", "no-links"])
def test_of_many_that_create_a_file_one_alone_does(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk with links even at the same moment; what is read there is always whole, and nothing else stays."""
    monkeypatch.setattr("synthgen.runs.mirror.store._links", lambda _: links)
    store = Store(str(tmp_path / "mirror"))
    if links:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda one: store.create("c/x", str(one).encode() * 1000), range(8)))
        assert sum(made) == 1
        assert store.read("c/x") == str(made.index(True)).encode() * 1000
    else:
        assert [store.create("c/x", b"1"), store.create("c/x", b"2")] == [True, False]
    assert [path.name for path in (tmp_path / "mirror/c").iterdir()] == ["x"]


def test_a_connection_that_was_cut_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of sftp, whose client never comes back by itself; and it knows a name that is taken, by another word."""
    count = itertools.count(1)

    class Client:
        def rename(self, old: str, new: str) -> None:
            if Path(new).exists():
                raise OSError("Failure")
            Path(old).rename(new)

    class Cut(LocalFileSystem):
        protocol = "cut"
        local_file = False

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.number, self.ftp = next(count), Client()

        def cat_file(self, path: str, *args: Any, **options: Any) -> bytes:
            if self.number == 1:
                raise OSError("Socket is closed")
            return bytes(super().cat_file(path, *args, **options))

        @classmethod
        def _strip_protocol(cls, path: Any) -> Any:
            return super()._strip_protocol(str(path).removeprefix("cut://"))

    fsspec.register_implementation("cut", Cut, clobber=True)
    monkeypatch.setattr("synthgen.runs.mirror.store._is_local", lambda _: False)
    store = Store(f"cut://{tmp_path}/mirror")
    assert [store.create("x", b"one"), store.create("x", b"two")] == [True, False]
    with pytest.raises(errors.MirrorError, match="Socket is closed") as caught:
        store.read("x")
    assert caught.value.passing
    assert store.read("x") == b"one"
