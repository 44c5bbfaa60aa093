"""Whether synthetic images help a classifier, for whom, and how sure that is: a study over arms, sizes and seeds.

1. :func:`prepare` finds real and synthetic images (``images/locate``, ``images/synthetic``) and their near-duplicates.
2. ``design/`` says which images train which trial, leaks left out; ``images/examples`` puts the images into rows.
3. :func:`evaluate` trains each distinct training (``train/``), and keeps what it predicts in ``trials/``, a file each.
4. ``collect`` gathers these into ``predictions.parquet``; ``analysis/`` makes figures and comparisons from it alone.
5. ``report/`` writes tables, plots and sentences; :func:`rescore` writes them again from the predictions.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.core import atomic, devices
from synthgen.evaluate.prepare import EvaluateJob, Progress, check, check_real, labels_of, prepare
from synthgen.evaluate.train.train import ClassifierTraining, Setup
from synthgen.plan.manifest import Manifest
from synthgen.plan.real_index import Index

if TYPE_CHECKING:
    from synthgen.evaluate.analysis.power import Power

__all__ = [
    "ClassifierTraining",
    "EvaluateJob",
    "check",
    "check_real",
    "evaluate",
    "finished",
    "freeze",
    "power",
    "prepare",
    "rescore",
    "share",
]

TRIALS = "trials"


def evaluate(
    job: EvaluateJob,
    *,
    workers: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
) -> Iterator[ClassifierTraining]:
    """Each training once its answers are on disk: those that are not there yet are done, then the report is written.

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

    job = _as_trained(job)
    setup = _setup(job)
    todo = [_training(job, name) for name in job.names if setup.results.read(name) is None]
    if todo:
        _write_inputs(job, setup.inputs, progress)
        try:
            yield from worker_pool.train_all(setup, todo, workers or _processes(setup, len(todo)), stop)
        finally:
            setup.inputs.unlink(missing_ok=True)
    tested, validated = (collect.predictions(job, setup.results, split) for split in ("test", "validation"))
    write.write(tested, job.out, validated)


def finished(job: EvaluateJob) -> int:
    """The number of a study's trainings that are done."""
    job = _as_trained(job)
    results = _setup(job).results
    return sum(results.read(name) is not None for name in job.names)


def freeze(job: EvaluateJob) -> Path:
    """Write the study's analysis plan beside where its results will be; the report says whether it follows it.

    Raises:
        InputError: There are results already, or another plan is frozen.
    """
    from synthgen.evaluate import collect
    from synthgen.evaluate.analysis import frozen_plan

    return frozen_plan.freeze(job.out, collect.analysis_plan(job))


def rescore(out: Path, manifest: Manifest | None = None) -> None:
    """Write a report again from its predictions alone, and train nothing.

    Args:
        out: The report's folder.
        manifest: Whose ``primary`` and ``against`` are followed; those that it was written by where left out.

    Raises:
        DamagedError: There are no predictions, or they can't be read.
        InputError: The manifest has no study, or one that takes other trainings.
    """
    from synthgen.evaluate.report import write
    from synthgen.evaluate.rescored import following

    write.rescore(out, (lambda held: following(held, manifest)) if manifest else None)


def power(manifest: Manifest, index: Index) -> "Power | None":
    """The smallest difference that a manifest's study could find; ``None`` without a study or a test image.

    Args:
        manifest: The manifest.
        index: Its real images, by their metadata at least.
    """
    from synthgen.evaluate.analysis.power import expected

    settings, labels = manifest.document.evaluate, labels_of(manifest)
    if settings is None:
        return None
    tested = [source for source in index.usable("test") if source.label in labels]
    entries = [entry.name for entry in manifest.entries] if settings.synthetic == "this" else ["synthetic"]
    strategies = list(dict.fromkeys(settings.strategy_of.get(entry, entry) for entry in entries))
    return expected(settings, tested, strategies, manifest.document.skin_tones.scale) if tested else None


def share(out: Path, folder: Path, manifest: Manifest) -> Path:
    """Write a report with its predictions under pseudonyms into a folder, whose path is returned, for anybody to score.

    Args:
        out: The report's folder.
        folder: What can be given away.
        manifest: Whose ``primary`` and ``against`` are followed.

    Raises:
        DamagedError: There are no predictions, or they can't be read.
        InputError: The folder is the report's own, or holds something else; or the manifest takes other trainings.
    """
    from synthgen.evaluate.shared import share as write_shared

    return write_shared(out, folder, manifest)


def _as_trained(job: EvaluateJob) -> EvaluateJob:
    """The study by the names of the former optimizer's trainings where it has them all, so that no two are mixed."""
    former = replace(job, network=replace(job.network, digest=job.network.former))
    results = _setup(former).results
    return former if job.network.former and all(results.read(name) for name in former.names) else job


def _setup(job: EvaluateJob) -> Setup:
    folder = job.out / TRIALS
    return Setup(
        classifier=job.settings.learner,
        network=job.network.name,
        mix=job.settings.mix,
        labels=job.examples.labels,
        held_out=job.examples.held_out,
        classes=len(job.labels),
        inputs=folder / f".inputs.{atomic.owner()}",
        folder=folder,
        device="cpu" if job.network.frozen else devices.available()[0],
    )


def _training(job: EvaluateJob, name: str) -> ClassifierTraining:
    import numpy as np

    trial, places = job.names[name], {one: place for place, one in enumerate(job.design.validation)}
    real, synthetic = job.examples.rows_of(trial)
    taught = np.array([job.labels.index(label) for label in trial.taught], np.int64) if trial.taught else None
    tuned = np.array([places[one] for one in trial.tuned], np.int64) if trial.tuned else None
    augment = (trial.augment or ("classic",)) if trial.augmented else ("",)
    return ClassifierTraining(name, real, synthetic, trial.optimizer_steps, augment, taught, tuned)


def _write_inputs(job: EvaluateJob, path: Path, progress: Progress | None) -> None:
    from synthgen.evaluate.images import arrays

    path.parent.mkdir(exist_ok=True)
    for folder in (path.parent, *path.parent.glob("*/"), job.out / "plots"):
        atomic.sweep(folder)
    frozen = job.network.frozen
    report = partial(progress, "computing features" if frozen else "reading pixels") if progress else None
    if frozen:
        arrays.write_features(job.examples.rows, frozen, path, report)
    else:
        arrays.write_pixels(job.examples.rows, job.settings.learner.side, path, report)


def _processes(setup: Setup, trainings: int) -> int:
    """The number of processes to train in: starting one takes as long as some ten probes."""
    if setup.device != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, -(-trainings // 20)) if setup.classifier.kind == "probe" else cores
