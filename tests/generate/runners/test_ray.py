"""The Ray runner hands out shards and gives back receipts, and its run is the one that a single process makes."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synthgen import generate
from synthgen.errors import InputError, StoppedError
from synthgen.generate.runners import ray as runner


class FakeRay:
    """Acts as Ray does towards the runner: references to work, of which the newest is done first."""

    def __init__(self) -> None:
        self.most_busy = 0

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        """The newest reference is done, the others are not."""
        self.most_busy = max(self.most_busy, len(references))
        return references[-1:], references[:-1]

    def get(self, reference: Any) -> Any:
        """What the work gave."""
        return reference()


class FakeActor:
    """One actor: ``actor.do.remote(items)`` gives a reference."""

    def __init__(self, given: list[list[int]]) -> None:
        self.do = self
        self._given = given

    def remote(self, items: list[int]) -> Callable[[], list[str]]:
        """Take items, and promise what they become."""
        self._given.append(items)
        return lambda: [f"done {item}" for item in items]


def drive(items: list[int], actors: int, stop: Callable[[], bool] = lambda: False) -> tuple[list[str], Any, Any]:
    """Drive fake actors through items; returns the results, what the actors were given, and the fake Ray."""
    ray, given = FakeRay(), list[list[int]]()
    idle = [FakeActor(given) for _ in range(actors)]
    return list(runner._drive(ray, idle, list(reversed(items)), stop)), given, ray


@pytest.mark.parametrize("actors", [1, 2, 5, 9])
def test_every_item_is_worked_once(actors: int) -> None:
    """Each item goes to one actor, alone, in order, and each result comes back."""
    results, given, ray = drive([0, 1, 2, 3, 4], actors)
    assert sorted(results) == [f"done {item}" for item in range(5)]
    assert given == [[0], [1], [2], [3], [4]]
    assert ray.most_busy == min(actors, 5)


def test_results_come_as_they_are_done() -> None:
    """A slow item holds up no other: what is done last is yielded last, whenever it began."""
    results, _, _ = drive([0, 1, 2, 3], 2)
    assert results[-1] == "done 0"


def test_nothing_to_do_is_nothing_done() -> None:
    """Without items no actor is asked and nothing is yielded."""
    assert drive([], 2)[:2] == ([], [])


def test_a_stop_is_heard_between_items() -> None:
    """Once asked to stop it hands out nothing more, and says that the work can be resumed."""
    answers = iter([False, False, True])
    ray, given = FakeRay(), list[list[int]]()
    driven = runner._drive(ray, [FakeActor(given)], [2, 1, 0], lambda: next(answers))
    assert [next(driven), next(driven)] == ["done 0", "done 1"]
    with pytest.raises(StoppedError, match="run the same command again"):
        next(driven)
    assert given == [[0], [1]]


class Double:
    """Work that ray can carry to another process: doubles numbers, and refuses 13 as an error of ours."""

    def __call__(self, items: Iterable[int]) -> Iterator[int]:
        """Double each item."""
        for item in items:
            if item == 13:
                raise InputError("13 is unlucky")
            yield 2 * item


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Ray on this machine with two processors, started once for this module."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, num_gpus=0, log_to_driver=False, logging_level="error", include_dashboard=False)
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_ray_makes_what_one_process_makes(
    cluster: Any,
    make_plan: Callable[..., Any],
    make_images: Callable[..., Any],
    tars_in: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    """Two workers make the same tars as one process, and every receipt comes back."""
    make_images(make_plan(), tmp_path / "local")
    job = generate.prepare(make_plan(), tmp_path / "ray")
    receipts = list(generate.generate(job, runner_name="ray", workers=2))
    assert sorted(receipt.shard for receipt in receipts) == [0, 1, 2, 3, 4]
    assert tars_in(tmp_path / "ray") == tars_in(tmp_path / "local")


@pytest.mark.slow
def test_a_cluster_that_was_there_stays(cluster: Any) -> None:
    """Who had Ray running before still has it afterwards; without `workers` and GPUs there is one actor."""
    assert sorted(runner.run(Double(), [1, 2, 3], None, lambda: False)) == [2, 4, 6]
    assert cluster.is_initialized()


@pytest.mark.slow
def test_an_error_in_an_actor_is_the_error_it_was(cluster: Any) -> None:
    """What goes wrong on purpose in an actor arrives as our own exception, so the command can say it in one line."""
    with pytest.raises(InputError) as caught:
        list(runner.run(Double(), [13], 1, lambda: False))
    assert caught.value.faults == ("13 is unlucky",)
    assert caught.value.exit_code == 2
