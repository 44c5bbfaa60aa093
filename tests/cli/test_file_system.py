"""What the file system refuses is one line that says where and what to do, and nothing is lost."""

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from synthgen.core import atomic


@pytest.fixture
def below_a_file(tmp_path: Path) -> Path:
    """A path whose parent is a file."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    return tmp_path / "notes.txt" / "out"


def test_a_folder_below_a_file_is_bad_usage(
    refused: Callable[..., list[str]], write_manifest: Callable[..., Path], below_a_file: Path
) -> None:
    """`generate` and `phantom` refuse it in one line that names it."""
    for command in (["generate", write_manifest()], ["phantom", "--per-cell", 1, "--seed", 1]):
        faults = refused(*command, "--out", below_a_file)
        assert len(faults) == 1
        assert "notes.txt" in faults[0]
        assert "not a directory" in faults[0]
    assert below_a_file.parent.read_text(encoding="utf-8") == "mine"


def test_a_result_below_a_file_is_bad_usage(
    refused: Callable[..., list[str]],
    synthgen: Callable[..., Any],
    write_manifest: Callable[..., Path],
    tmp_path: Path,
    below_a_file: Path,
) -> None:
    """`pack`, `preview` and `reproduce` refuse it in one line that names the file."""
    run = tmp_path / "run"
    assert synthgen("generate", write_manifest(), "--out", run, "-q").code == 0
    key = "fake-psoriasis-1-0000000"
    for command in (["pack", run], ["preview", run], ["reproduce", run, key]):
        suffix = {"preview": ".html", "reproduce": ".png"}.get(command[0], "")
        [fault] = refused(*command, "--out", below_a_file.with_suffix(suffix))
        assert "notes.txt" in fault


def test_a_full_disk_says_what_to_do(
    synthgen: Callable[..., Any],
    write_manifest: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 1 and one line; once there is room, the same command goes on."""
    command = ["generate", write_manifest(), "--out", tmp_path / "run", "-q"]
    with monkeypatch.context() as full:

        def no_room(path: Path, _content: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        full.setattr(atomic, "write", no_room)
        said = synthgen(*command)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert "no space left on device; make room, then run the same command again" in said.err
    assert synthgen(*command).code == 0


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file become larger, as where a disk or a quota has no more room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "command",
    [
        "generate MANIFEST --out new",
        "curate run --manifest MANIFEST",
        "pack run --out new",
        "pack run --out new --format parquet",
        "pack run --out new --format imagefolder",
        "preview run --out new.html",
        "reproduce run fake-psoriasis-1-0000000 --out new.png",
        "phantom --out new --per-cell 1 --seed 1 --label psoriasis --tone 1",
    ],
)
@pytest.mark.parametrize("size", [0, 700])
def test_no_room_is_one_line_that_names_the_file(
    command: str,
    size: int,
    synthgen: Callable[..., Any],
    write_manifest: Callable[..., Path],
    *,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever file it is that does not fit, and whatever library writes it; with room the same command goes on."""
    monkeypatch.chdir(run.parent)
    manifest = str(write_manifest(curate={"scorers": {"fake": {}}, "keep": ["fake.chance < 2"]}))
    asked = [manifest if one == "MANIFEST" else one for one in command.split()]
    with room_for(size):
        said = synthgen(*asked, "-q")
    (line,) = said.err.splitlines()
    assert said.code == 1
    assert line.startswith("error: ")
    assert "run.json" in line or "new" in line or "run/" in line
    assert line.endswith(", then run the same command again")
    assert synthgen(*asked, "-q").code == 0
    assert [one.name for one in run.parent.rglob(".*") if "new" in one.name and not one.name.endswith(".lock")] == []


def test_a_fault_that_is_ours_shows_its_traceback(
    synthgen: Callable[..., Any], write_manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An OSError that no user can cure is not dressed up as their mistake."""

    def broken(_path: Path, _content: bytes) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(atomic, "write", broken)
    with pytest.raises(OSError, match="Bad file descriptor"):
        synthgen("generate", write_manifest(), "--out", tmp_path / "run")
