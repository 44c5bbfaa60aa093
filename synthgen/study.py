"""A whole study: every verb that a manifest asks for, one after the other, each taking up where it was left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen import curate as curating
from synthgen import evaluate, finetune, generate, preview
from synthgen import pack as packing
from synthgen.core.devices import DeviceRequest
from synthgen.curate import Scored, Survivors
from synthgen.errors import InputError, StoppedError
from synthgen.extensions import EXTENSIONS
from synthgen.generate import Selection
from synthgen.pack import PackedShard
from synthgen.plan import Plan, top_ups
from synthgen.plan.top_ups import Round
from synthgen.runs import dataset_folder, load_plan, run_folder
from synthgen.runs.receipts import Ledger


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a study begins: the verb, and what it is about to do."""

    verb: str
    total: int = 0
    done: int = 0
    unit: str = "images"


def run(
    plan: Plan, out: Path, wish: DeviceRequest, *, stop: Callable[[], bool], **options: Any
) -> Iterator[Stage | object]:
    """Do all that a manifest asks for, into ``out``; yields each stage as it begins, and its receipts.

    Args:
        plan: The plan.
        out: The study's folder: ``work/``, ``dataset/``, ``report/``, ``preview.html`` and ``preview.png``.
        wish: What was asked of the device.
        stop: Whether a signal asked to stop.
        options: As :func:`synthgen.generate.generate` takes them.

    Raises:
        InputError: Something that is not ours has the name of what would be written.
    """
    dataset_folder.check_ours(out / "dataset")  # before anything is made, which may take days
    preview.check_own(out / "preview.html")
    if plan.adapter_plans:
        curating.check(plan, out / "work")  # before trainings; `fill` does before images
    if plan.manifest.document.evaluate:
        evaluate.check(plan.manifest, out / "report", plan.index)
    if plan.adapter_plans:
        tuning = finetune.prepare(plan, out / "work")
        yield Stage("finetune", tuning.steps, unit="steps")
        yield from finetune.finetune(tuning, wish.device, stop=stop)
    yield from fill(plan, out / "work", wish, stop=stop, **options)
    yield Stage("pack", run_folder.read_plan(out / "work", EXTENSIONS).samples)
    yield from pack(out / "work", out / "dataset")
    if plan.manifest.document.evaluate:
        yield from _evaluate(plan, out, stop)
    yield Stage("preview")
    yield preview.show(out / "work", out / "preview.html", EXTENSIONS)


def _evaluate(plan: Plan, out: Path, stop: Callable[[], bool]) -> Iterator[Stage | object]:
    """Study what the packed images do for a classifier, and say so in their card."""

    def heed(what: str, _done: int, _total: int) -> None:
        if stop():
            raise StoppedError(f"stopped by a signal while {what}; run the same command again to go on")

    yield Stage("classifier-eval")
    settings = plan.manifest.document.evaluate
    this = settings is not None and settings.synthetic == "this"
    job = evaluate.prepare(plan.manifest, out / "report", EXTENSIONS, given=out if this else None, progress=heed)
    yield Stage("classifier-eval", len(job.names), evaluate.finished(job), "trainings")
    yield from evaluate.evaluate(job, stop=stop, progress=heed)
    packing.add_report(out / "dataset", out / "report")


def add_report(dataset: Path, report: Path) -> bool:
    """Put a report's findings into the card of a packed dataset; whether the card has a place for them."""
    return packing.add_report(dataset, report)


def fill(
    plan: Plan, root: Path, wish: DeviceRequest, *, stop: Callable[[], bool], **options: Any
) -> Iterator[Stage | object]:
    """Generate and curate, and where a quota lacks images make more of exactly those cells, until none does.

    Yields as its parts do; of each round an outcome. It ends too when the manifest's ``top_up_rounds`` are used up.

    Args:
        plan: The plan.
        root: The run's folder.
        wish: What was asked of the device.
        stop: Whether a signal asked to stop.
        options: As :func:`synthgen.generate.generate` takes them.

    Raises:
        StoppedError: ``stop`` said so; everything finished is kept.
    """
    curating.check(plan, root)
    while True:
        job = generate.prepare(plan, root, Selection())
        yield Stage("generate", plan.samples, sum(job.finished))
        yield from generate.generate(job, wish, stop=stop, **options)
        if stop():
            raise StoppedError("stopped by a signal; run the same command again to go on")
        if plan.manifest.curation is None:
            return
        more: Round = {}
        for step in curate(root, plan, stop):
            yield step
            if isinstance(step, Survivors):
                more = curating.next_round(plan, step)
        if not more:
            return
        top_ups.add(root, more)
        plan = run_folder.read_plan(root, EXTENSIONS)


def curate(root: Path, plan: Plan, stop: Callable[[], bool]) -> Iterator[Stage | Scored | Survivors]:
    """Score what is unscored of a run, judge every image, and write what became of them as a table and a chart.

    Yields the stage, each shard as it is scored, and last the outcome.

    Raises:
        InputError: The manifest does not say what to keep.
        StoppedError: ``stop`` said so; what was scored is kept.
    """
    job = curating.prepare(plan, root)
    yield Stage("curate", job.images)
    yield from curating.score(job, stop)
    outcome = curating.judge(root, plan)
    curating.write_table(outcome, root)
    curating.draw(outcome, root)
    yield outcome


def pack(root: Path, out: Path, **options: Any) -> Iterator[PackedShard]:
    """Pack a run into a dataset folder with a card and a contact sheet; options as of :func:`synthgen.pack.pack`."""
    yield from packing.pack(root, out, EXTENSIONS, **options)


def plan_of(root: Path) -> Plan:
    """The plan of a run or of a packed dataset.

    Raises:
        InputError: The folder is neither.
    """
    if run_folder.is_run(root):
        return run_folder.read_plan(root, EXTENSIONS)
    if dataset_folder.is_dataset(root):
        return dataset_folder.read_plan(root, EXTENSIONS)
    raise InputError(f"{root}: neither a run (run.json) nor a packed dataset (provenance.json)")


def plan_to_curate(root: Path, path: Path | None) -> Plan:
    """The plan of a run, by the manifest that it keeps or by another one of the same images, which it then keeps.

    Raises:
        InputError: The folder is no run, or the manifest is at fault.
        PlanMismatchError: The manifest plans other images.
    """
    held = run_folder.read_plan(root, EXTENSIONS)
    if path is None:
        return held
    plan = load_plan.read(path, EXTENSIONS, root)
    curating.curation_of(plan)
    run_folder.reserve(root, plan)
    return plan


def failed(plan: Plan, root: Path) -> int:
    """How many samples of a run could not be made."""
    receipts = (
        Ledger(root, name, entry.digest).trusted(number)
        for name, entry in plan.entries.items()
        for number in range(entry.shards)
    )
    return sum(receipt.failed for receipt in receipts if receipt)
