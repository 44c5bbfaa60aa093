"""A run on a mirror is the run: made by several machines, lost and taken up, on stores that fail in every way."""

import errno
import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from synthgen import errors, study
from synthgen.core import backoff
from synthgen.runs import run_file
from synthgen.runs.mirror import Mirror, beat, push
from synthgen.runs.mirror.claims import MirrorClaims
from synthgen.runs.mirror.store import TRIES, Store

MIRROR = "faulty://bucket/run"


class FaultySystem(MemoryFileSystem):
    """fsspec's own memory, which fails as a test says: ``fail`` is asked before every operation."""

    protocol = "faulty"
    store: dict[str, Any] = {}
    pseudo_dirs = [""]
    fail: Callable[[str, str], None] = staticmethod(lambda *_: None)
    hidden: frozenset[str] = frozenset()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(str(path).replace("faulty://", "memory://"))

    def cat_file(self, path: str, *args: Any, **kwargs: Any) -> bytes:
        """Read."""
        self.fail("read", path)
        return bytes(super().cat_file(path, *args, **kwargs))

    def get_file(self, path: str, *args: Any, **kwargs: Any) -> None:
        """Copy here."""
        self.fail("read", path)
        super().get_file(path, *args, **kwargs)

    def pipe_file(self, path: str, *args: Any, **kwargs: Any) -> None:
        """Write."""
        self.fail("write", path.partition(".json.")[0] + ".json" if ".part" in path else path)
        super().pipe_file(path, *args, **kwargs)

    def put_file(self, here: str, path: str, *args: Any, **kwargs: Any) -> None:
        """Copy there."""
        try:
            self.fail("write", path)
        except ConnectionResetError:  # cut in the middle: what came stays
            super().pipe_file(path, Path(here).read_bytes()[:100])
            raise
        super().put_file(here, path, *args, **kwargs)

    def find(self, path: str, *args: Any, **kwargs: Any) -> Any:
        """List."""
        self.fail("list", path)
        found = super().find(path, *args, **kwargs)
        return {name: facts for name, facts in found.items() if name not in self.hidden}


