"""A process killed at any moment, again and again, is resumed to the bytes of an unbroken run."""

import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from synthgen.plan.manifest.settings import Extensions
from synthgen.runs.verify import verify

pytestmark = pytest.mark.slow

KILLS = 8
Start = Callable[..., BaseProcess]


def shards(root: Path) -> list[str]:
    """The tars and receipts there are."""
    return sorted(path.name for path in root.glob("fake/*") if not path.name.startswith("."))


def leftovers(root: Path) -> list[str]:
    """Hidden files below a run that are not its lock."""
    hidden = (
        path for path in root.rglob("*") if (path.is_file() and path.parent.name == ".scratch") or path.name[0] == "."
    )
    return sorted(path.name for path in hidden if path.name not in (".lock", ".scratch"))


def kill_later(process: BaseProcess, root: Path, delay: float) -> bool:
    """Kill a process so many seconds after the first new file of a shard; False where it was done before."""
    before, deadline = shards(root), time.monotonic() + 60
    while process.is_alive() and shards(root) == before:
        assert time.monotonic() < deadline, "nothing was made in a minute"
        time.sleep(0.002)
    process.join(delay)
    process.kill()
    return ended(process) == -signal.SIGKILL


def ended(process: BaseProcess) -> int | None:
    """The exit code of a process, once it has ended."""
    process.join(120)
    return process.exitcode


@pytest.fixture
def manifest(write_manifest: Callable[..., Path]) -> Path:
    """A manifest of 81 shards, each of which takes a fiftieth of a second and more."""
    settings = {"height": 32, "width": 32, "seconds": 0.02}
    return write_manifest(
        generate=[{"strategy": "fake", "per_cell": 54, "settings": settings}],
        output={"image_format": "png", "shard_samples": 4},
    )


@pytest.fixture
def short(write_manifest: Callable[..., Path]) -> Path:
    """A manifest of five shards."""
    return write_manifest()


def test_killed_at_random_moments(
    manifest: Path, tmp_path: Path, extensions: Extensions, tars_in: Any, in_a_fork: Start
) -> None:
    """After eight kills the run ends byte-equal with an unbroken one, whole, and without scratch."""
    unbroken = in_a_fork("make", manifest, tmp_path / "unbroken")
    moments, killed = random.Random(0), 0
    for _ in range(KILLS):
        process = in_a_fork("make", manifest, tmp_path / "run")
        killed += kill_later(process, tmp_path / "run", moments.uniform(0, 0.12))
    assert ended(in_a_fork("make", manifest, tmp_path / "run")) == 0
    assert ended(unbroken) == 0
    assert killed >= KILLS - 2
    assert tars_in(tmp_path / "run") == tars_in(tmp_path / "unbroken")
    assert {finding.state for finding in verify(tmp_path / "run", extensions)} == {"whole"}
    assert leftovers(tmp_path / "run") == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["00001.tar", "00001.json", "run.json"])
def test_killed_at_a_rename(short: Path, extensions: Extensions, name: str, when: str, in_a_fork: Start) -> None:
    """Killed just before or after a file gets its name, a run leaves nothing that the next does not put right."""
    run = short.with_name("run")
    assert ended(in_a_fork("make", short, run, name, when)) == -signal.SIGKILL
    assert ended(in_a_fork("make", short, run)) == 0
    assert [finding.state for finding in verify(run, extensions)] == ["whole"] * 5
    assert leftovers(run) == []


def test_two_processes_at_once_make_one_run(
    short: Path, tmp_path: Path, extensions: Extensions, tars_in: Any, in_a_fork: Start
) -> None:
    """Two processes that make the same shards in one folder end with the bytes of one."""
    both = [in_a_fork("make", short, tmp_path / "two") for _ in range(2)]
    assert [ended(process) for process in both] == [0, 0]
    assert ended(in_a_fork("make", short, tmp_path / "one")) == 0
    assert tars_in(tmp_path / "two") == tars_in(tmp_path / "one")
    assert {finding.state for finding in verify(tmp_path / "two", extensions)} == {"whole"}
    assert leftovers(tmp_path / "two") == []
