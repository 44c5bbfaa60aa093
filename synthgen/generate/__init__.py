"""Every planned image that is not made yet is made, shard by shard, and the receipts of the shards are yielded."""

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Literal

from synthgen.core.devices import DeviceRequest, Environment
from synthgen.core.worker_main import stop_asked
from synthgen.diffusion import pipelines
from synthgen.errors import LostWorkError
from synthgen.generate.claims import MadeShard, marked
from synthgen.generate.job import GenerateJob, Selection, prepare
from synthgen.generate.runners import runner
from synthgen.generate.runners.local import run_on
from synthgen.generate.worker import ShardMaker, never_stop
from synthgen.generate.workers import choose, machine_share
from synthgen.plan import Plan, ShardRef, throughput
from synthgen.runs import run_file, run_folder
from synthgen.runs.mirror import NO_MIRROR, Mirror, NoMirror
from synthgen.runs.mirror.claims import Claims
from synthgen.runs.receipts import Ledger, Receipt

__all__ = ["GenerateJob", "Selection", "generate", "prepare"]

Workers = int | Literal["auto"] | None
_log = logging.getLogger(__name__)


def generate(
    job: GenerateJob,
    request: DeviceRequest | None = None,
    *,
    runner_name: str = "local",
    workers: Workers = None,
    stop: Callable[[], bool] = never_stop,
    mirror: Mirror | NoMirror = NO_MIRROR,
) -> Iterator[Receipt]:
    """Make the shards of a job; yields each receipt once its shard is safely on disk.

    Shards that another process on the same run is at are left to it, and waited for at the end.

    Args:
        job: The job.
        request: What was asked of the device.
        runner_name: How the work is spread.
        workers: How many workers; ``auto`` leaves it to the runner, of the local one what is fastest here.
        stop: Whether to stop.
        mirror: Where shards are copied to meanwhile; its end is waited for.

    Raises:
        PlanMismatchError: What was asked for is not what the run was begun with, finished or not.
        UnavailableError: What was asked for can't be had on this device.
        LostWorkError: Shards ended every worker that tried them; what starts from none of them is made.
        StoppedError: ``stop`` said so; what was yielded is kept.
    """
    asked = request or DeviceRequest()
    _check_finished(job, asked)
    with mirror.sending(job.plan, stop) as sender:
        made = _made(job, asked, mirror.claims, runner_name=runner_name, workers=workers, stop=stop)
        for receipt in made if job.todo else ():
            sender.add(receipt)
            yield receipt


def _check_finished(job: GenerateJob, request: DeviceRequest) -> None:
    """Refuse what was asked for and finished entries were not made with, as where some of them is to be made still.

    But for the batch size, which memory may have lowered since the same command was given first.

    Raises:
        PlanMismatchError: It was.
    """
    entries, todo = run_file.read(job.root)["entries"], {ref.entry for ref in job.todo}
    for name in job.plan.entries:
        held = entries[name]["environment"]
        if held and name not in todo:
            run_folder.apply_pin(Environment(**held), replace(request, batch_size=None))


def _made(
    job: GenerateJob,
    request: DeviceRequest,
    claims: Claims,
    *,
    runner_name: str,
    workers: Workers,
    stop: Callable[[], bool],
) -> Iterator[Receipt]:
    """The receipts of a job's shards as they are made; arguments and errors as of :func:`generate`."""
    local = runner_name == "local"
    count = choose(job, request, workers) if local else None if workers == "auto" else workers
    alone = local and count == 1
    root = job.root if alone else job.root.resolve()  # workers elsewhere stand in other folders
    run: Callable[..., Iterator[MadeShard]] = runner(runner_name, job.plan.manifest.plugins).run
    measured: dict[str, list[Receipt]] = {}
    elsewhere, lost = list[Receipt](), list[LostWorkError]()
    if local and request.device == "cpu":
        run = partial(run_on, gpus=())
    with nullcontext("") if local else marked(root) as mark:
        work = ShardMaker(job.plan, root, request, stop if alone else stop_asked, mark, claims)
        for todo in _in_turn(job):
            try:
                for made in run(work, _without(job.plan, todo, lost), count, stop):
                    (elsewhere if made.elsewhere else measured.setdefault(made.receipt.entry, [])).append(made.receipt)
                    yield made.receipt
            except LostWorkError as error:
                lost.append(error)
    if not alone:  # a worker that died may have left a shard half written
        for name in dict.fromkeys(ref.entry for ref in job.todo):
            Ledger(job.root, name, job.plan.entries[name].digest_of).sweep()
    pipelines.release_from_gpu()  # scorers and classifiers come next, in the same process
    share = machine_share(count, request) if local else 1
    for name, receipts in measured.items():
        _note_rate(job.plan, name, receipts, share)
    if elsewhere:
        images = sum(receipt.count for receipt in elsewhere)
        _log.warning("%d of the work shards, %d images, were made by other processes meanwhile", len(elsewhere), images)
    if lost:
        raise LostWorkError(*(fault for error in lost for fault in error.faults))


def _in_turn(job: GenerateJob) -> Iterator[list[ShardRef]]:
    """The shards to make, in groups of which each starts from nothing that a later one makes."""
    depths: dict[str, int] = {}
    for name, entry in job.plan.entries.items():
        depths[name] = depths[entry.parent] + 1 if entry.parent else 0
    for depth in range(max(depths.values()) + 1):
        todo = [ref for ref in job.todo if depths[ref.entry] == depth]
        if todo:
            yield todo


def _without(plan: Plan, todo: list[ShardRef], lost: list[LostWorkError]) -> list[ShardRef]:
    """Shards that start from none that is lost; the others are lost with it."""
    gone = {ref for error in lost for ref in error.items}
    if not gone:
        return todo
    kept = list[ShardRef]()
    for ref in todo:
        entry = plan.entries[ref.entry]
        parent = plan.entries[entry.parent] if entry.parent else None
        if parent and any(ShardRef(parent.name, one) in gone for one in entry.starts_from(ref.number, parent)):
            lost.append(LostWorkError(items=(ref,)))
        else:
            kept.append(ref)
    return kept


def _note_rate(plan: Plan, name: str, receipts: list[Receipt], share: int) -> None:
    made = sum(receipt.count for receipt in receipts)
    if made:
        throughput.note(
            plan.entries[name].recipe,
            plan.manifest.document.output.image_format,
            images=made,
            seconds=sum(receipt.timing["seconds"] for receipt in receipts) / share,
            stored=sum(receipt.size for receipt in receipts),
        )
