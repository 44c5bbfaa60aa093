"""A pool of Ray actors, one a GPU (or as many as asked for), on this machine or a cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from synthgen.errors import StoppedError, UnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")
_POLL_SECONDS = 1.0


class _Actor:
    """Holds one copy of the work, so that a model is loaded once an actor."""

    def __init__(self, work: Callable[[Iterable[Any]], Iterator[Any]]) -> None:
        self._work = work

    def do(self, items: Sequence[Any]) -> list[Any]:
        """Work through a few items."""
        return list(self._work(items))


def run(
    work: Callable[[Iterable[Item]], Iterator[Result]],
    items: Sequence[Item],
    workers: int | None,
    stop: Callable[[], bool],
) -> Iterator[Result]:
    """Hand items to actors one at a time; images never travel, only items and what is said of them.

    A cluster is found through ``RAY_ADDRESS``; without one, Ray starts on this machine. Without ``workers``, there is
    an actor for each GPU of the cluster, or a single one where it has none.

    Raises:
        UnavailableError: Ray is not installed.
        StoppedError: ``stop`` said so before the end.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise UnavailableError("--runner ray: Ray is not installed; pip install 'synthgen[ray]'") from None
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, logging_level="error", include_dashboard=False)
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        count = min(workers or max(1, gpus), len(items))
        kind = ray.remote(num_gpus=min(1.0, gpus / count) if gpus else 0)(_Actor)
        handle = ray.put(work)
        idle = [kind.remote(handle) for _ in range(count)]
        yield from _drive(ray, idle, list(reversed(items)), stop)
    finally:
        if started:
            ray.shutdown()


def _drive(ray: Any, idle: list[Any], todo: list[Any], stop: Callable[[], bool]) -> Iterator[Any]:
    """Keep every actor busy with one item; yields results as they come."""
    busy: dict[Any, Any] = {}
    while busy or todo:
        if stop():
            raise StoppedError("stopped by a signal; run the same command again to go on")
        while idle and todo:
            actor = idle.pop()
            busy[actor.do.remote([todo.pop()])] = actor
        done, _ = ray.wait(list(busy), timeout=_POLL_SECONDS)
        for reference in done:
            idle.append(busy.pop(reference))
            yield from ray.get(reference)
