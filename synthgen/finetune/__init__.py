"""Trains every adapter that a manifest asks for and that is not there yet."""

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
from synthgen.runs import run_folder

__all__ = ["FinetuneJob", "Step", "Trained", "finetune", "prepare"]


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


def prepare(plan: Plan, root: Path, extensions: Extensions | None = None) -> FinetuneJob:
    """The adapters of a plan, and those of them that its folder, reserved for it here, does not have.

    Raises:
        PlanMismatchError: The folder holds another plan, or an adapter of another recipe.
        InputError: The folder is not a run.
    """
    plan = run_folder.reserve(root, plan, extensions)
    todo, finished, faults = list[AdapterPlan](), list[str](), list[str]()
    for name, adapter_plan in plan.adapter_plans.items():
        folder = root / adapter_folder.FOLDER / name
        if not folder.exists():
            todo.append(adapter_plan)
            continue
        found = adapter_folder.read(folder)["digest"]
        finished.append(name)
        if found != adapter_plan.adapter.digest:
            faults.append(
                f"{folder} is an adapter of another recipe or of other images (there {found[:12]}, asked "
                f"{adapter_plan.adapter.digest[:12]}): use another --out, rename the entry, or undo the change"
            )
    if faults:
        raise PlanMismatchError(*faults)
    return FinetuneJob(plan, root, tuple(todo), tuple(finished))


def finetune(
    job: FinetuneJob, device: str = "auto", *, stop: Callable[[], bool] = lambda: False
) -> Iterator[Step | Trained]:
    """Train the adapters of a job one after another, each from its own newest state.

    Yields a :class:`Step` every few seconds and a :class:`Trained` for each adapter.

    Args:
        job: What there is to do.
        device: torch's device, or ``auto``.
        stop: Whether a signal asked to stop.

    Raises:
        UnavailableError: The device, or a model, can't be had here.
        StoppedError: ``stop`` said so; what was yielded is kept.
    """
    from synthgen.finetune import train_adapter

    for adapter_plan in job.todo:
        if stop():
            raise StoppedError(STOPPED)
        folder = job.root / adapter_folder.FOLDER / adapter_plan.adapter.name
        seconds = 0.0
        for step in train_adapter.train(job.plan.manifest, adapter_plan, job.root, device=device, stop=stop):
            seconds += step.seconds
            yield step
        facts = adapter_folder.read(folder)
        yield Trained(adapter_plan.adapter.name, folder, len(adapter_plan.pool), facts["steps"], facts["loss"], seconds)
