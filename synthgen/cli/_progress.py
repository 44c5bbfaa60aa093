"""Progress, as a bar with rate and time left on a terminal and as plain lines when piped."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from synthgen.cli import _signals
from synthgen.cli._terminal import say
from synthgen.errors import StoppedError

if TYPE_CHECKING:
    from synthgen.study import Stage

_MEASURABLE = 0.5  # seconds below which no rate is said


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
            elapsed = time.monotonic() - self._began
            spent = min(self._spent or elapsed, elapsed)  # several workers spend more than a second a second
            done = self._done - self._before
            counted = f"{self._done:,} of {self._total:,} {self._unit}"
            if spent >= _MEASURABLE and done:  # what takes no time has no rate that says anything
                remaining = duration((self._total - self._done) * spent / done)
                counted += f", {rate(done / spent)}" + (f", {remaining} left" if self._done < self._total else "")
            say(f"{what}: {counted}", err=True)


class Events:
    """Shows what verbs yield: a bar for each stage, or plain lines.

    Args:
        quiet: Show nothing.
        named: Say the verb of each stage too.
    """

    def __init__(self, *, quiet: bool, named: bool = False) -> None:
        self._quiet, self._named = quiet, named
        self._shown, self._bar = ExitStack(), Progress(0, quiet=True)
        self._steps: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()

    def begin(self, stage: "Stage") -> None:
        """A stage begins: its bar takes the place of the one before."""
        self._shown.close()
        if self._named and not self._quiet:
            say(f"{stage.verb} ...", err=True)
        bar = Progress(stage.total, stage.done, quiet=self._quiet or not stage.total, unit=stage.unit)
        self._bar = self._shown.enter_context(bar)

    def end(self) -> None:
        """The stage ends, and its bar with it."""
        self._shown.close()
        self._bar = Progress(0, quiet=True)

    def step(self, count: int, what: str, seconds: float | None = None) -> None:
        """So many more of the stage are done, as of :meth:`Progress.step`."""
        self._bar.step(count, what, seconds)

    def show(self, event: object) -> None:
        """Show one event of a verb; one that nothing is shown of is passed over."""
        from synthgen.curate import Scored
        from synthgen.evaluate import ClassifierTraining
        from synthgen.finetune import Step
        from synthgen.pack import PackedShard
        from synthgen.runs.receipts import Receipt
        from synthgen.study import Stage

        match event:
            case Stage():
                self.begin(event)
            case Step():
                self.step(event.step - self._steps.get(event.adapter, 0), event.adapter, event.seconds)
                self._steps[event.adapter] = event.step
            case Receipt():
                self.step(len(event.samples), f"{event.entry} {event.shard:05d}", event.timing["seconds"])
            case Scored():
                self.step(event.images, f"{event.scorer} {event.entry} {event.shard:05d}")
            case PackedShard():
                self.step(event.samples, event.path)
            case ClassifierTraining():
                self.step(1, "training")


def size(count: float) -> str:
    """Bytes in the unit that reads best: ``340 kB``, ``1.2 MB``, ``946.3 GB``."""
    units = ("bytes", "kB", "MB", "GB", "TB")
    place = 0
    while count >= 999.95 and place < len(units) - 1:
        count, place = count / 1000, place + 1
    return f"{count:,.0f} {units[place]}" if place < 2 else f"{count:,.1f} {units[place]}"


def rate(a_second: float) -> str:
    """How fast something goes, by the second, or by the minute or hour where that is less than one."""
    for seconds, unit in ((1, "second"), (60, "minute")):
        if a_second * seconds >= 1:
            return (
                f"{a_second * seconds:,.0f} a {unit}"
                if a_second * seconds >= 100
                else f"{a_second * seconds:,.1f} a {unit}"
            )
    return f"{a_second * 3600:,.1f} an hour"


def duration(seconds: float) -> str:
    """Seconds in words: ``45 s``, ``3 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60:,} h {minutes % 60:02d} min"


class Stages:
    """Shows what a verb tells of its preparations: a bar for each, or twenty plain lines; raises to stop.

    What a signal asked for that was heard when nothing more was told is raised at the end of the block.

    Args:
        stop: Whether a signal asked to stop.
        quiet: Show nothing.
    """

    def __init__(self, stop: Callable[[], bool], *, quiet: bool) -> None:
        self._stop, self._quiet = stop, quiet
        self._what, self._done = "", 0
        self._shown, self._bar = ExitStack(), Progress(0, quiet=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close()
        if kind is None and self._stop():
            raise StoppedError(_signals.STOPPED)

    def __call__(self, what: str, done: int, total: int) -> None:
        """So much of something is done, of so much; raises StoppedError once a signal asked to stop."""
        if self._stop():
            raise StoppedError(f"stopped by a signal while {what}; run the same command again to go on")
        if what != self._what:
            self.close()
            self._what, self._done = what, done
            unit = "work shards" if "work shards" in what else "images"
            self._bar = self._shown.enter_context(Progress(total, done, quiet=self._quiet, unit=unit))
        if done == total or done - self._done >= total / 20:
            self._bar.step(done - self._done, what)
            self._done = done
        if done == total:
            self.close()

    def close(self) -> None:
        """End the bar that is shown."""
        self._shown.close()
        self._what, self._bar = "", Progress(0, quiet=True)
