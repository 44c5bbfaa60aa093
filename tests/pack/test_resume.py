"""A pack killed at any moment goes on, and ends in the bytes of an unbroken one."""

import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from synthgen import study
from synthgen.core import seal
from synthgen.errors import DamagedError, InputError

Start = Callable[..., BaseProcess]


@pytest.fixture
def start(in_a_fork: Start) -> Start:
    """Packs in a process of its own that kills itself at the rename of a file."""
    return lambda run, out, die_at, when="after", workers=1: in_a_fork("pack", run, out, die_at, when, workers)


def ended(process: BaseProcess) -> int | None:
    """The exit code of a process, once it has ended."""
    process.join(60)
    return process.exitcode


def scratch_of(out: Path) -> Path:
    """The one scratch folder of a dataset that is not whole yet."""
    (found,) = (path for path in out.parent.iterdir() if path.name.startswith(f".{out.name}.") and path.is_dir())
    return found


@pytest.fixture(scope="module")
def unbroken(small: Path, tree: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the dataset as an unbroken pack writes it."""
    out = tmp_path_factory.mktemp("unbroken") / "dataset"
    list(study.pack(small, out))
    return dict(tree(out))


@pytest.mark.slow
@pytest.mark.parametrize(
    "death",
    [
        ("order.sqlite", "after"),
        ("train-00001-of-00004.tar", "after"),
        ("provenance.json", "before"),
        ("dataset", "before"),
        ("dataset", "after"),
    ],
)
def test_killed_at_a_rename(
    *, death: tuple[str, str], small: Path, tree: Any, unbroken: Any, tmp_path: Path, start: Start
) -> None:
    """Killed just before or after a file gets its name, the next pack ends in the same bytes and nothing else."""
    out = tmp_path / "dataset"
    assert ended(start(small, out, *death)) == -signal.SIGKILL
    assert out.exists() == (death == ("dataset", "after"))
    list(study.pack(small, out))
    assert tree(out) == unbroken
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


@pytest.mark.slow
def test_finished_shards_are_kept(small: Path, tree: Any, unbroken: Any, tmp_path: Path, start: Start) -> None:
    """Shards with a receipt are not written again: their files are the very ones."""
    out = tmp_path / "dataset"
    assert ended(start(small, out, "train-00001-of-00004.json")) == -signal.SIGKILL
    data = scratch_of(out) / "dataset" / "data"
    before = {path.name: path.stat().st_ino for path in data.iterdir()}
    assert sorted(before) == ["train-00000-of-00004.tar", "train-00001-of-00004.tar"]
    assert len(list(study.pack(small, out))) == 4
    assert {name: (out / "data" / name).stat().st_ino for name in before} == before
    assert tree(out) == unbroken


@pytest.mark.slow
@pytest.mark.usefixtures("workers_without_torch")
def test_workers_end_with_a_killed_parent(small: Path, tree: Any, unbroken: Any, tmp_path: Path, start: Start) -> None:
    """Two workers write the bytes of one; killed with -9, none lives on, and one worker goes on from there."""
    import psutil

    out = tmp_path / "dataset"
    process = start(small, out, "provenance.json", "before", workers=2)
    children: set[Any] = set()
    while process.is_alive():
        time.sleep(0.02)
        with suppress(psutil.NoSuchProcess):
            children |= set(psutil.Process(process.pid).children())
    assert process.exitcode == -signal.SIGKILL
    assert len(children) >= 2
    assert psutil.wait_procs(children, timeout=10)[1] == []
    shards = {path.name: path.read_bytes() for path in (scratch_of(out) / "dataset" / "data").iterdir()}
    assert shards == {Path(name).name: content for name, content in unbroken.items() if name.startswith("data/")}
    list(study.pack(small, out))
    assert tree(out) == unbroken


def begin(run: Path, out: Path) -> None:
    """Break a pack off after its first shard."""
    packing = study.pack(run, out)
    next(packing)
    packing.close()


def test_leftovers_of_another_dataset_are_not_confused(
    small: Path, run_of: Callable[..., Path], tree: Any, unbroken: Any, tmp_path: Path
) -> None:
    """Another run's half pack for the same folder adds nothing, and goes once the folder is taken."""
    out = tmp_path / "dataset"
    begin(run_of(seed=8, pack={"images_per_shard": 7}, publish={"license": "openrail"}), out)
    begin(small, out)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2
    list(study.pack(small, out))
    assert tree(out) == unbroken
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_scratch_of_a_like_named_dataset_stays(small: Path, tmp_path: Path) -> None:
    """What is left of `dataset.b` is not `dataset`'s to remove."""
    begin(small, tmp_path / "dataset.b")
    list(study.pack(small, tmp_path / "dataset"))
    assert scratch_of(tmp_path / "dataset.b").is_dir()


def test_two_at_once_are_refused(small: Path, tree: Any, unbroken: Any, tmp_path: Path) -> None:
    """While one packs, another is told so, and the first ends as if alone."""
    out = tmp_path / "dataset"
    packing = study.pack(small, out)
    next(packing)
    with pytest.raises(InputError, match=f"^{re.escape(str(out))}: another process"):
        next(study.pack(small, out))
    assert len(list(packing)) == 3
    assert tree(out) == unbroken


def test_a_receipt_is_kept_but_never_a_half_shard(small: Path, tree: Any, unbroken: Any, tmp_path: Path) -> None:
    """A shard without its receipt, whatever its bytes, is written again."""
    out = tmp_path / "dataset"
    begin(small, out)
    (scratch_of(out) / "dataset" / "data" / "train-00002-of-00004.tar").write_bytes(b"half")
    list(study.pack(small, out))
    assert tree(out) == unbroken


def test_one_key_in_two_work_shards_is_damage(run_of: Callable[..., Path], tmp_path: Path) -> None:
    """A work shard that another took the place of, with a receipt to match, is found before anything is written."""
    run = run_of()
    content = (run / "fake" / "00001.tar").read_bytes()
    receipt = seal.loads((run / "fake" / "00001.json").read_bytes())
    (run / "fake" / "00000.tar").write_bytes(content)
    stat = (run / "fake" / "00000.tar").stat()
    receipt |= {"shard": 0, "mtime_ns": stat.st_mtime_ns}
    (run / "fake" / "00000.json").write_bytes(seal.dumps(receipt))
    with pytest.raises(DamagedError, match=f"^{re.escape(str(run))}: "):
        list(study.pack(run, tmp_path / "dataset"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_in_the_way_loses_nothing(small: Path, tmp_path: Path) -> None:
    """Where the folder is not empty any more, the finished shards wait, and the same pack goes on once it is."""
    out = tmp_path / "dataset"
    packing = study.pack(small, out)
    next(packing)
    out.mkdir()
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=f"^{re.escape(str(out))}: "):
        list(packing)
    shards = {path.name: path.stat().st_ino for path in tmp_path.rglob("train-*.tar")}
    assert len(shards) == 4
    (out / "notes.txt").unlink()
    list(study.pack(small, out))
    assert {path.name: path.stat().st_ino for path in out.rglob("train-*.tar")} == shards
