"""A pool of Ray actors, one a GPU (or as many as asked for), on this machine or a cluster.

Actors that die are restarted by Ray itself (``max_restarts``), on another node where theirs is gone. What they were at
is tried again by whoever is free, as :class:`~synthgen.core.dealing.Deal` says it: Ray's own ``max_task_retries``
counts every second in which a lost node does not answer as a death of the shard. Ray's ``ActorPool`` and Ray Data's
pools hand out work as this does, but end with the first task that fails for good; here the others are finished first.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from synthgen.core import worker_log
from synthgen.core.dealing import Deal
from synthgen.core.worker_log import Once
from synthgen.errors import StoppedError, SynthgenError, UnavailableError, one_line

Item = TypeVar("Item")
Result = TypeVar("Result")
_POLL_SECONDS = 1.0
_log = logging.getLogger(__name__)


class _Actor:
    """Holds one copy of the work, so that a model is loaded once an actor."""

    def __init__(self, work: Callable[[Iterable[Any]], Iterator[Any]], level: int) -> None:
        self._work, self._said = work, list[logging.LogRecord]()
        worker_log.forward(self._said.append, level)

    def ready(self) -> None:
        """Answer: an actor that has no place in the cluster yet does not, and is given nothing to do."""

    def do(self, items: Sequence[Any]) -> tuple[list[Any], list[logging.LogRecord]]:
        """Work through a few items; gives their results, and what was logged meanwhile."""
        results = list(self._work(items))
        said, self._said[:] = list(self._said), []
        return results, said


def run(
    work: Callable[[Iterable[Item]], Iterator[Result]],
    items: Sequence[Item],
    workers: int | None,
    stop: Callable[[], bool],
) -> Iterator[Result]:
    """Hand items to actors one at a time; images never travel, only items and what is said of them.

    What actors log is shown here, each thing once, whatever machine it comes from.

    A cluster is found through ``RAY_ADDRESS``; without one, Ray starts on this machine. Without ``workers``, there is
    an actor for each GPU of the cluster, or a single one where it has none. More workers than GPUs share them.

    Raises:
        UnavailableError: Ray is not installed.
        StoppedError: ``stop`` said so before the end.
        LostWorkError: An item ended every worker that tried it; all others are done by then.
        SynthgenError: A worker can't start.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise UnavailableError("--runner ray: Ray is not installed; pip install 'synthgen-images[ray]'") from None
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, logging_level="error", include_dashboard=False)
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        count = min(workers or max(1, gpus), len(items))
        options = {"max_restarts": -1, "scheduling_strategy": "SPREAD"}  # over nodes
        kind = ray.remote(num_gpus=gpu_share(count, gpus), **options)(_Actor)
        handle, level = ray.put(work), logging.getLogger("synthgen").getEffectiveLevel()
        yield from _drive(ray, [kind.remote(handle, level) for _ in range(count)], Deal(items, count), stop)
    finally:
        if started:
            ray.shutdown()


def gpu_share(workers: int, gpus: int) -> float:
    """The part of a GPU that each worker asks for, so that all of them have a place: 1, 1/2, 1/3 and so on.

    A part that divides no GPU evenly, as 2 GPUs over 3 workers would be, leaves a worker waiting for ever.
    """
    return 1 / -(-workers // gpus) if gpus else 0.0


def _drive(ray: Any, actors: list[Any], deal: Deal[Any], stop: Callable[[], bool]) -> Iterator[Any]:
    """Keep every actor that has answered busy with one item; yields results as they come."""
    from ray.exceptions import RayActorError

    busy: dict[Any, tuple[Any, Any]] = {_ready(actor): (actor, None) for actor in actors}
    idle, once, ever_ready = list[Any](), Once(), False
    while not deal.over:
        if stop():
            raise StoppedError("stopped by a signal; run the same command again to go on")
        asking, idle = idle, []
        for actor in asking:
            if found := deal.take(actor):
                busy[actor.do.remote(found)] = actor, found[0]
            else:
                idle.append(actor)  # until what another holds is done, or is to be tried again
        done, _ = ray.wait(list(busy), timeout=_POLL_SECONDS)
        for reference in done:
            actor, item = busy.pop(reference)
            try:
                results = ray.get(reference)
            except RayActorError as error:
                if item is None and not ever_ready:
                    raise SynthgenError(f"a worker can't start: {one_line(error)}") from None
                if item is not None:
                    deal.died(actor, one_line(error))
                    _log.warning("a worker died at %s, or its machine is gone; another tries it", item)
                busy[_ready(actor)] = actor, None  # it answers once it is restarted
            else:
                ever_ready = True
                if item is not None:
                    deal.done(actor, item)
                    for record in results[1]:
                        once.record(record)
                    yield from results[0]
                idle.append(actor)
    deal.check()


def _ready(actor: Any) -> Any:
    return actor.ready.options(max_task_retries=-1).remote()
