"""Workers on this machine: one in this process, or several in processes of their own, a GPU each where there are GPUs.

Several need no GPU: on a CPU each has its part of the cores; ``benchmarks/workers.py`` measures what that brings.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from synthgen.core import devices, worker_processes
from synthgen.errors import StoppedError

Item = TypeVar("Item")
Result = TypeVar("Result")


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
        yield from worker_processes.run(work, items, worker_processes.places(count, gpus), stop)


def _until(items: Sequence[Item], stop: Callable[[], bool]) -> Iterator[Item]:
    for item in items:
        if stop():
            raise StoppedError("stopped by a signal; run the same command again to go on")
        yield item
