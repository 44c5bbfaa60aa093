"""The Ray runner hands out shards and gives back receipts, and its run is the one that a single process makes."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from synthgen import generate
from synthgen.errors import InputError, StoppedError, SynthgenError
from synthgen.generate.runners import ray as runner


@dataclass(frozen=True)
class Doubled:
    """What became of a number."""

    item: int

    @property
    def value(self) -> int:
        """Twice as much."""
        return 2 * self.item


class Double:
    """Work that ray can carry to another process: doubles numbers, and refuses 13 as an error of ours."""

    def __call__(self, items: Iterable[int]) -> Iterator[Doubled]:
        """Double each item."""
        for item in items:
            logging.getLogger("synthgen.test").warning("careful")
            if item == 13:
                raise InputError("13 is unlucky")
            yield Doubled(item)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Ray on this machine with two processors, started once for this module."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, num_gpus=0, log_to_driver=False, logging_level="error", include_dashboard=False)
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_ray_makes_what_one_process_makes(
    make_plan: Callable[..., Any],
    make_images: Callable[..., Any],
    tars_in: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two workers make the same tars as one process, in the command's folder and not in that where Ray began."""
    make_images(make_plan(), tmp_path / "local")
    monkeypatch.chdir(tmp_path)
    job = generate.prepare(make_plan(), Path("ray"))
    receipts = list(generate.generate(job, runner_name="ray", workers=2))
    assert sorted(receipt.shard for receipt in receipts) == [0, 1, 2, 3, 4]
    assert tars_in(tmp_path / "ray") == tars_in(tmp_path / "local")


@pytest.mark.slow
def test_a_cluster_that_was_there_stays(cluster: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Who had Ray running before still has it afterwards; without `workers` and GPUs there is one actor.

    What it logs at each item is seen here, once.
    """
    with caplog.at_level(logging.WARNING):
        assert values(runner.run(Double(), [1, 2, 3], None, lambda: False)) == [2, 4, 6]
    assert [record.getMessage() for record in caplog.records].count("careful") == 1
    assert cluster.is_initialized()


@pytest.mark.slow
def test_an_error_in_an_actor_is_the_error_it_was(cluster: Any) -> None:
    """What goes wrong on purpose in an actor arrives as our own exception, so the command can say it in one line."""
    with pytest.raises(InputError) as caught:
        list(runner.run(Double(), [13], 1, lambda: False))
    assert caught.value.faults == ("13 is unlucky",)
    assert caught.value.exit_code == 2


def keep(driven: Iterator[Doubled], results: list[int]) -> None:
    """Keep each result as it comes, so that what was there before an error is seen."""
    for result in driven:
        results.append(result.value)


def values(driven: Iterator[Doubled]) -> list[int]:
    """All results, sorted."""
    return sorted(result.value for result in driven)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_worked_once(cluster: Any, workers: int) -> None:
    """Each result comes back once, from one worker or from one for each item."""
    assert values(runner.run(Double(), [0, 1], workers, lambda: False)) == [0, 2]


def test_nothing_to_do_is_nothing_done(cluster: Any) -> None:
    """Without items nothing is yielded."""
    assert list(runner.run(Double(), [], 2, lambda: False)) == []


class ReadsAhead:
    """Work that gives a result once it has read the next item, as making shards does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, items: Iterable[int]) -> Iterator[Doubled]:
        """Double each item."""
        before = None
        for item in items:
            if before is not None:
                (self._folder / f"{item}-read-before-{before}-was-given").touch()
                yield Doubled(before)
            time.sleep(0.2)
            before = item
        if before is not None:
            yield Doubled(before)


@pytest.mark.slow
def test_the_next_item_is_read_while_one_is_worked(cluster: Any, tmp_path: Path) -> None:
    """So images that a shard starts from are read, and those of the one before written, beside the GPU."""
    assert values(runner.run(ReadsAhead(tmp_path), [0, 1, 2, 3], 1, lambda: False)) == [0, 2, 4, 6]
    assert len(list(tmp_path.iterdir())) >= 2


