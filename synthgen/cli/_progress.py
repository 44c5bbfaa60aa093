"""Shows progress: a bar with rate and time left on a terminal, plain lines when piped; and hears signals."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

import click

from synthgen.errors import StoppedError


class Progress:
    """Counts images as they are made.

    Args:
        total: Images in all.
        done: Images that were there before.
        quiet: Show nothing.
    """

    def __init__(self, total: int, done: int = 0, *, quiet: bool = False, unit: str = "images") -> None:
        self._total, self._done, self._before, self._unit = total, done, done, unit
        self._plain = not quiet and not sys.stderr.isatty()
        self._began, self._spent = time.monotonic(), 0.0
        self._bar: Any = None
        if not quiet and not self._plain:
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, unit=f" {unit}", dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, count: int, what: str, seconds: float | None = None) -> None:
        """So many more are done; ``what`` names them in a plain line.

        The rate is over ``seconds``, what the work itself took, where that is known, so that start-up does not count.
        """
        self._done += count
        self._spent += seconds or 0.0
        if self._bar is not None:
            self._bar.update(count)
        elif self._plain:
            spent = self._spent or time.monotonic() - self._began
            rate = (self._done - self._before) / spent if spent > 0 else 0.0
            left = f", {_duration((self._total - self._done) / rate)} left" if rate and self._done < self._total else ""
            counted = f"{self._done:,} of {self._total:,} {self._unit}"
            click.echo(f"{what}: {counted}, {rate:.1f} a second{left}", err=True)


class Steps:
    """Counts the steps of trainings from what each says of how far it is; one that goes on begins where it was."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def more(self, step: Any) -> int:
        """The steps that a :class:`synthgen.finetune.Step` adds to those that are known."""
        added: int = step.step - self._known.get(step.adapter, 0)
        self._known[step.adapter] = step.step
        return added


def _duration(seconds: float) -> str:
    """Seconds in words: ``45 s``, ``3 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60:,} h {minutes % 60:02d} min"


duration = _duration


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Turn a first SIGTERM or SIGINT into a question that work asks itself; a second one ends at once."""
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def hear(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)
        click.echo("stopping after this batch; once more stops at once", err=True)

    for number in before:
        signal.signal(number, hear)
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stages:
    """Shows what a verb tells of its preparations: a bar for each, or twenty plain lines; raises to stop.

    Args:
        stop: Whether a signal asked to stop.
        quiet: Show nothing.
    """

    def __init__(self, stop: Callable[[], bool], *, quiet: bool) -> None:
        self._stop, self._quiet = stop, quiet
        self._what, self._done, self._bar = "", 0, Progress(0, quiet=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, what: str, done: int, total: int) -> None:
        """So much of something is done, of so much; raises StoppedError once a signal asked to stop."""
        if self._stop():
            raise StoppedError(f"stopped by a signal while {what}; run the same command again to go on")
        if what != self._what:
            self.close()
            self._what, self._done = what, done
            self._bar = Progress(total, done, quiet=self._quiet)
        if done == total or done - self._done >= total / 20:
            self._bar.step(done - self._done, what)
            self._done = done

    def close(self) -> None:
        """End the bar that is shown."""
        self._bar.__exit__()
        self._what, self._bar = "", Progress(0, quiet=True)
