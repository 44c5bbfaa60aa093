"""The trainings that a study lacks, done here or in processes; any number of them predicts the same."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

from synthgen.core import processes
from synthgen.errors import StoppedError
from synthgen.evaluate.train.train import ClassifierTraining, Setup, train

_STOPPED = "stopped by a signal; run the same command again to go on"
_POLL_SECONDS = 0.5  # between two looks at whether to stop


def train_all(
    setup: Setup, trainings: Sequence[ClassifierTraining], workers: int, stop: Callable[[], bool]
) -> Iterator[ClassifierTraining]:
    """Each training once what it predicts is safely on disk.

    Raises:
        StoppedError: ``stop`` said so; what was yielded is kept.
    """
    if min(workers, len(trainings)) <= 1:
        for training in trainings:
            if stop():
                raise StoppedError(_STOPPED)
            yield _train_and_keep(setup, training)
        return
    with processes.pool(min(workers, len(trainings))) as pool:
        yield from _train_in_pool(pool, setup, trainings, workers, stop)


def _train_in_pool(
    pool: ProcessPoolExecutor,
    setup: Setup,
    trainings: Sequence[ClassifierTraining],
    workers: int,
    stop: Callable[[], bool],
) -> Iterator[ClassifierTraining]:
    """Keep every worker busy, and no more work handed out than that takes."""
    rest, running = iter(trainings), set()
    while True:
        for training in rest:
            running.add(pool.submit(_train_and_keep, setup, training))
            if len(running) >= 2 * workers:
                break
        if not running:
            return
        done, running = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)
        if stop():
            raise StoppedError(_STOPPED)


def _train_and_keep(setup: Setup, training: ClassifierTraining) -> ClassifierTraining:
    setup.results.write(training.name, train(setup, training))
    return training