@pytest.mark.slow
def test_a_stop_is_heard_between_items(cluster: Any) -> None:
    """Once asked to stop it hands out nothing more, and what was yielded is kept."""
    results = list[int]()
    driven = runner.run(Double(), list(range(12)), 1, lambda: len(results) >= 2)
    with pytest.raises(StoppedError):
        keep(driven, results)
    assert 2 <= len(results) < 12


class Dies:
    """Work that kills its process the first times it meets an item, as a machine without memory does."""

    def __init__(self, folder: Path, deaths: dict[int, int]) -> None:
        self._folder, self._deaths = folder, deaths

    def __call__(self, items: Iterable[int]) -> Iterator[Doubled]:
        """Double each item that does not end the process."""
        for item in items:
            died = len(list(self._folder.glob(f"{item}-*")))
            if died < self._deaths.get(item, 0):
                (self._folder / f"{item}-{died}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield Doubled(item)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(cluster: Any, tmp_path: Path) -> None:
    """What it was at is tried again by its successor, and every item is there once."""
    work = Dies(tmp_path, {1: 1})
    assert values(runner.run(work, [0, 1, 2], 1, lambda: False)) == [0, 2, 4]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_an_item_that_ends_every_worker_is_named_when_all_others_are_done(cluster: Any, tmp_path: Path) -> None:
    """It is given up after three deaths, in one line, and loses nothing else."""
    done = list[int]()
    with pytest.raises(SynthgenError) as ended:
        keep(runner.run(Dies(tmp_path, {2: 99}), [0, 1, 2], 1, lambda: False), done)
    assert sorted(done) == [0, 2]
    assert str(ended.value).startswith("2: given up after 3 workers died at it")
    assert len(list(tmp_path.iterdir())) == 3


class NeverStarts:
    """Work that no worker can take over, as where a module is missing there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _missing, ()

    def __call__(self, items: Iterable[int]) -> Iterator[Doubled]:
        """Nothing, since it never arrives."""
        yield from map(Doubled, items)


def _missing() -> None:
    raise ModuleNotFoundError("No module named 'plugin_dep'")


@pytest.mark.slow
def test_workers_that_cannot_start_are_said(cluster: Any) -> None:
    """The reason is given, and no item is said to have ended them."""
    with pytest.raises(SynthgenError, match="plugin_dep"):
        list(runner.run(NeverStarts(), [1, 2], 1, lambda: False))


class WaitsForWord(Double):
    """Work that ends once a file is there, or after half a minute."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, items: Iterable[int]) -> Iterator[Doubled]:
        """Double each item."""
        for item in items:
            for _ in range(600):
                if (self._folder / "said").exists():
                    break
                time.sleep(0.05)
            yield Doubled(item)


class StartsSecond(WaitsForWord):
    """The same, which the first worker can't take over, as on a machine where a package is missing."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _missing_once, (self._folder,)


def _missing_once(folder: Path) -> Double:
    try:
        (folder / "missed").touch(exist_ok=False)
    except FileExistsError:
        return WaitsForWord(folder)
    raise ModuleNotFoundError("No module named 'plugin_dep'")


@pytest.mark.slow
def test_others_go_on_without_a_worker_that_cannot_start(
    cluster: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said while they are at work, and does not count as a death of anything."""

    def hear() -> bool:
        if "a worker can't start, others go on without it" in caplog.text:
            (tmp_path / "said").touch()
        return False

    assert values(runner.run(StartsSecond(tmp_path), list(range(8)), 2, hear)) == list(range(0, 16, 2))
    assert (tmp_path / "said").exists()


@pytest.mark.parametrize(
    ("workers", "gpus", "share"),
    [(1, 0, 0), (4, 0, 0), (1, 2, 1), (2, 2, 1), (3, 2, 1 / 2), (4, 2, 1 / 2), (5, 2, 1 / 3)],
)
def test_workers_share_gpus_evenly(workers: int, gpus: int, share: float) -> None:
    """As many workers have a place as are asked for, whatever the number of GPUs."""
    assert runner.gpu_share(workers, gpus) == share
    assert not gpus or gpus * int(1 / share + 1e-9) >= workers
