"""Workers on this machine: one in this process, or several in processes of their own, a GPU each where there are GPUs.

Several need no GPU: on a CPU each has its part of the cores; ``benchmarks/workers.py`` measures what that brings.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from synthgen.core import devices, worker_processes
from synthgen.errors import StoppedError

Item = TypeVar("Item")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


def run(
    work: Callable[[Iterable[Item]], Iterator[Result]],
    items: Sequence[Item],
    workers: int | None,
    stop: Callable[[], bool],
) -> Iterator[Result]:
    """Work through the items here, or in so many processes, each with a copy of the work and its share of the GPUs.

    Args:
        work: What each does with the items that it is given.
        items: Them.
        workers: How many processes; this one alone for none and for one.
        stop: Whether to stop.

    Raises:
        LostWorkError: Items ended every process that tried them; all others are done by then.
        StoppedError: ``stop`` said so before the end.
    """
    yield from run_on(work, items, workers, stop, devices.gpus() if (workers or 1) > 1 else ())


def run_on(
    work: Callable[[Iterable[Item]], Iterator[Result]],
    items: Sequence[Item],
    workers: int | None,
    stop: Callable[[], bool],
    gpus: Sequence[str],
) -> Iterator[Result]:
    """Work as :func:`run` does, with these GPUs alone; without any, on the CPU."""
    count = min(workers or 1, len(items))
    if (workers or 1) == 1:
        yield from work(_until(items, stop))
    elif count:
        yield from worker_processes.run(work, items, places(count, gpus), stop)


def places(workers: int, gpus: Sequence[str]) -> list[dict[str, str]]:
    """The environment variables of each worker: its GPU, in turns, and its part of the machine's cores."""
    if gpus and workers > len(gpus):
        _log.warning("%d workers take turns on %d GPUs; a --batch-size leaves room for each", workers, len(gpus))
    threads = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, devices.cores() // workers))}
    return [threads | ({"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}) for number in range(workers)]


def _until(items: Sequence[Item], stop: Callable[[], bool]) -> Iterator[Item]:
    for item in items:
        if stop():
            raise StoppedError("stopped by a signal; run the same command again to go on")
        yield item
