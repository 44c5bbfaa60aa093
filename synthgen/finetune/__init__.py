"""Trains every adapter that a manifest asks for and that is not there yet."""

from collections.abc import Callable, Iterator

from synthgen.finetune import training_workers
from synthgen.finetune.job import FinetuneJob, Trained, prepare, train
from synthgen.finetune.settings import training_settings
from synthgen.finetune.training import Step

__all__ = ["FinetuneJob", "Step", "Trained", "finetune", "prepare"]


def finetune(
    job: FinetuneJob,
    device: str = "auto",
    *,
    workers: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Step | Trained]:
    """Train the adapters of a job, each from its own newest state.

    Yields a :class:`Step` every few seconds and a :class:`Trained` for each adapter.

    Args:
        job: What there is to do.
        device: torch's device, or ``auto``.
        workers: Processes that train an adapter each, with a GPU of its own each where there are GPUs; the weights are
            the same. Where left out they are trained here, one after another.
        stop: Whether a signal asked to stop.
        progress: Told what is encoded before the first step, how much of it is done, and of how much.

    Raises:
        InputError: Another process trains one of them, or they can't be trained by so many.
        LostWorkError: An adapter ended every process that trained it.
        UnavailableError: The device, or a model, can't be had here.
        StoppedError: ``stop`` said so; what was yielded is kept.
    """
    from synthgen.finetune import on_the_way

    training_workers.check(workers)
    for one in job.todo:
        on_the_way.check(training_settings(one.entry), one.adapter.name)
    if min(workers or 1, len(job.todo)) > 1:
        yield from training_workers.finetune(job, device, workers or 1, stop)
        return
    for one in job.todo:
        yield from train(job, one, device, stop, progress)
