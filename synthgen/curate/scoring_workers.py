"""Scoring in this process or in several: each opens the run and its scorers for itself, and scores what it is handed.

A worker that dies costs a shard, which another scores; :mod:`synthgen.core.worker_processes` sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from synthgen.core import devices, trust, worker_processes
from synthgen.core.worker_main import stop_asked
from synthgen.curate.job import CurateJob, scoring_job
from synthgen.curate.scoring import Scored, Shard, work_shards
from synthgen.errors import SynthgenError
from synthgen.plan import Plan, ShardRef
from synthgen.plan.manifest.settings import ScorerSettings

_ENOUGH = 4_000  # scores that are worth another process, which starts in some seconds
_BYTES_A_WORKER = 2 << 30  # of memory: torch, a backbone and a shard's images


def score(job: CurateJob, stop: Callable[[], bool], workers: int | str | None = None) -> Iterator[Scored]:
    """Each shard as it is scored; what is scored already is left alone. Any number of workers writes the same bytes.

    Args:
        job: What is to be scored.
        stop: Whether to stop, asked between shards.
        workers: Processes that score, this one where left out; with ``auto`` one a GPU, or up to one a core, as far as
            it is worth starting them and there are 2 GiB of memory for each.

    Raises:
        LostWorkError: A shard ended every process that scored it; all others are scored by then.
        StoppedError: ``stop`` said so; what was scored is kept.
        SynthgenError: A scorer does not give what it promises.
    """
    todo = {scoring.name: scoring.unscored(job.shards) for scoring in job.scorings}
    gpus = devices.gpus() if job.device in ("auto", "cuda") and any(todo.values()) else []
    count = worth_starting(job.images, gpus, job.device) if workers == "auto" else int(workers or 1)
    if (count := min(count, sum(map(len, todo.values())))) > 1:
        yield from _score_in_workers(job, todo, count, gpus, stop)
    for scoring in job.scorings:
        yield from scoring.score(scoring.unscored(job.shards), stop)
        scoring.finish(job.shards)


def worth_starting(images: int, gpus: list[str], device: str) -> int:
    """How many processes are worth starting for so many scores: one a GPU, or up to one a core."""
    import psutil

    if gpus or device == "mps":
        return max(1, len(gpus))
    fits = int(psutil.virtual_memory().available // _BYTES_A_WORKER)
    return max(1, min(devices.cores(), fits, images // _ENOUGH))


@dataclass(frozen=True, slots=True)
class _Item:
    scorer: str
    shard: ShardRef

    def __str__(self) -> str:
        return f"scorer {self.scorer} at {self.shard.entry} {self.shard.number:05d}"


@dataclass(frozen=True, slots=True)
class _Result:
    item: _Item
    scored: Scored


def _score_in_workers(
    job: CurateJob, todo: Mapping[str, list[Shard]], workers: int, gpus: list[str], stop: Callable[[], bool]
) -> Iterator[Scored]:
    items = [_Item(name, shard.ref) for name, unscored in todo.items() for shard in unscored]
    scorers = {scoring.name: scoring.settings for scoring in job.scorings}
    digests = {scoring.name: scoring.digest for scoring in job.scorings}
    shards = [shard.ref for shard in job.shards]
    work = _Worker(job.plan, job.root, job.device, shards, scorers, digests, trust.said())
    threads = worker_processes.threads_of_one()
    places = [place | threads for place in worker_processes.places(workers, gpus)]
    for result in worker_processes.run(work, items, places, stop):
        yield result.scored


@dataclass
class _Worker:
    """What a worker process does; the run that it opens it keeps."""

    plan: Plan
    root: Path
    device: str
    shards: list[ShardRef]
    scorers: Mapping[str, ScorerSettings]
    digests: Mapping[str, str]
    trusted: tuple[bool, dict[str, str]]
    _opened: CurateJob | None = field(default=None, init=False, repr=False)

    def __call__(self, items: Iterable[_Item]) -> Iterator[_Result]:
        self._opened = self._opened or self._open()
        shards = {shard.ref: shard for shard in self._opened.shards}
        scorings = {scoring.name: scoring for scoring in self._opened.scorings}
        for name, some in groupby(items, key=lambda item: item.scorer):
            for scored in scorings[name].score((shards[item.shard] for item in some), stop_asked):
                yield _Result(_Item(name, scored.ref), scored)

    def _open(self) -> CurateJob:
        trust.repeat(self.trusted)
        wanted = set(self.shards)
        shards = tuple(shard for shard in work_shards(self.root, self.plan) if shard.ref in wanted)
        job = scoring_job(self.plan, self.root, shards, self.scorers, device=self.device)
        for scoring in job.scorings:
            if scoring.digest != self.digests[scoring.name]:
                raise SynthgenError(
                    f"scorer {scoring.name}: another one in a worker than here; its file, the real images or the "
                    f"images of {self.root} have changed meanwhile; run the same command again"
                )
        return job
