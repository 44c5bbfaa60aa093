"""Several worker processes make what one makes, and processes that meet on a run share its shards out."""

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from synthgen import generate
from synthgen.core import devices, worker_processes
from synthgen.core.devices import DeviceRequest
from synthgen.errors import InputError
from synthgen.generate import claims, workers
from synthgen.generate.runners import local
from synthgen.generate.worker import ShardMaker
from synthgen.plan import ShardRef
from synthgen.runs.receipts import Ledger

TOKEN = "hf_canaryCANARYcanaryCANARYcanary1234"
TarsIn = Callable[[Path], dict[str, bytes]]
SLOW = {"generate": [{"strategy": "fake", "per_cell": 4, "settings": {"height": 32, "width": 32, "seconds": 0.3}}]}


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """A token in the environment."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return TOKEN


@pytest.mark.slow
@pytest.mark.usefixtures("workers_without_torch")
def test_two_workers_of_which_one_is_killed_make_the_bytes_of_one(
    make_plan: Any,
    make_images: Any,
    tars_in: TarsIn,
    tmp_path: Path,
    token: str,
    *,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each receipt comes once, also of what the killed one was at, and the tars are those of one process.

    No command line of theirs, which everybody on the machine may read, shows a token of the environment.
    """
    make_images(make_plan(**SLOW), tmp_path / "one")
    receipts, shown = list[Any](), list[str]()
    for receipt in generate.generate(generate.prepare(make_plan(**SLOW), tmp_path / "two"), workers=2):
        if not receipts:
            shown += (" ".join(one.cmdline()) for one in psutil.Process().children(recursive=True))
            at_work = next(one for one in psutil.Process().children() if _holds_a_shard(one, tmp_path / "two"))
            at_work.kill()
        receipts.append(receipt)
    assert sorted(receipt.shard for receipt in receipts) == [0, 1, 2, 3, 4]
    assert tars_in(tmp_path / "two") == tars_in(tmp_path / "one")
    assert not list((tmp_path / "two/.scratch").iterdir())
    assert "another takes its place" in caplog.text
    assert len(shown) >= 2
    assert token not in "".join(shown)


def _holds_a_shard(process: psutil.Process, root: Path) -> bool:
    """Whether a worker has a claim open; one that is still starting has none, and is not missed when it dies."""
    return any(Path(file.path).is_relative_to(root) for file in process.open_files())


def test_a_shard_that_another_process_is_at_is_left_for_last(
    make_plan: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is waited for once all else is done, and made here if the other lets go of it without having made it."""
    job = generate.prepare(make_plan(), tmp_path)
    let_go = Ledger(tmp_path, "fake", job.plan.entries["fake"].digest_of).claim(1)
    assert let_go is not None
    made = list[int]()
    for receipt in generate.generate(job):
        made.append(receipt.shard)
        if len(made) == 4:
            let_go()
    assert made == [0, 2, 3, 4, 1]
    assert not list((tmp_path / ".scratch").iterdir())


def test_what_another_process_has_made_meanwhile_is_taken(
    make_plan: Any, make_images: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its shards are looked at again before they would be made; their receipts come too, and it is said."""
    job = generate.prepare(make_plan(), tmp_path)
    make_images(make_plan(), tmp_path, limit=10)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "fake").iterdir()}
    with caplog.at_level(logging.WARNING):
        assert sorted(receipt.shard for receipt in generate.generate(job)) == [0, 1, 2, 3, 4]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "2 of the work shards, 10 images, were made by other processes" in caplog.text


@pytest.mark.parametrize(
    ("machine", "given", "count"),
    [
        (([], 2), "auto", 2),
        (([], 1), "auto", 1),
        (([], 64), "auto", 5),  # no more than there are shards
        ((["0", "1"], 64), "auto", 2),
        (([], 64), None, 1),
        ((["0", "1"], 64), 3, 3),
        (([], 2), 99, 5),
    ],
)
def test_how_many_workers(
    machine: tuple[list[str], int], given: Any, count: int, make_plan: Any, tmp_path: Path
) -> None:
    """`auto` is one a GPU, or else one a core; a number is taken as it is, as far as there is work."""
    job = generate.prepare(make_plan(), tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OMP_NUM_THREADS", raising=False)
        patch.setattr(devices, "gpus", lambda: machine[0])
        patch.setattr(devices, "cores", lambda: machine[1])
        patch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 << 30))
        assert workers.choose(job, DeviceRequest(), given) == count


def test_each_worker_has_a_gpu_and_its_part_of_the_cores(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """GPUs go round, which is said where they have to be shared; threads are divided, unless the user has said."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(devices, "cores", lambda: 16)
    assert worker_processes.places(2, ["3", "GPU-x"]) == [
        {"OMP_NUM_THREADS": "8", "CUDA_VISIBLE_DEVICES": "3"},
        {"OMP_NUM_THREADS": "8", "CUDA_VISIBLE_DEVICES": "GPU-x"},
    ]
    assert not caplog.text
    assert [one["CUDA_VISIBLE_DEVICES"] for one in worker_processes.places(3, ["0", "1"])] == ["0", "1", "0"]
    assert "3 workers take turns on 2 GPUs" in caplog.text
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert worker_processes.places(2, []) == [{}, {}]


def test_a_cpu_that_was_asked_for_has_no_gpus(
    make_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a machine with GPUs nothing is said of them, and no worker is given one."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    given = list[Any]()
    monkeypatch.setattr(local.worker_processes, "run", lambda _work, _items, places, _stop: given.extend(places) or ())
    job = generate.prepare(make_plan(output={"shard_samples": 1}), tmp_path)
    list(generate.generate(job, DeviceRequest("cpu"), workers=2))
    assert len(given) == 2
    assert not any("CUDA_VISIBLE_DEVICES" in one for one in given)
    assert "GPU" not in caplog.text


def test_gpus_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What CUDA_VISIBLE_DEVICES leaves, by whatever name."""
    for said, found in (("0, 2", ["0", "2"]), ("GPU-8f,MIG-1", ["GPU-8f", "MIG-1"]), ("", []), ("-1", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
        assert devices.gpus() == found


def test_a_worker_that_sees_another_folder_is_refused(make_plan: Any, tmp_path: Path) -> None:
    """A run must be one folder for all machines; a copy of it is another one, and nothing is made there."""
    generate.prepare(make_plan(), tmp_path / "here")
    with claims.marked(tmp_path / "here") as mark, pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "_LATE_SECONDS", 0.0)
        work = ShardMaker(make_plan(), tmp_path / "here", DeviceRequest(), mark=mark)
        assert [made.item.number for made in work([ShardRef("fake", 0)])] == [0]
        generate.prepare(make_plan(), tmp_path / "there")
        elsewhere = ShardMaker(make_plan(), tmp_path / "there", DeviceRequest(), mark=mark)
        with pytest.raises(InputError, match="all machines have under one path"):
            list(elsewhere([ShardRef("fake", 1)]))
    assert not list((tmp_path / "here/.scratch").iterdir())
    assert not list((tmp_path / "there").rglob("*.tar"))
