"""Every planned image that is not made yet is made, shard by shard, and the receipts of the shards are yielded."""

from collections.abc import Callable, Iterator

from synthgen.core.devices import DeviceRequest
from synthgen.diffusion import pipelines
from synthgen.generate.job import GenerateJob, Selection, prepare
from synthgen.generate.runners import runner
from synthgen.generate.worker import ShardMaker, never_stop
from synthgen.plan import Plan, ShardRef, throughput
from synthgen.runs.receipts import Receipt

__all__ = ["GenerateJob", "Selection", "generate", "prepare"]


def generate(
    job: GenerateJob,
    request: DeviceRequest | None = None,
    *,
    runner_name: str = "local",
    workers: int | None = None,
    stop: Callable[[], bool] = never_stop,
) -> Iterator[Receipt]:
    """Make the shards of a job; yields each receipt once its shard is safely on disk.

    Raises:
        UnavailableError: What was asked for can't be had on this device.
        StoppedError: ``stop`` said so; what was yielded is kept.
    """
    if not job.todo:
        return
    local = runner_name == "local"
    root = job.root if local else job.root.resolve()  # workers elsewhere stand in other folders
    work = ShardMaker(job.plan, root, request or DeviceRequest(), stop if local else never_stop)
    run = runner(runner_name, job.plan.manifest.plugins).run
    measured: dict[str, list[Receipt]] = {}
    for todo in _in_turn(job):
        for receipt in run(work, todo, workers, stop):
            measured.setdefault(receipt.entry, []).append(receipt)
            yield receipt
    pipelines.release_from_gpu()  # scorers and classifiers come next, in the same process
    for name, receipts in measured.items():
        _note_rate(job.plan, name, receipts)


def _in_turn(job: GenerateJob) -> Iterator[list[ShardRef]]:
    """The shards to make, in groups of which each starts from nothing that a later one makes."""
    depths: dict[str, int] = {}
    for name, entry in job.plan.entries.items():
        depths[name] = depths[entry.parent] + 1 if entry.parent else 0
    for depth in range(max(depths.values()) + 1):
        todo = [ref for ref in job.todo if depths[ref.entry] == depth]
        if todo:
            yield todo


def _note_rate(plan: Plan, name: str, receipts: list[Receipt]) -> None:
    made = sum(receipt.count for receipt in receipts)
    if made:
        throughput.note(
            plan.entries[name].recipe,
            plan.manifest.document.output.image_format,
            images=made,
            seconds=sum(receipt.timing["seconds"] for receipt in receipts),
            stored=sum(receipt.size for receipt in receipts),
        )
