"""A pool of Ray actors, one a GPU (or as many as asked for), on this machine or a cluster.

Actors that die are restarted by Ray itself (``max_restarts``), on another node where theirs is gone. What they were at
is tried again by whoever is free, as :class:`~synthgen.core.dealing.Deal` says it: Ray's own ``max_task_retries``
counts every second in which a lost node does not answer as a death of the shard. Ray's ``ActorPool`` and Ray Data's
pools hand out work as this does, but end with the first task that fails for good; here the others are finished first.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from synthgen.core import worker_log
from synthgen.core.dealing import Deal
from synthgen.core.worker_log import Once
from synthgen.errors import StoppedError, SynthgenError, UnavailableError, one_line

Item = TypeVar("Item")
Result = TypeVar("Result")
_POLL_SECONDS = 1.0
_AHEAD = 2  # items that an actor holds: the one it is at, and the one that it reads meanwhile
_log = logging.getLogger(__name__)


class _Actor:
    """Holds one copy of the work, so that a model is loaded once an actor; it is always in the same thread.

    Ray calls :meth:`do` in a thread for each item that it was given. The work takes them as a stream, so that it reads
    the next while it is at one.
    """

    def __init__(self, work: Callable[[Iterable[Any]], Iterator[Any]], level: int) -> None:
        self._work, self._said = work, list[logging.LogRecord]()
        self._items = queue.SimpleQueue[tuple[Any, Future[list[Any]]]]()
        worker_log.forward(self._said.append, level)
        threading.Thread(target=self._serve, daemon=True).start()

    def ready(self) -> None:
        """Answer: an actor that has no place in the cluster yet does not, and is given nothing to do."""

    def do(self, item: Any) -> tuple[list[Any], list[logging.LogRecord]]:
        """Work through an item; gives its results, and what was logged meanwhile."""
        answer = Future[list[Any]]()
        self._items.put((item, answer))
        results = answer.result()
        said = list(self._said)
        del self._said[: len(said)]
        return results, said

    def _serve(self) -> None:
        while True:
            taken: dict[Any, Future[list[Any]]] = {}
            try:
                for result in self._work(self._waiting(taken)):
                    if (answer := taken.pop(result.item, None)) is not None:
                        answer.set_result([result])
            except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits is told
                for answer in taken.values():
                    answer.set_exception(error)
            else:
                for answer in taken.values():
                    answer.set_result([])

    def _waiting(self, taken: dict[Any, Future[list[Any]]]) -> Iterator[Any]:
        """The next item, and those that are there by then; where there is none, the work is to come to its end."""
        item, taken[item] = self._items.get()
        yield item
        while not self._items.empty():
            item, taken[item] = self._items.get()
            yield item


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
        options = {"max_restarts": -1, "max_concurrency": _AHEAD + 1, "scheduling_strategy": "SPREAD"}  # over nodes
        kind = ray.remote(num_gpus=gpu_share(count, gpus), **options)(_Actor)
        handle, level = ray.put(work), logging.getLogger("synthgen").getEffectiveLevel()
        actors = [kind.remote(handle, level) for _ in range(count)]
        yield from _Crew(ray, actors, Deal(items, count)).results(stop)
    finally:
        if started:
            ray.shutdown()


def gpu_share(workers: int, gpus: int) -> float:
    """The part of a GPU that each worker asks for, so that all of them have a place: 1, 1/2, 1/3 and so on.

    A part that divides no GPU evenly, as 2 GPUs over 3 workers would be, leaves a worker waiting for ever.
    """
    return 1 / -(-workers // gpus) if gpus else 0.0


class _Crew:
    """The actors, and what they are at; an actor that has answered is idle once for each item that it may be given."""

    def __init__(self, ray: Any, actors: Sequence[Any], deal: Deal[Any]) -> None:
        self._ray, self._deal, self._once = ray, deal, Once()
        self._busy: dict[Any, tuple[Any, Any]] = {}  # actor and item, by what is waited for; no item: it is to answer
        self._idle = list[Any]()
        for actor in actors:
            self._await(actor)

    def results(self, stop: Callable[[], bool]) -> Iterator[Any]:
        """Results as they come, until everything is done or given up."""
        from ray.exceptions import RayActorError

        while not self._deal.over:
            if stop():
                raise StoppedError("stopped by a signal; run the same command again to go on")
            self._hand_out()
            done, _ = self._ray.wait(list(self._busy), timeout=_POLL_SECONDS)
            for reference in done:
                actor, item = self._busy.pop(reference, (None, None))
                if actor is None:
                    continue  # it died just now
                try:
                    found = self._ray.get(reference)
                except RayActorError as error:
                    self._died(actor, one_line(error))
                else:
                    yield from self._heard(actor, item, found)
        self._deal.check()

    def _await(self, actor: Any) -> None:
        self._busy[actor.ready.options(max_task_retries=-1).remote()] = actor, None

    def _hand_out(self) -> None:
        asking, self._idle = self._idle, []
        for actor in asking:
            if found := self._deal.take(actor):
                self._busy[actor.do.remote(found[0])] = actor, found[0]
            else:
                self._idle.append(actor)  # until what another holds is done, or is to be tried again

    def _heard(self, actor: Any, item: Any, found: Any) -> Iterator[Any]:
        if item is None:
            self._idle += [actor] * _AHEAD
            return
        self._idle.append(actor)
        self._deal.done(actor, item)
        results, said = found
        for record in said:
            self._once.record(record)
        yield from results

    def _died(self, actor: Any, words: str) -> None:
        """Have others try what an actor held, and wait for it; one that held nothing, and can't answer, is given up."""
        held = self._deal.died(actor, words) if self._deal.holds(actor) else []
        self._busy = {reference: one for reference, one in self._busy.items() if one[0] != actor}
        self._idle = [one for one in self._idle if one != actor]
        if held:
            named = ", ".join(map(str, held))
            _log.warning("a worker died at %s, or its machine is gone; another tries it", named)
            self._await(actor)  # it answers once it is restarted
        elif self._busy or self._idle:
            _log.warning("a worker can't start, others go on without it: %s", words)
        else:
            raise SynthgenError(f"a worker can't start: {words}")
