"""How many workers make a job on this machine."""

import logging
import os
import sys

from synthgen.core import devices, digits
from synthgen.core.devices import DeviceRequest
from synthgen.generate.job import GenerateJob
from synthgen.runs import run_folder

_BYTES_A_WORKER = 2 << 30  # of memory: torch, diffusers and a small model with a batch of its images
_log = logging.getLogger(__name__)


def choose(job: GenerateJob, request: DeviceRequest, workers: object) -> int:
    """How many local workers make a job; of ``auto``, one a GPU, or on a CPU what is fastest.

    That is taken to be a process of one thread for each core; ``benchmarks/workers.py`` measures it. A run that pins
    more threads has fewer, and so has a machine without the memory: 2 GiB each are allowed for.
    """
    shards = max(1, len(job.todo))
    gpus = _gpus(request)
    if workers != "auto":
        count = min(workers, shards) if isinstance(workers, int) else 1
        if workers is None and len(gpus) > 1:
            _log.warning("one of %d GPUs is used; --workers auto uses them all", len(gpus))
        _check_threads(job, count, gpus)
        return count
    if gpus or (sys.platform == "darwin" and request.device in ("auto", "mps")):
        return min(max(1, len(gpus)), shards)
    import psutil

    fits = int(psutil.virtual_memory().available // _BYTES_A_WORKER)
    return max(1, min(devices.cores() // _threads(job), fits, shards))


def machine_share(workers: int | None, request: DeviceRequest) -> int:
    """How many workers share what a rate is kept for: a GPU, or a machine without one."""
    return -(-(workers or 1) // max(1, len(_gpus(request)))) if (workers or 1) > 1 else 1


def _gpus(request: DeviceRequest) -> list[str]:
    return devices.gpus() if request.device in ("auto", "cuda") else []


def _threads(job: GenerateJob) -> int:
    """Threads that a worker computes in: what the run pins, or the environment says, else one."""
    names = dict.fromkeys(ref.entry for ref in job.todo)
    pins = [pin.threads for name in names if (pin := run_folder.pinned(job.root, name)) and pin.device == "cpu"]
    return max([1, *pins, digits.whole(os.environ.get("OMP_NUM_THREADS", "")) or 1])


def _check_threads(job: GenerateJob, workers: int, gpus: list[str]) -> None:
    """Say that threads take turns where a run that is gone on with pins more than there are cores for."""
    threads, cores = _threads(job), devices.cores()
    if workers > 1 and not gpus and threads * workers > cores and threads > 1:
        _log.warning(
            "this run pins %d threads a worker, so %d workers take turns on %d cores; fewer are as fast",
            threads, workers, cores,
        )  # fmt: skip