@pytest.fixture(autouse=True)
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FaultySystem]]:
    """An empty store that fails nowhere, and waits that take no time."""
    monkeypatch.setattr(backoff, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(backoff, "LONGEST_WAIT", 0.01)
    monkeypatch.setattr(beat, "LEASE", 0.3)
    monkeypatch.setattr(beat, "_LOOK_AGAIN", 0.0)
    monkeypatch.setattr(push, "_LOOK_SECONDS", 0.005)
    monkeypatch.setattr(MirrorClaims, "poll_seconds", 0.05)
    monkeypatch.setattr("synthgen.generate.claims._POLL_SECONDS", 0.02)
    fsspec.register_implementation("faulty", FaultySystem, clobber=True)
    FaultySystem.store, FaultySystem.pseudo_dirs = {}, [""]
    FaultySystem.fail, FaultySystem.hidden = staticmethod(lambda *_: None), frozenset()
    yield FaultySystem
    FaultySystem.clear_instance_cache()


@pytest.fixture
def make(make_plan: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a run of the small manifest on the mirror."""

    def generate(root: Path, mirror: str = MIRROR, options: dict[str, Any] | None = None, **changes: Any) -> Any:
        return study.generate(make_plan(**changes).manifest, root, mirror=mirror, **(options or {}))

    return generate


def made(task: Any) -> int:
    """How many work shards a command makes, once it has."""
    return len(list(task))


def failing(kind: str, error: Exception, at: str = "", times: float = float("inf")) -> Any:
    """Fail an operation on files whose names contain something, so many times."""
    left = [times]

    def fail(what: str, path: str) -> None:
        if what == kind and at in path and left[0] > 0:
            left[0] -= 1
            raise error

    return staticmethod(fail)


def names(faulty: type[FaultySystem]) -> set[str]:
    """What lies on the mirror, without what tells who is at work."""
    found = (name.removeprefix("/bucket/run/") for name in faulty.store)
    return {name for name in found if not name.startswith(".claims")}


@pytest.fixture
def unbroken(make: Callable[..., Any], tmp_path: Path, tars_in: Callable[[Path], dict[str, bytes]]) -> dict[str, bytes]:
    """The bytes of the run that nothing ever happened to."""
    make(tmp_path / "unbroken", mirror=None).result()
    return tars_in(tmp_path / "unbroken")


def test_a_mirror_is_the_run(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem], unbroken: dict[str, bytes]
) -> None:
    """It has the run's files under their names, and nothing of this machine alone."""
    make(tmp_path / "a").result()
    shards = {name for number in range(5) for name in (f"fake/{number:05d}.tar", f"fake/{number:05d}.json")}
    state = hashlib.sha256((tmp_path / "a/run.json").read_bytes()).hexdigest()
    assert {name for name in names(faulty) if not name.startswith(".state")} == {"mirror.json"} | shards
    assert f".state/{state}" in names(faulty)
    assert {name: bytes(faulty.store[f"/bucket/run/{name}"].getvalue()) for name in unbroken} == unbroken


def test_a_receipt_comes_last(make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]) -> None:
    """Nobody can see a receipt whose shard, or what that rests on, is not there yet."""
    written = list[str]()
    faulty.fail = staticmethod(
        lambda what, path: written.append(path.removeprefix("/bucket/run/")) if what == "write" else None
    )
    make(tmp_path / "a").result()
    for number in range(5):
        tar, receipt = written.index(f"fake/{number:05d}.tar"), written.index(f"fake/{number:05d}.json")
        assert written.index("mirror.json") < tar < receipt


def test_another_machine_makes_nothing_twice(
    make: Callable[..., Any], tmp_path: Path, unbroken: dict[str, bytes], tars_in: Callable[[Path], dict[str, bytes]]
) -> None:
    """What is there counts as done, and comes here whole, with receipts that count here too."""
    make(tmp_path / "a").result()
    assert made(make(tmp_path / "b")) == 0
    assert tars_in(tmp_path / "b") == unbroken
    assert [made(make(tmp_path / root)) for root in "ab"] == [0, 0]


def test_a_part_brings_its_part(make: Callable[..., Any], tmp_path: Path) -> None:
    """A task of an array copies what it looks at, and makes nothing twice."""
    make(tmp_path / "a").result()
    assert made(make(tmp_path / "b", options={"array": (1, 2)})) == 0
    assert sorted(path.name for path in (tmp_path / "b/fake").glob("*.tar")) == ["00001.tar", "00003.tar"]


@pytest.mark.parametrize("seed", range(3))
def test_a_machine_lost_at_any_moment_costs_no_byte(
    seed: int,
    *,
    make: Callable[..., Any],
    tmp_path: Path,
    faulty: type[FaultySystem],
    unbroken: dict[str, bytes],
    tars_in: Callable[[Path], dict[str, bytes]],
) -> None:
    """Another machine ends the run with the same bytes, on a store that is slow, fails, cuts puts and lists late."""
    rng = random.Random(seed)
    count, last = [0], rng.randrange(5, 60)

    def die(_what: str, _path: str) -> None:
        count[0] += 1
        if count[0] > last:
            raise ConnectionResetError(errno.ECONNRESET, "cut")

    faulty.fail = staticmethod(die)
    try:
        for _ in make(tmp_path / "lost"):
            if rng.random() < 0.2:
                break
    except errors.SynthgenError:
        pass

    def flaky(what: str, _path: str) -> None:
        time.sleep(rng.random() / 1000)
        if what != "list" and rng.random() < 0.15:
            raise rng.choice(
                (OSError(errno.EIO, "500 Internal Server Error"), ConnectionResetError(errno.ECONNRESET, "cut"))
            )

    faulty.hidden = frozenset(rng.sample(sorted(faulty.store), len(faulty.store) // 3))
    faulty.fail = staticmethod(flaky)
    make(tmp_path / "next").result()
    faulty.fail = staticmethod(lambda *_: None)
    assert tars_in(tmp_path / "next") == unbroken
    assert {name: bytes(faulty.store[f"/bucket/run/{name}"].getvalue()) for name in unbroken} == unbroken


def test_what_is_copied_here_is_not_believed_before_it_is_checked(
    *,
    make: Callable[..., Any],
    tmp_path: Path,
    faulty: type[FaultySystem],
    unbroken: dict[str, bytes],
    tars_in: Callable[[Path], dict[str, bytes]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A damaged shard on the mirror is named, made again, and mended there."""
    make(tmp_path / "a").result()
    place, whole = "/bucket/run/fake/00002.tar", unbroken["fake/00002.tar"]
    fsspec.filesystem("faulty").pipe_file(place, whole[:-1] + b"x")
    assert made(make(tmp_path / "b")) == 1
    assert "fake/00002.tar: not the bytes that its receipt names" in caplog.text
    assert tars_in(tmp_path / "b") == unbroken
    assert faulty.store[place].getvalue() == whole


def test_two_machines_share_a_run_out(
    make: Callable[..., Any], tmp_path: Path, unbroken: dict[str, bytes], tars_in: Callable[[Path], dict[str, bytes]]
) -> None:
    """At the same time, each makes what the other does not, and both end with all of it."""
    shards: dict[str, list[int]] = {}
    both = threading.Barrier(2)

    def work(name: str) -> None:
        task = make(tmp_path / name)
        both.wait(120)
        shards[name] = [receipt.shard for receipt in task]

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert tars_in(tmp_path / "a") == tars_in(tmp_path / "b") == unbroken
    assert sorted(shards) == ["a", "b"]


def test_a_shard_that_another_machine_is_at_is_left_for_last(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for as long as its machine shows that it lives, and then made here."""
    monkeypatch.setattr(beat, "LEASE", 600.0)
    make(tmp_path / "a", options={"limit": 5}).result()
    files = fsspec.filesystem("faulty")
    files.pipe_file("/bucket/run/.claims/machine-other.json", b'{"machine": "other"}')
    files.pipe_file("/bucket/run/.claims/fake-00001.json", b'{"machine": "other"}')
    order = list[int]()
    for receipt in make(tmp_path / "b"):
        order.append(receipt.shard)
        if len(order) == 3:
            files.rm_file("/bucket/run/.claims/machine-other.json")
    assert order == [2, 3, 4, 1]


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (PermissionError(errno.EACCES, "Access Denied"), "can't be written .access denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "is full"),
        (ConnectionError("could not connect"), "could not connect"),
    ],
    ids=["rights", "full", "gone"],
)
def test_a_mirror_that_takes_nothing_is_refused_first(
    error: Exception, named: str, make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """Before any image is made, in a line that says where and why."""
    faulty.fail = failing("write", error)
    with pytest.raises(errors.UnavailableError, match=rf"(?i)--mirror: {MIRROR}.*{named}") as caught:
        make(tmp_path / "a").result()
    assert len(caught.value.faults) == 1
    assert not list(tmp_path.rglob("*.tar"))


def test_what_could_not_be_copied_stays_here_and_is_counted(
    make: Callable[..., Any],
    tmp_path: Path,
    faulty: type[FaultySystem],
    unbroken: dict[str, bytes],
    tars_in: Callable[[Path], dict[str, bytes]],
) -> None:
    """A mirror gone in the middle costs no image; the same command copies what is left and makes nothing anew."""
    faulty.fail = failing("write", OSError(errno.EIO, "503 Slow Down"), at="0003")
    with pytest.raises(errors.IncompleteError, match=r"1 work shards are not on .*503 Slow Down.*run the same command"):
        make(tmp_path / "a").result()
    assert tars_in(tmp_path / "a") == unbroken
    faulty.fail = staticmethod(lambda *_: None)
    assert made(make(tmp_path / "a")) == 0
    assert {"fake/00003.tar", "fake/00003.json"} <= names(faulty)


def test_what_fails_and_passes_is_tried_again(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """As often as is said, without a word."""
    faulty.fail = failing("write", OSError(errno.EIO, "500"), at="00000.tar", times=TRIES - 1)
    make(tmp_path / "a").result()
    assert "fake/00000.json" in names(faulty)


def test_a_run_of_another_plan_is_refused_by_its_key(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """From an empty folder, which is empty again, and from one that holds a run; the mirror stays as it was."""
    make(tmp_path / "a").result()
    before = names(faulty)
    with pytest.raises(errors.PlanMismatchError, match=r"holds a run.*seed: 7 -> 8.*--accept-changes"):
        make(tmp_path / "b", seed=8).result()
    assert not [one for one in (tmp_path / "b").rglob("*") if one.is_file() and one.name != ".lock"]
    make(tmp_path / "c", mirror=None, seed=9).result()
    with pytest.raises(errors.PlanMismatchError, match=r"holds a run of another plan.*seed: 7 there, 9 here"):
        make(tmp_path / "c", seed=9).result()
    assert names(faulty) == before


def test_a_run_that_grows_grows_on_its_mirror(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem], tars_in: Callable[[Path], dict[str, bytes]]
) -> None:
    """As in a folder: what is made stays, what is new is made; who comes later has both, and who was there goes on."""
    more = {"generate": [{"strategy": "fake", "per_cell": 6, "settings": {"height": 32, "width": 32}}]}
    make(tmp_path / "a").result()
    assert made(make(tmp_path / "b", **more)) == 3
    for root in ("a", "c"):
        assert made(make(tmp_path / root, **more)) == 0
        assert tars_in(tmp_path / root) == tars_in(tmp_path / "b")


def test_a_run_begun_otherwise_elsewhere_is_refused(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """Its images would be others; the line says in what."""
    make(tmp_path / "a", options={"batch_size": 2, "limit": 5}).result()
    make(tmp_path / "b", mirror=None, options={"batch_size": 3, "limit": 5}).result()
    with pytest.raises(errors.PlanMismatchError, match=r"begun otherwise elsewhere .batch size 2 there, 3 here"):
        make(tmp_path / "b").result()


def test_other_bytes_of_one_shard_are_told(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither is overwritten, a line says whose is which, and the command does not end as if all were well."""
    make(tmp_path / "a", options={"limit": 5}).result()
    place = "/bucket/run/fake/00000.json"
    receipt = json.loads(faulty.store[place].getvalue())
    receipt = {key: value for key, value in receipt.items() if key not in ("sealed", "seal")} | {"sha256": "0" * 64}
    tar = (tmp_path / "a/fake/00000.tar").read_bytes() + b"more"
    fsspec.filesystem("faulty").pipe_file("/bucket/run/fake/00000.tar", tar)
    fsspec.filesystem("faulty").pipe_file(place, json.dumps(receipt).encode())
    with pytest.raises(errors.IncompleteError, match="1 work shards are not the same here and on"):
        make(tmp_path / "a", options={"limit": 5}).result()
    assert caplog.text.count("another machine made other bytes of this work shard") == 1
    assert faulty.store["/bucket/run/fake/00000.tar"].getvalue() == tar


def test_a_listing_that_names_what_is_no_file_of_a_run_is_refused(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """Nothing is written outside of the folder, or where code lies."""
    make(tmp_path / "a", options={"limit": 5}).result()
    from synthgen.core import seal

    for name in ("../evil", "adapters/../../evil", "setup.py"):
        content = seal.loads(faulty.store["/bucket/run/mirror.json"].getvalue())
        content["files"][name] = hashlib.sha256(b"evil").hexdigest()
        fsspec.filesystem("faulty").pipe_file("/bucket/run/mirror.json", seal.dumps(content))
        with pytest.raises(errors.SynthgenError, match=r"no file of a run|outside of it"):
            make(tmp_path / "b").result()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("", "it is empty"),
        ("nosuch://bucket/run", "fsspec knows no protocol `nosuch`"),
        ("s3://KEY:SE/CRET@bucket/run", r"s3://\*\*\*@bucket/run: holds what may be a secret"),
        ("az://bucket/run?sig=SECRET", r"\?\*\*\*: holds what may be a secret"),
        ("simplecache::s3://bucket/run", "one address inside another"),
        ("memory://", "names no folder"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, named: str, tmp_path: Path) -> None:
    """In one line, which repeats no secret."""
    with pytest.raises(errors.InputError, match=named) as caught:
        Mirror(address, tmp_path)
    assert len(caught.value.faults) == 1
    assert "CRET" not in str(caught.value)


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As what installs it."""
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    monkeypatch.delitem(fsspec.registry.target, "s3", raising=False) if hasattr(fsspec.registry, "target") else None
    with pytest.raises(errors.UnavailableError, match=r"pip install 'synthgen-images\[s3\]'"):
        Mirror("s3://bucket/run", tmp_path)


def test_secrets_of_the_environment_are_not_repeated(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a package says of them."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdefghijkl")
    faulty.fail = failing("write", PermissionError(errno.EACCES, "abcdefghijkl is wrong"))
    with pytest.raises(errors.UnavailableError, match=r"\*\*\* is wrong"):
        make(tmp_path / "a").result()


def test_a_store_is_asked_for_what_is_there_now(tmp_path: Path, faulty: type[FaultySystem]) -> None:
    """A file is created once alone, has its size, and what is not there has none."""
    store = Store(MIRROR)
    assert (store.create("x", b"one"), store.create("x", b"two")) == (True, False)
    assert (store.read("x"), store.size("x"), store.read("y"), store.size("y")) == (b"one", 3, None, None)
    assert run_file.is_run(tmp_path) is False


def test_a_machine_of_another_version_is_refused(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """What the mirror's run was begun with is pinned for all; the line says what to install."""
    make(tmp_path / "a", options={"limit": 5}).result()
    held = run_file.read(tmp_path / "a")
    for entry in held["entries"].values():
        entry["environment"]["versions"]["synthgen"] = "9.9.9"
    run_file.write(tmp_path / "a", held)
    make(tmp_path / "a", options={"limit": 1, "shards": (0, 1)}).result()
    with pytest.raises(errors.UnavailableError, match=r"begun with synthgen 9\.9\.9.*install that version"):
        make(tmp_path / "b").result()
    make(tmp_path / "c", mirror=None, options={"limit": 5}).result()
    with pytest.raises(errors.PlanMismatchError, match=r"begun otherwise elsewhere .synthgen 9\.9\.9 there"):
        make(tmp_path / "c").result()


def test_what_images_rest_on_is_kept_the_same(
    tmp_path: Path, make: Callable[..., Any], faulty: type[FaultySystem]
) -> None:
    """Adapters, real images that are kept, plug-ins and the salt travel; what is being written or scored does not."""
    rests = (
        "adapters/a/weights.safetensors",
        "adapters/.aside/a-1/adapter.json",
        "sources/0a",
        "plugin_files/scorers/x.py",
        ".pseudonyms",
    )
    apart = ("adapters/.b/state.safetensors", "scores/quality.parquet", "verdicts.parquet", "sources/.0b.host.1")
    make(tmp_path / "a", mirror=None).result()
    for name in rests + apart:
        path = tmp_path / "a" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    make(tmp_path / "a").result()
    make(tmp_path / "b").result()
    assert [(tmp_path / "b" / name).read_text() for name in rests] == list(rests)
    assert not [name for name in apart if (tmp_path / "b" / name).exists()]
    assert (tmp_path / "b/.pseudonyms").stat().st_mode & 0o077 == 0


def test_a_file_that_has_changed_on_both_sides_is_refused(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """It is named; one that has changed on one side alone is taken by the other."""
    for root in "ab":
        make(tmp_path / root).result()
    (tmp_path / "a/adapters/x").mkdir(parents=True)
    (tmp_path / "a/adapters/x/adapter.json").write_text("one")
    make(tmp_path / "a").result()
    make(tmp_path / "b").result()
    assert (tmp_path / "b/adapters/x/adapter.json").read_text() == "one"
    (tmp_path / "a/adapters/x/adapter.json").write_text("of a")
    make(tmp_path / "a").result()
    (tmp_path / "b/adapters/x/adapter.json").write_text("of b")
    with pytest.raises(errors.PlanMismatchError, match=r"adapters/x/adapter\.json: is another one than"):
        make(tmp_path / "b").result()


@pytest.mark.parametrize("hours", [-5, 0, 5])
def test_clocks_that_differ_by_hours_change_nothing(
    hours: int, faulty: type[FaultySystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign is as old as the store says that it is older than one's own, or as long as it has been seen unchanged."""
    monkeypatch.setattr(beat, "LEASE", 180.0)
    now, store = [1000.0], Store(MIRROR)
    monkeypatch.setattr(beat.time, "monotonic", lambda: now[0])
    mine = beat.Beat(store, "mine")
    for one in (mine, beat.Beat(store, "theirs"), beat.Beat(store, "lost")):
        one.tell()
    clock = datetime.now(UTC) + timedelta(hours=hours)
    for name, age in (("mine", 0), ("theirs", 20), ("lost", 400)):
        file = faulty.store[f"/bucket/run/.claims/machine-{name}.json"]
        file.modified = clock - timedelta(seconds=age)
    assert [mine.lives(name) for name in ("theirs", "lost", "nobody")] == [True, False, False]
    now[0] += 150.0
    assert mine.lives("theirs")
    now[0] += 20.0
    assert not mine.lives("theirs")
    beat.Beat(store, "theirs").tell()
    assert mine.lives("theirs")


def test_a_mirror_that_may_only_be_read_is_enough_to_bring(
    make: Callable[..., Any],
    tmp_path: Path,
    faulty: type[FaultySystem],
    unbroken: dict[str, bytes],
    tars_in: Callable[[Path], dict[str, bytes]],
) -> None:
    """As for verify, curate and pack."""
    make(tmp_path / "a").result()
    faulty.fail = failing("write", PermissionError(errno.EACCES, "Access Denied"))
    study.brought(tmp_path / "b", MIRROR)
    assert tars_in(tmp_path / "b") == unbroken


def test_a_disk_that_is_full_here_is_not_said_of_the_mirror(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """The file that has no room is named; what came before stays."""
    make(tmp_path / "a").result()
    faulty.fail = failing("read", OSError(errno.ENOSPC, "No space left on device"), at="00003.tar")
    with pytest.raises(OSError, match=r"No space left on device: .*b/fake/00003\.tar"):
        study.brought(tmp_path / "b", MIRROR)


def test_the_salt_of_pseudonyms_is_copied_by_whoever_packs(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing else tells it; where it can't be copied a line says to keep it, and the dataset is packed."""
    for root in "ab":
        make(tmp_path / root).result()
    salt = hashlib.sha256(b"0" * 64).hexdigest()
    (tmp_path / "a/.pseudonyms").write_bytes(b"0" * 64)
    faulty.fail = failing("write", PermissionError(errno.EACCES, "Access Denied"))
    study.pack(tmp_path / "a", tmp_path / "dataset", mirror=MIRROR).result()
    assert "keep a copy of" in caplog.text
    faulty.fail = staticmethod(lambda *_: None)
    study.pack(tmp_path / "a", tmp_path / "dataset", mirror=MIRROR).result()
    assert f".state/{salt}" in names(faulty)
    study.brought(tmp_path / "b", MIRROR)
    assert (tmp_path / "b/.pseudonyms").read_bytes() == b"0" * 64


def test_images_are_made_while_the_mirror_takes_its_time(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem]
) -> None:
    """No shard is copied before all are made, and none is missing at the end."""
    all_made = threading.Event()

    def wait(what: str, path: str) -> None:
        if what == "write" and path.endswith(".tar"):
            assert all_made.wait(240)

    faulty.fail = staticmethod(wait)
    for seen, _ in enumerate(make(tmp_path / "a"), 1):
        if seen == 5:
            assert not [name for name in names(faulty) if name.endswith(".tar")]
            all_made.set()
    assert len([name for name in names(faulty) if name.endswith(".tar")]) == 5


def test_a_plan_that_is_changed_elsewhere_meanwhile_keeps_what_is_made_here(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem], tars_in: Callable[[Path], dict[str, bytes]]
) -> None:
    """A line says so, nothing of the old plan is copied over the new one, and the new manifest goes on."""
    more = {"generate": [{"strategy": "fake", "per_cell": 6, "settings": {"height": 32, "width": 32}}]}
    task = make(tmp_path / "a")
    next(task)
    make(tmp_path / "b", **more).result()
    run_file.write(tmp_path / "a", run_file.read(tmp_path / "a") | {"touched": True})  # as a pin that is added
    with pytest.raises(errors.IncompleteError, match=r"follows another plan since.*per_cell: 6 there, 4 here"):
        task.result()
    assert len(tars_in(tmp_path / "a")) == 5
    make(tmp_path / "a", **more).result()
    assert tars_in(tmp_path / "a") == tars_in(tmp_path / "b")


def test_what_is_set_aside_travels_and_counts_again(
    make: Callable[..., Any], tmp_path: Path, faulty: type[FaultySystem], tars_in: Callable[[Path], dict[str, bytes]]
) -> None:
    """Another plan, accepted, is every machine's from then on; going back makes nothing anew."""
    accepted = {"accept_changes": True}
    make(tmp_path / "a").result()
    assert made(make(tmp_path / "b", options=accepted, seed=8)) == 5
    assert made(make(tmp_path / "c", seed=8)) == 0
    assert len(tars_in(tmp_path / "c")) == 10
    assert made(make(tmp_path / "d", options=accepted)) == 0
    assert made(make(tmp_path / "a")) == 0
    assert tars_in(tmp_path / "a") == tars_in(tmp_path / "d") == tars_in(tmp_path / "c")
