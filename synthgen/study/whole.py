"""A whole study: every verb that a manifest asks for, one after the other, each taking up where it was left."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from synthgen.core import atomic, checksums
from synthgen.core.devices import DeviceRequest
from synthgen.curate import CurateJob, Scored, Survivors, draw, judge, next_round, score, write_table
from synthgen.curate import check as check_scorers
from synthgen.curate import prepare as prepare_curate
from synthgen.errors import StoppedError
from synthgen.evaluate import check as check_evaluate
from synthgen.evaluate import evaluate, finished
from synthgen.evaluate import prepare as prepare_evaluate
from synthgen.extensions import EXTENSIONS
from synthgen.finetune import finetune
from synthgen.finetune import prepare as prepare_finetune
from synthgen.generate import Selection, generate, runners
from synthgen.generate import prepare as prepare_generate
from synthgen.pack import add_report, formats, pack
from synthgen.plan import Plan, top_ups
from synthgen.plan.top_ups import Round
from synthgen.preview import check_own, show
from synthgen.runs import dataset_folder, run_file, study_layout, verdicts
from synthgen.runs.folders import Run
from synthgen.study.task import Stage

Stop = Callable[[], bool]


def check(plan: Plan, out: Path, runner_name: str = "local") -> None:
    """Refuse a study that can't come to its end, before anything is made, which may take days.

    Raises:
        InputError: Something that is not ours has the name of what would be written, or the runner, the dataset's
            format, a scorer or the study of a classifier can't be had as asked.
    """
    runners.runner(runner_name, plan.manifest.plugins)
    formats.check(plan.manifest.document.pack.format, plan.manifest.plugins)
    dataset_folder.check_ours(out / study_layout.DATASET)
    check_own(out / "preview.html")
    if plan.adapter_plans:
        check_scorers(plan, study_layout.work_of(out))  # before trainings; `fill` does before images
    if plan.manifest.document.evaluate:
        check_evaluate(plan.manifest, out / study_layout.REPORT, plan.index)


def run(
    plan: Plan,
    out: Path,
    request: DeviceRequest,
    *,
    stop: Stop,
    accept_changes: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> Generator[Stage | object, None, Run]:
    """Do all that a manifest asks for, into ``out``; yields each stage as it begins and its receipts, returns the run.

    Args:
        plan: The plan.
        out: The study's folder: ``work/`` (or the run itself, where ``generate`` made it there), ``dataset/``,
            ``report/``, ``preview.html`` and ``preview.png``.
        request: What was asked of the device.
        stop: Whether a signal asked to stop.
        accept_changes: Whether what is made and planned no more may be set aside.
        progress: Told of real images as they are encoded for a training.
        options: As :func:`synthgen.generate.generate` takes them.

    Raises:
        InputError: Something that is not ours has the name of what would be written.
    """
    check(plan, out, options.get("runner_name", "local"))
    if plan.adapter_plans:
        job = prepare_finetune(plan, study_layout.work_of(out), EXTENSIONS, accept_changes=accept_changes)
        yield Stage("finetune", job.steps, unit="steps")
        yield from finetune(job, request.device, stop=stop, progress=progress)
    made = yield from fill(
        plan, study_layout.work_of(out), request, stop=stop, accept_changes=accept_changes, **options
    )
    yield Stage("pack", made.plan.samples)
    yield from pack(made, out / study_layout.DATASET, replace=True)
    if plan.manifest.document.evaluate:
        yield from _evaluate(plan, out, stop)
    yield Stage("preview")
    yield show(made, out / "preview.html")
    return made


def _evaluate(plan: Plan, out: Path, stop: Stop) -> Generator[Stage | object, None, None]:
    """Study what the packed images do for a classifier, and say so in their card."""

    def check_stop(what: str, _done: int, _total: int) -> None:
        if stop():
            raise StoppedError(f"stopped by a signal while {what}; run the same command again to go on")

    yield Stage("classifier-eval")
    settings = plan.manifest.document.evaluate
    given = out if settings is not None and settings.synthetic == "this" else None
    job = prepare_evaluate(plan.manifest, out / study_layout.REPORT, EXTENSIONS, given=given, progress=check_stop)
    yield Stage("classifier-eval", len(job.names), finished(job), "trainings")
    yield from evaluate(job, stop=stop, progress=check_stop)
    add_report(out / study_layout.DATASET, out / study_layout.REPORT)


def fill(
    plan: Plan, root: Path, request: DeviceRequest, *, stop: Stop, accept_changes: bool = False, **options: Any
) -> Generator[Stage | object, None, Run]:
    """Generate and curate, and where a quota lacks images make more of exactly those cells, until none does.

    Yields as its parts do, of each round an outcome; returns the run with all that was made beyond the manifest. It
    ends too when the manifest's ``top_up_rounds`` are used up. Several processes may fill one run: each round is added
    by whichever comes first.

    Args:
        plan: The plan.
        root: The run's folder.
        request: What was asked of the device.
        stop: Whether a signal asked to stop.
        accept_changes: Whether what is made and planned no more may be set aside.
        options: As :func:`synthgen.generate.generate` takes them.

    Raises:
        StoppedError: ``stop`` said so; everything finished is kept.
    """
    check_scorers(plan, root)
    while True:
        job = prepare_generate(plan, root, Selection(), EXTENSIONS, accept_changes=accept_changes)
        plan = job.plan
        yield Stage("generate", plan.samples, sum(job.finished))
        yield from generate(job, request, stop=stop, **options)
        if stop():
            raise StoppedError("stopped by a signal; run the same command again to go on")
        run = Run(root, EXTENSIONS, plan)
        if plan.manifest.curation is None:
            return run
        scoring = prepare_curate(plan, root, device=request.device)
        yield Stage("curate", scoring.images)
        workers = options.get("workers") if options.get("runner_name", "local") == "local" else "auto"
        more: Round = next_round(plan, (yield from curate(run, scoring, stop, workers)))
        if not more:
            return run
        with run_file.locked(root):
            top_ups.add(root, more, plan.rounds)
        plan = Plan(plan.manifest, plan.index, top_ups.read(root))


def curate(
    run: Run, job: CurateJob, stop: Stop, workers: int | str | None = None
) -> Generator[Scored | Survivors, None, Survivors]:
    """Score what is unscored of a run, judge every image, and write what became of them as a table and a chart.

    Yields each shard as it is scored, and last the outcome, which it returns too.

    Raises:
        StoppedError: ``stop`` said so; what was scored is kept.
    """
    yield from score(job, stop, workers)
    atomic.sweep(run.root)
    atomic.sweep(run.root / verdicts.SCORES)
    checksums.clear(run.root)
    outcome = judge(run.root, run.plan)
    write_table(outcome, run.root)
    draw(outcome, run.root)
    checksums.write(run.root, verdicts.LISTED)
    yield outcome
    return outcome
