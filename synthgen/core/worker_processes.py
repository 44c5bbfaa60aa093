"""Worker processes that may die: what they held goes to others, and new ones take their place.

Of the libraries for it, concurrent.futures and loky end every worker with the first that dies, and pebble, which
replaces it, hands single calls to whichever process is free: there a worker can neither have a GPU of its own nor read
the next item while it is at one.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from synthgen.core import devices, worker_main
from synthgen.core.dealing import Deal
from synthgen.core.worker_log import Once
from synthgen.errors import StoppedError, SynthgenError

_POLL_SECONDS = 0.5
_END_SECONDS = 30.0  # that a worker which has said good-bye may take to end
_TAIL = 20  # lines of what a worker said that its last words are looked for in
_log = logging.getLogger(__name__)


def run(
    work: Callable[[Iterable[Any]], Iterator[Any]],
    items: Sequence[Any],
    places: Sequence[Mapping[str, str]],
    stop: Callable[[], bool],
) -> Iterator[Any]:
    """What copies of some work yield for items, in any order; each copy is in a process of its own.

    A worker is handed the next item when it asks for it, so it may read ahead. One that dies is replaced, and what it
    held is tried again, as :class:`~synthgen.core.dealing.Deal` says it. What workers log, and lines that they write to
    stderr, are shown here, each once.

    Args:
        work: Takes an iterable of items and yields results, of which each has ``item``, the one that it ends, or none
            where it only tells how far one is. It is pickled. To be stopped within an item, it asks
            :func:`synthgen.core.worker_main.stop_asked`.
        items: What to work through; hashable, and their text names them.
        places: The environment variables of each worker.
        stop: Whether to stop: no more is handed out then, and what is finished is yielded.

    Raises:
        LostWorkError: Items ended every worker that tried them; all others are done by then.
        StoppedError: ``stop`` said so.
        SynthgenError: A worker can't start, or raised it; any other exception that one raised comes as it is.
    """
    with TemporaryDirectory(prefix="synthgen-", ignore_cleanup_errors=True) as folder:
        crew = _Crew(work, Deal(items, len(places)), Path(folder))
        try:
            for place in places:
                crew.start(place)
            yield from crew.results(stop)
        finally:
            crew.end()


def places(workers: int, gpus: Sequence[str]) -> list[dict[str, str]]:
    """The environment variables of each worker: its GPU, in turns, and its part of the machine's cores."""
    if gpus and workers > len(gpus):
        _log.warning("%d workers take turns on %d GPUs; a --batch-size leaves room for each", workers, len(gpus))
    threads = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, devices.cores() // workers))}
    return [threads | ({"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}) for number in range(workers)]


def threads_of_one() -> dict[str, str]:
    """The environment variable by which a worker computes in as many threads as this process does.

    Sums over a network's channels have other last digits in another number of threads.
    """
    return {"OMP_NUM_THREADS": str(devices.describe("cpu").threads)}


@dataclass(eq=False)
class _Worker:
    place: Mapping[str, str]
    process: BaseProcess
    connection: Connection
    words: Path
    read: int = 0
    ready: bool = False
    tail: list[str] = field(default_factory=list)

    def send(self, what: str, value: Any = None) -> None:
        """Send a message; that a worker is dead is seen when it is listened to."""
        with suppress(OSError):
            self.connection.send((what, value))


class _Crew:
    """The workers that are alive, and what they are told."""

    def __init__(self, work: Any, deal: Deal[Any], folder: Path) -> None:
        self._work, self._deal, self._folder = work, deal, folder
        self._workers: dict[Any, _Worker] = {}  # by connection
        self._idle: list[_Worker] = []
        self._once = Once()
        self._started = 0
        self._ever_ready = False
        self._ending: BaseException | None = None  # what is raised once the workers have come to rest

    def start(self, place: Mapping[str, str]) -> None:
        """Start a worker."""
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._started += 1
        words = self._folder / f"{self._started}.txt"
        level = logging.getLogger("synthgen").getEffectiveLevel()
        process = context.Process(target=worker_main.serve, args=(theirs, str(words), level), name="synthgen worker")
        with _environment(place):
            process.start()
        theirs.close()
        worker = _Worker(place, process, ours, words)
        self._workers[ours] = worker
        worker.send("work", self._work)

    def results(self, stop: Callable[[], bool]) -> Iterator[Any]:
        """Results as they come, until everything is done or nothing more is to be."""
        while self._workers and not (self._deal.over and self._ending is None):
            if self._ending is None and stop():
                self._rest(StoppedError("stopped by a signal; run the same command again to go on"))
            for one in connection.wait(list(self._workers), timeout=_POLL_SECONDS):
                worker = self._workers[one]
                try:
                    what, value = worker.connection.recv()
                except (EOFError, OSError):
                    self._died(worker)
                    continue
                if what == "result":
                    if value.item is not None:
                        self._deal.done(worker, value.item)
                    yield value
                else:
                    self._hear(worker, what, value)
            self._hand_out()
            for worker in self._workers.values():
                self._show_words(worker)
        if self._ending is not None:
            raise self._ending
        self._deal.check()

    def _hear(self, worker: _Worker, what: str, value: Any) -> None:
        if what == "more":
            worker.ready = self._ever_ready = True
            self._idle.append(worker)
        elif what == "log":
            self._once.record(value)
        elif what == "failed":
            self._leave(worker)
            self._rest(value)
        elif what == "bye":
            self._leave(worker)

    def _hand_out(self) -> None:
        """Answer the workers that have asked for more, as far as there is an answer."""
        asking, self._idle = self._idle, []
        for worker in asking if self._ending is None else []:
            if found := self._deal.take(worker):
                worker.send("item", found[0])
            elif self._deal.holds(worker):
                worker.send("flush")
            else:
                self._idle.append(worker)  # until somebody else dies, or everything is done

    def _rest(self, reason: BaseException) -> None:
        """Have every worker finish what it can't leave, and raise the reason after that."""
        if self._ending is None:
            self._ending = reason
            for worker in self._workers.values():
                worker.send("stop")

    def _leave(self, worker: _Worker) -> None:
        """A worker has said that it ends."""
        self._deal.leave(worker)
        self._forget(worker)
        worker.process.join(_END_SECONDS)

    def _forget(self, worker: _Worker) -> None:
        del self._workers[worker.connection]
        self._idle = [one for one in self._idle if one is not worker]
        worker.connection.close()

    def _died(self, worker: _Worker) -> None:
        worker.process.join(_END_SECONDS)
        self._show_words(worker)
        self._forget(worker)
        words = _last_words(worker)
        if self._ending is None and not self._ever_ready:
            raise SynthgenError(
                f"a worker can't start; {words}; a script that asks for workers needs `if __name__ == '__main__':`"
            )
        try:
            held = self._deal.died(worker, words)
        except SynthgenError as error:
            self._rest(error)
            return
        at = f" at {', '.join(map(str, held))}" if held else ""
        again = "" if self._ending is not None or not self._deal.left else "; another takes its place"
        _log.warning("a worker died%s: %s%s", at, words, again)
        if again:
            self.start(worker.place)

    def _show_words(self, worker: _Worker) -> None:
        """Show whole lines that a worker has written to stderr since the last look."""
        try:
            with worker.words.open("rb") as file:
                file.seek(worker.read)
                content = file.read()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1] if worker.process.is_alive() else content
        worker.read += len(whole)
        lines = [line for line in whole.decode(errors="replace").splitlines() if line.strip()]
        worker.tail = [*worker.tail, *lines][-_TAIL:]
        for line in lines:
            if worker.ready:  # of one that can't start its last words say enough
                self._once.line(line)

    def end(self) -> None:
        """End every worker: those that have nothing left to do by themselves, others at once."""
        finished = self._deal.over and self._ending is None
        for worker in self._workers.values():
            worker.send("end")
            if not finished:
                worker.process.kill()
        for worker in self._workers.values():
            worker.process.join(_END_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()


def _last_words(worker: _Worker) -> str:
    """How a worker ended, and what it said last: of a crash of the interpreter its name, else the last line."""
    how = worker_main.killed_by(worker.process.exitcode)
    fatal = [line for line in worker.tail if line.startswith("Fatal Python error")]
    last = fatal or worker.tail[-1:]
    return f"{how}, last words: {last[0].strip()}" if last else how


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, which a process that is started inside has before it imports anything."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
