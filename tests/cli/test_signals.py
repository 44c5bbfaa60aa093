"""A signal ends any command with exit code 75, wherever it is, and the same command goes on."""

import gc
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import study
from synthgen.cli import _signals
from synthgen.core import atomic, processes
from synthgen.core.signals import STOPPING
from synthgen.runs import tar_samples

Synthgen = Callable[..., Any]
KEY = "fake-psoriasis-1-0000000"


def contents(root: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder but receipts, which tell times."""
    files = (one for one in root.rglob("*") if one.is_file() and not one.name.startswith("."))
    return {one.relative_to(root).as_posix(): one.read_bytes() for one in files if one.parent.name != "fake"}


def signals_at(number: int, module: Any, name: str, patch: pytest.MonkeyPatch) -> None:
    """Have the first call of a function send this process a signal, after which another one would kill it."""
    real, sent = getattr(module, name), list[bool]()

    def sends(*args: Any, **kwargs: Any) -> Any:
        if not sent:
            sent.append(True)
            try:
                os.kill(os.getpid(), number)
            finally:
                assert {signal.getsignal(one) for one in STOPPING} == {signal.SIG_DFL}
        return real(*args, **kwargs)

    patch.setattr(module, name, sends)


@pytest.mark.parametrize(
    ("arguments", "at", "number"),
    [
        (["generate", "MANIFEST", "--out", "new"], (atomic, "publish"), "SIGUSR1"),
        (["generate", "MANIFEST", "--out", "new"], (atomic, "publish"), "SIGHUP"),
        (["verify", "run"], (tar_samples, "read"), "SIGTERM"),
        (["verify", "run"], (tar_samples, "read"), "SIGHUP"),
        (["reproduce", "run", KEY, "--out", "one.png"], (tar_samples, "read"), "SIGINT"),
        (["preview", "run", "--out", "page.html"], (tar_samples, "read"), "SIGTERM"),
        (["pack", "run", "--out", "new"], (atomic, "publish"), "SIGTERM"),
        (["pack", "run", "--out", "new"], (atomic, "publish"), "SIGUSR1"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0] if isinstance(value, list) else "",
)
def test_any_command_is_stopped_by_any_of_them(
    arguments: list[str],
    at: tuple[Any, str],
    number: str,
    synthgen: Synthgen,
    write_manifest: Callable[..., Path],
    *,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once it stops, twice would kill it; the same command again leaves what an unbroken one does."""
    monkeypatch.chdir(run.parent)
    asked = [str(write_manifest()) if one == "MANIFEST" else one for one in arguments]
    before = {one: signal.getsignal(one) for one in STOPPING}
    with monkeypatch.context() as patch:
        signals_at(signal.Signals[number], *at, patch)
        said = synthgen(*asked)
    assert (said.code, said.err.splitlines()[-1]) == (75, f"error: {_signals.STOPPED}")
    assert {one: signal.getsignal(one) for one in STOPPING} == before
    assert synthgen(*asked).code == 0
    if "new" in asked:
        assert synthgen(*[f"{one}er" if one == "new" else one for one in asked]).code == 0
        assert contents(run.parent / "new") == contents(run.parent / "newer")


def test_what_does_not_ask_for_long_is_interrupted(
    synthgen: Synthgen, write_manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that goes on for minutes is waited for a few seconds alone."""
    monkeypatch.setattr(_signals, "_PATIENCE", 0.1)
    settings = {"height": 32, "width": 32}
    manifest = write_manifest(generate=[{"strategy": "fake", "per_cell": 4, "settings": settings | {"seconds": 60}}])
    slept = time.sleep

    def sleeps(seconds: float) -> None:
        if seconds > 1:
            os.kill(os.getpid(), signal.SIGTERM)
        slept(seconds)

    monkeypatch.setattr(time, "sleep", sleeps)
    began = time.monotonic()
    said = synthgen("generate", manifest, "--out", tmp_path / "run", "-q")
    assert said.code == 75
    assert time.monotonic() - began < 30


def test_what_was_not_begun_when_it_is_interrupted_says_nothing(
    synthgen: Synthgen, write_manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making images was prepared and never asked for: that is no mistake of the user's to warn of."""
    prepared = study.generate

    def prepares(*args: Any, **kwargs: Any) -> Any:
        task = prepared(*args, **kwargs)
        if task.stage.total:
            raise _signals.Interrupted

    monkeypatch.setattr(study, "generate", prepares)
    said = synthgen("generate", write_manifest(), "--out", tmp_path / "run")
    gc.collect()
    assert (said.code, said.err.splitlines()[-1:]) == (75, [f"error: {_signals.STOPPED}"])
    assert "never iterated" not in said.err


def test_ignored_signals_stay_ignored(synthgen: Synthgen, run: Path) -> None:
    """As nohup asks for it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.MonkeyPatch.context() as patch:
            real = tar_samples.read
            patch.setattr(tar_samples, "read", lambda *args: (os.kill(os.getpid(), signal.SIGHUP), real(*args))[1])
            assert synthgen("verify", run).code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def _hang(folder: str) -> None:
    for number in STOPPING:
        os.kill(os.getpid(), number)
    (Path(folder) / "alive").touch()
    time.sleep(300)


def test_workers_leave_signals_to_the_command_and_end_with_it(tmp_path: Path) -> None:
    """A job's signal reaches all of its processes; what interrupts the first ends the others at once."""
    began = time.monotonic()

    def interrupted() -> None:
        with processes.pool(1) as pool:
            pool.submit(_hang, str(tmp_path))
            while not (tmp_path / "alive").exists() and time.monotonic() - began < 60:
                time.sleep(0.02)
            raise _signals.Interrupted

    with pytest.raises(_signals.Interrupted):
        interrupted()
    assert (tmp_path / "alive").exists()
    assert time.monotonic() - began < 60
