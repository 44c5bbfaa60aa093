"""Whether synthetic images help a classifier, for whom, and how sure that is: a study over arms, sizes and seeds.

:func:`prepare` lists the images, finds leaks and near-copies and designs the trials; :func:`evaluate` trains what is
not trained yet and writes the report; :func:`rescore` writes it again from the predictions alone.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from synthgen.core import atomic
from synthgen.evaluate.prepare import EvaluateJob, Progress, check, prepare
from synthgen.evaluate.train.train import Setup, Unit

__all__ = ["Job", "Unit", "check", "evaluate", "finished", "prepare", "rescore"]

TRIALS = "trials"


def evaluate(
    job: EvaluateJob,
    *,
    workers: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
) -> Iterator[Unit]:
    """Train what is not trained yet; yields each training once its answers are on disk; writes the report at the end.

    Killed at any time and called again it repeats no training, and ends with the same bytes.

    Args:
        job: The study.
        workers: Processes that train; where left out as many as there are cores and it is worth starting, one on a GPU.
        stop: Whether a signal asked to stop.
        progress: Told of the images whose features or pixels are read.

    Raises:
        StoppedError: ``stop`` said so; what was yielded is kept.
    """
    from synthgen.evaluate import collect
    from synthgen.evaluate.report import write
    from synthgen.evaluate.train import worker_pool

    setup = _setup(job)
    todo = [_unit(job, name) for name in job.names if setup.units.read(name) is None]
    if todo:
        _write_inputs(job, setup.inputs, progress)
        try:
            yield from worker_pool.train_all(setup, todo, workers or _processes(setup, len(todo)), stop)
        finally:
            setup.inputs.unlink(missing_ok=True)
    write.write(collect.predictions(job, setup.units), job.out)


def finished(job: EvaluateJob) -> int:
    """How many of a study's trainings are done."""
    units = _setup(job).units
    return sum(units.read(name) is not None for name in job.names)


def rescore(out: Path) -> None:
    """Write a report again from its predictions alone.

    Raises:
        DamagedError: There are none, or they can't be read.
    """
    from synthgen.evaluate.report import write

    write.rescore(out)


def _setup(job: EvaluateJob) -> Setup:
    from synthgen.evaluate.train import backbone

    folder = job.out / TRIALS
    return Setup(
        learner=job.settings.learner,
        network=job.network.name,
        mix=job.settings.mix,
        labels=job.roll.labels,
        held=job.roll.held,
        classes=len(job.labels),
        inputs=folder / f".inputs.{atomic.owner()}",
        folder=folder,
        device="cpu" if job.network.frozen else backbone.device(),
    )


def _unit(job: EvaluateJob, name: str) -> Unit:
    trial = job.names[name]
    real, synthetic = job.roll.rows(trial)
    return Unit(name, real, synthetic, trial.optimizer_steps, trial.augmented)


def _write_inputs(job: EvaluateJob, path: Path, progress: Progress | None) -> None:
    from synthgen.evaluate.images import arrays

    path.parent.mkdir(exist_ok=True)
    for folder in (path.parent, *path.parent.glob("*/"), job.out / "plots"):
        atomic.sweep(folder)
    frozen = job.network.frozen
    told = partial(progress, "computing features" if frozen else "reading pixels") if progress else None
    if frozen:
        arrays.write_features(job.roll.items, frozen, path, told)
    else:
        arrays.write_pixels(job.roll.items, job.settings.learner.side, path, told)


def _processes(setup: Setup, units: int) -> int:
    """How many processes to train in: starting one takes as long as some ten probes."""
    if setup.device != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, -(-units // 20)) if setup.learner.kind == "probe" else cores
