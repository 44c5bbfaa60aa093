"""The adapters of a run that are to be trained, and the training of one of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgen.core import adapter_folder
from synthgen.errors import PlanMismatchError, StoppedError
from synthgen.finetune.settings import training_settings
from synthgen.finetune.training import STOPPED, Step
from synthgen.plan import Plan
from synthgen.plan.adapters import AdapterPlan
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import run_folder, trained_adapters
from synthgen.runs.trained_adapters import OtherAdapter


@dataclass(frozen=True, slots=True)
class Trained:
    """An adapter that is finished and safely on disk.

    Attributes:
        adapter: Its name.
        folder: Where it lies.
        images: How many real images it was shown.
        steps: Optimizer steps.
        loss: The mean over the last tenth of them.
        seconds: That they took in this process.
    """

    adapter: str
    folder: Path
    images: int
    steps: int
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class FinetuneJob:
    """The adapters of a run, and those of them that are to be trained."""

    plan: Plan
    root: Path
    todo: tuple[AdapterPlan, ...]
    finished: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Optimizer steps of all that are to be trained, on one device."""
        return sum(training_settings(one.entry).steps(len(one.pool)) for one in self.todo)


def prepare(
    plan: Plan, root: Path, extensions: Extensions | None = None, *, accept_changes: bool = False
) -> FinetuneJob:
    """The adapters of a plan, and those of them that its folder, reserved for it here, does not have.

    Args:
        plan: The plan.
        root: The run's folder.
        extensions: The plug-ins there are, by which the plan that a run has is read.
        accept_changes: Whether an adapter of another recipe is set aside, and trained anew, with the images made by it.

    Raises:
        PlanMismatchError: The folder holds an adapter of another recipe, or images would be set aside, and that was not
            accepted.
        InputError: The folder is not a run.
    """
    others = list(trained_adapters.others(plan, root))
    if others and not accept_changes:
        raise PlanMismatchError(*(f"{one.folder}: {one}: {_advice(one)}" for one in others))
    plan = run_folder.reserve(root, plan, extensions, accept_changes=accept_changes)
    for one in others:
        adapter_folder.set_aside(root, one.name, one.digest)
    todo, finished = list[AdapterPlan](), list[str]()
    for name, adapter_plan in plan.adapter_plans.items():
        if adapter_folder.restore(root, name, adapter_plan.adapter.digest):
            finished.append(name)
        else:
            todo.append(adapter_plan)
    return FinetuneJob(plan, root, tuple(todo), tuple(finished))


def _advice(other: OtherAdapter) -> str:
    does = "trains it again" if other.steps is None else "goes on from there, or begins anew where it has more"
    return f"--accept-changes sets that one aside and {does}, or undo the change"


def train(
    job: FinetuneJob,
    adapter_plan: AdapterPlan,
    device: str,
    stop: Callable[[], bool],
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Step | Trained]:
    """Train one adapter of a job, from its newest state; yields and raises as :func:`synthgen.finetune.finetune`."""
    from synthgen.finetune import on_the_way, train_adapter

    if stop():
        raise StoppedError(STOPPED)
    adapter = adapter_plan.adapter
    folder = job.root / adapter_folder.FOLDER / adapter.name
    seconds = 0.0
    if not adapter_folder.restore(job.root, adapter.name, adapter.digest):  # as of others
        held = on_the_way.sources(job.plan.index, adapter_plan)
        for step in train_adapter.train(
            job.plan.manifest, adapter_plan, job.root, device=device, stop=stop, held_out=held, progress=progress
        ):
            seconds += step.seconds
            yield step
    facts = adapter_folder.read(folder)
    yield Trained(adapter.name, folder, len(adapter_plan.pool), facts["steps"], facts["loss"], seconds)
