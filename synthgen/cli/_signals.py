"""Signals that ask a command to stop: it ends with exit code 75, and the same command goes on.

What asks in between whether to stop is waited for, but not for long; anything else ends where it is, which nothing that
is on disk minds. A second signal kills.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from synthgen.cli._terminal import say
from synthgen.core.signals import STOPPING

STOPPED = "stopped by a signal; run the same command again to go on"
_Handler = Callable[[int, FrameType | None], None]
_PATIENCE = 8.0  # seconds for a batch, a shard or a training to end; schedulers kill after 30


class Interrupted(BaseException):
    """A signal asked to stop; no Exception, so that nothing takes it for a fault of what it was at."""


class Stop:
    """Whether a signal asked to stop.

    Attributes:
        patient: Whether what is done now is waited for however long it takes, since much would be lost of it.
    """

    def __init__(self) -> None:
        self.patient = False
        self.heard = False

    def __call__(self) -> bool:
        """Whether one did."""
        return self.heard


@contextmanager
def interrupting() -> Iterator[None]:
    """Let a signal raise :class:`Interrupted`, wherever the command is; one that is ignored, as by nohup, stays so."""

    def hear(_number: int, _frame: FrameType | None) -> None:
        _second_kills()
        raise Interrupted

    with _handled({number: hear for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN}):
        yield


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Turn a signal into a question that work asks itself; what does not ask for long is interrupted."""
    stop = Stop()

    def hear(_number: int, _frame: FrameType | None) -> None:
        _second_kills()
        stop.heard = True
        _say("stopping after this batch; once more stops at once")
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE, _PATIENCE)

    def lose_patience(_number: int, _frame: FrameType | None) -> None:
        if not stop.patient:
            raise Interrupted

    handlers = {number: hear for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN}
    alarm: dict[signal.Signals, _Handler] = {signal.SIGALRM: lose_patience} if hasattr(signal, "setitimer") else {}
    with _handled(handlers | alarm):
        try:
            yield stop
        finally:
            if alarm and stop.heard:
                signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def _handled(handlers: dict[signal.Signals, _Handler]) -> Iterator[None]:
    """Take signals meanwhile; in any thread but the first one Python takes none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier or signal.SIG_DFL)


def _second_kills() -> None:
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _say(line: str) -> None:
    """Say something to whoever may have gone: where a terminal hung up, nothing more is said to it."""
    try:
        say(line, err=True)
    except OSError:
        gone = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(gone, stream.fileno())
        os.close(gone)
