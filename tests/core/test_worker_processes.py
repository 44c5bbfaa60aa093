"""Worker processes that die are replaced; what they were at is done by others, and what they said is seen once."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.core import worker_processes
from synthgen.errors import InputError, LostWorkError, StoppedError, SynthgenError

WORK = """
import logging, os, signal, sys
from dataclasses import dataclass
from pathlib import Path
from synthgen.core.worker_main import stop_asked
from synthgen.errors import InputError, StoppedError

@dataclass(frozen=True)
class Done:
    item: int
    worker: str

@dataclass
class Work:
    folder: Path
    deaths: dict
    unlucky: int = -1
    waits: int = -1

    def __call__(self, items):
        for item in items:
            logging.getLogger("synthgen.test").warning("careful")
            print("library speaks", file=sys.stderr, flush=True)
            if item == self.unlucky:
                raise InputError(f"{item} is unlucky")
            died = len(list(self.folder.glob(f"{item}-*")))
            if died < self.deaths.get(item, 0):
                (self.folder / f"{item}-{died}").touch()
                print(f"no room for {item}", file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            while item == self.waits:
                if stop_asked():
                    raise StoppedError("stopped")
            yield Done(item, os.environ["PLACE"])
"""


class Broken:
    """Work that no process can take over, as where a module is missing there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return __import__, ("no_such_module",)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes work of a module that worker processes find too."""
    (tmp_path / "worker_test_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    module = __import__("worker_test_work")
    return lambda **options: module.Work(deaths, **{"deaths": {}} | options)


def places(count: int) -> list[dict[str, str]]:
    """The environment of so many workers."""
    return [{"PLACE": str(number)} for number in range(count)]


def keep(results: Any, kept: list[int]) -> None:
    """Keep each item as it comes, so that what was there before an error is seen."""
    for result in results:
        kept.append(result.item)


def test_workers_that_die_are_replaced(
    work: Callable[..., Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """One item ends a worker once and one always: all others are done, the deadly one is named with its last words.

    What both workers log, and what they write to stderr, is seen once; each has its own environment.
    """
    kept = list[int]()
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(LostWorkError, match=r"^3: .*SIGKILL.*no room for 3") as caught,
    ):
        keep(worker_processes.run(work(deaths={1: 1, 3: 99}), range(6), places(2), lambda: False), kept)
    assert sorted(kept) == [0, 1, 2, 4, 5]
    assert caught.value.items == (3,)
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("careful") == 1
    assert sum("a worker died" in message for message in messages) == 4
    assert capfd.readouterr().err.splitlines().count("library speaks") == 1
    assert "PLACE" not in os.environ


def test_a_stop_reaches_work_in_the_middle_of_an_item(work: Callable[..., Any]) -> None:
    """What is finished is yielded, and then it is said that it was stopped."""
    kept = list[int]()
    with pytest.raises(StoppedError):
        keep(worker_processes.run(work(waits=2), range(9), places(1), lambda: len(kept) == 2), kept)
    assert kept == [0, 1]


@pytest.mark.parametrize("broken", [False, True])
def test_an_error_of_a_worker_is_raised_here(work: Callable[..., Any], broken: bool) -> None:
    """An error on purpose arrives as it is; a worker that can't take over its work is said in a line."""
    what, error, said = (
        (Broken(), SynthgenError, "no_such_module") if broken else (work(unlucky=0), InputError, "^0 is unlucky$")
    )
    with pytest.raises(error, match=said):
        list(worker_processes.run(what, [0, 1], places(1), lambda: False))
