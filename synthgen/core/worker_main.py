"""What a worker process does: it asks for items one at a time, works through them as a stream, and sends results.

Nothing is shared with other processes but a pipe to the one that started it, so a worker that is killed at any moment
leaves no lock held.
"""

import faulthandler
import gc
import os
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from synthgen.core import worker_log
from synthgen.core.signals import STOPPING
from synthgen.errors import StoppedError, SynthgenError, one_line

_asked = threading.Event()


def stop_asked() -> bool:
    """Whether this worker process was asked to stop; for work that asks within an item. Pickled by its name."""
    return _asked.is_set()


def serve(connection: Connection, words: str, level: int) -> None:
    """Work until there is nothing more to do.

    Args:
        connection: To the process that started this one; its first message is the work.
        words: The file that takes what would go to stderr.
        level: How much synthgen's log says.
    """
    for number in STOPPING:  # meant for all processes of a terminal or a job: one of us decides
        signal.signal(number, signal.SIG_IGN)
    handle = os.open(words, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(handle, 2)
    faulthandler.enable(file=2)
    gc.set_threshold(50_000, 10, 10)  # as the command line does, for the sake of imports
    channel = _Channel(connection)
    worker_log.forward(lambda record: channel.send("log", record), level)
    try:
        work = _first(connection)
        channel.listen()
        while not channel.ended:
            for result in work(channel.items()):
                channel.send("result", result)
        channel.send("bye")
    except StoppedError:
        channel.send("bye")
    except Exception as error:
        if "CUDA error" in str(error):  # this process can use the GPU no more, another one can
            raise
        channel.send("failed", _portable(error))
    gc.freeze()


def _first(connection: Connection) -> Any:
    """The work, which is the first message.

    Raises:
        SynthgenError: It can't be taken over here, as where a module is missing.
    """
    try:
        return connection.recv()[1]
    except EOFError:
        raise
    except Exception as error:
        raise SynthgenError(f"a worker can't start: {type(error).__name__}: {one_line(error)}") from error


class _Channel:
    """The pipe, of which several threads write and one reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()
        self._inbox = queue.SimpleQueue[tuple[str, Any]]()
        self.ended = False

    def send(self, what: str, value: Any = None) -> None:
        """Send a message."""
        with self._lock:
            self._connection.send((what, value))

    def listen(self) -> None:
        """Read messages from now on; ends this process when the one that started it has ended."""
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                if message[0] == "stop":
                    _asked.set()
                self._inbox.put(message)
        except (EOFError, OSError):
            if not self.ended:
                os._exit(1)

    def items(self) -> Iterator[Any]:
        """Items, each asked for when it is wanted, until results are wanted first.

        Raises:
            StoppedError: The work is to stop.
        """
        while True:
            self.send("more")
            what, item = self._inbox.get()
            if what == "stop":
                raise StoppedError("stopped by a signal; run the same command again to go on")
            if what != "item":
                self.ended = what == "end"
                return
            yield item


def _portable(error: Exception) -> Exception:
    """The error, with its traceback where it is a bug of ours; as text where it can't be pickled."""
    said = "".join(traceback.format_exception(error))
    if not isinstance(error, SynthgenError | OSError):
        error.add_note(f"in a worker:\n{said}")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - whatever its class makes of it
        return RuntimeError(said)
    return error


def killed_by(exit_code: int | None) -> str:
    """How a process ended, in words: ``killed by SIGKILL (for want of memory?)``, ``exit code 1``."""
    if exit_code is not None and exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        return f"killed by {name}" + (" (for want of memory?)" if name == "SIGKILL" else "")
    return f"ended with exit code {exit_code}"
