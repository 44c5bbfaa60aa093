"""What the tests of the commands share: the command line called in this process, and one run and its dataset."""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from synthgen import study
from synthgen.cli import call
from synthgen.plan import Plan
from synthgen.runs.receipts import Receipt


class Said(NamedTuple):
    """What a command left behind: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """Undo what ``-v`` and ``-q`` do to the log."""
    log = logging.getLogger("synthgen")
    before = log.level
    yield
    log.setLevel(before)


@pytest.fixture
def synthgen(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Calls a command; returns its exit code and what it printed."""

    def command(*arguments: object) -> Said:
        capsys.readouterr()
        code = call([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return command


@pytest.fixture
def refused(synthgen: Callable[..., Said]) -> Callable[..., list[str]]:
    """Calls a command that has to be refused as bad usage: exit 2, a line a fault; returns the faults."""

    def command(*arguments: object) -> list[str]:
        said = synthgen(*arguments)
        lines = said.err.splitlines()
        assert said.code == 2
        assert said.out == ""
        assert lines
        assert [line for line in lines if not line.startswith("error: ")] == []
        return [line.removeprefix("error: ") for line in lines]

    return command


@pytest.fixture(scope="session")
def made(
    make_plan: Callable[..., Plan],
    make_images: Callable[..., list[Receipt]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The run of the small manifest, whole, and packed beside it; nobody changes either."""
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        make_images(make_plan(), root / "run")
        list(study.pack(root / "run", root / "dataset"))
    return root


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of the whole run to do things to."""
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


@pytest.fixture
def dataset(made: Path, tmp_path: Path) -> Path:
    """A copy of the packed dataset to do things to."""
    return Path(shutil.copytree(made / "dataset", tmp_path / "dataset"))
