"""Trains what a study lacks, here or in processes of their own; the answers are the same with any number of them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

from synthgen.core import processes
from synthgen.errors import StoppedError
from synthgen.evaluate.train.train import Setup, Unit, train

_STOPPED = "stopped by a signal; run the same command again to go on"
_LOOK = 0.5  # seconds between two looks at whether to stop


def train_all(setup: Setup, units: Sequence[Unit], workers: int, stop: Callable[[], bool]) -> Iterator[Unit]:
    """Train every unit and keep its answers; yields each unit once they are safely on disk.

    Raises:
        StoppedError: ``stop`` said so; what was yielded is kept.
    """
    if min(workers, len(units)) <= 1:
        for unit in units:
            if stop():
                raise StoppedError(_STOPPED)
            yield _make(setup, unit)
        return
    with processes.pool(min(workers, len(units))) as pool:
        yield from _in(pool, setup, units, workers, stop)


def _in(
    pool: ProcessPoolExecutor, setup: Setup, units: Sequence[Unit], workers: int, stop: Callable[[], bool]
) -> Iterator[Unit]:
    """Keep every worker busy, and no more work handed out than that takes."""
    rest, running = iter(units), set()
    while True:
        for unit in rest:
            running.add(pool.submit(_make, setup, unit))
            if len(running) >= 2 * workers:
                break
        if not running:
            return
        done, running = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)
        if stop():
            raise StoppedError(_STOPPED)


def _make(setup: Setup, unit: Unit) -> Unit:
    setup.units.write(unit.name, train(setup, unit))
    return unit
