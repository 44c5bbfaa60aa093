"""What workers log and say, gathered where they are and shown once by whoever started them."""

import logging
import queue
import sys
from collections.abc import Callable
from logging.handlers import QueueHandler

_MOST_SEEN = 10_000


class Forward(QueueHandler):
    """Hands each record on, its message put together, since its arguments may not be picklable.

    Args:
        send: Takes the record.
    """

    def __init__(self, send: Callable[[logging.LogRecord], object]) -> None:
        super().__init__(queue.SimpleQueue())
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        self._send(record)


def forward(send: Callable[[logging.LogRecord], object], level: int) -> None:
    """Let everything that this process logs, Python's warnings too, be handed on instead of shown.

    Args:
        send: Takes each record.
        level: How much synthgen's log says.
    """
    root = logging.getLogger()
    root.handlers[:] = [Forward(send)]
    logging.getLogger("synthgen").setLevel(level)
    logging.captureWarnings(True)


class Once:
    """Shows what several workers say, each thing once."""

    def __init__(self) -> None:
        self._seen: set[tuple[object, ...]] = set()

    def record(self, record: logging.LogRecord) -> None:
        """Log a worker's record here."""
        log = logging.getLogger(record.name)
        if self._new((record.name, record.levelno, record.getMessage())) and log.isEnabledFor(record.levelno):
            log.handle(record)

    def line(self, line: str) -> None:
        """Write a line to stderr."""
        if self._new((line,)):
            sys.stderr.write(f"{line}\n")

    def _new(self, said: tuple[object, ...]) -> bool:
        if len(self._seen) >= _MOST_SEEN:  # of lines that are all different nothing is remembered for ever
            self._seen.clear()
        before = len(self._seen)
        self._seen.add(said)
        return len(self._seen) > before
