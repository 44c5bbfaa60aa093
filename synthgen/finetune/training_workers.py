"""Several adapters at a time, each trained whole by one process, to the weights that it has where they go in turns.

To share one adapter's batches among GPUs is another thing: ``accelerate launch`` does that.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from synthgen.core import devices, worker_processes
from synthgen.core.worker_main import stop_asked
from synthgen.errors import InputError
from synthgen.finetune.job import FinetuneJob, Trained, train
from synthgen.finetune.training import Step


def check(workers: int | None) -> None:
    """Refuse several workers in each of several processes that were launched to train together.

    Raises:
        InputError: Both were asked for.
    """
    if (workers or 1) > 1 and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(
            "--workers: `accelerate launch` shares each adapter among its processes; leave out one of them"
        )


def finetune(job: FinetuneJob, device: str, workers: int, stop: Callable[[], bool]) -> Iterator[Step | Trained]:
    """As :func:`synthgen.finetune.finetune`, by so many processes, each with a GPU of its own where there are GPUs.

    Each computes in as many threads as one process would, since the weights of a training on a CPU depend on it.

    Raises:
        LostWorkError: An adapter ended every process that trained it; all others are trained by then.
        StoppedError: ``stop`` said so; each training has saved its state.
    """
    names = [one.adapter.name for one in job.todo]
    gpus = devices.gpus() if device in ("auto", "cuda") else []
    threads = worker_processes.threads_of_one()
    places = [place | threads for place in worker_processes.places(min(workers, len(names)), gpus)]
    for result in worker_processes.run(_Worker(job, device), names, places, stop):
        yield result.event


@dataclass(frozen=True, slots=True)
class _Result:
    item: str | None
    event: Step | Trained


@dataclass(frozen=True, slots=True)
class _Worker:
    """What a worker process does."""

    job: FinetuneJob
    device: str

    def __call__(self, items: Iterable[str]) -> Iterator[_Result]:
        for name in items:
            (adapter,) = (one for one in self.job.todo if one.adapter.name == name)
            for event in train(self.job, adapter, self.device, stop_asked):
                yield _Result(name if isinstance(event, Trained) else None, event)
