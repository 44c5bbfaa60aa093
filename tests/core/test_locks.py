"""Locks hold between processes, on file systems that know none too; folders that can't be synced are no fault."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from synthgen.core import atomic, locks
from synthgen.errors import InputError
from synthgen.plan import throughput

NO_LOCKS = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS]


@pytest.fixture(params=[None, *NO_LOCKS])
def flock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own locks, and file systems that answer each in its way that they have none."""

    def fails(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    if request.param:
        monkeypatch.setattr(fcntl, "flock", fails)


@pytest.mark.usefixtures("flock")
def test_a_lock_is_held_by_one_and_let_go_of(tmp_path: Path) -> None:
    """Whoever asks meanwhile is told so in the words given, and has it once the first is done."""
    path = tmp_path / ".lock"
    with locks.held(path, "busy"), pytest.raises(InputError, match="busy"), locks.held(path, "busy"):
        pass
    with locks.held(path, "busy"), locks.held(tmp_path / ".other"):
        pass
    assert {one.name for one in tmp_path.iterdir()} <= {".lock", ".other"}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_folder_that_cant_be_synced_is_no_fault(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network folders refuse to sync a folder; a file that can't be synced is a fault still."""
    sync = os.fsync
    folders = [True]

    def refuses(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode) == folders[0]:
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr(os, "fsync", refuses)
    atomic.write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    folders[0] = False
    with pytest.raises(OSError, match=os.strerror(number)):
        atomic.write(tmp_path / "a", b"newer")


@pytest.mark.parametrize("fault", [PermissionError("/.cache"), OSError(errno.EDQUOT, "quota"), RuntimeError("no home")])
def test_a_home_that_cant_be_written_is_no_fault(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast it went is not kept then, and not known of the next plan."""

    def fails() -> Path:
        raise fault

    monkeypatch.setattr(throughput, "path", fails)
    recipe = type("R", (), {"model": type("M", (), {"name": "m"}), "strategy": "s"})()
    recipe.settings = type("S", (), {"width": 8, "height": 8, "passes": 1})()
    throughput.note(recipe, "png", images=1, seconds=1, stored=1)
    assert throughput.seconds(recipe, "png", 1) is None
