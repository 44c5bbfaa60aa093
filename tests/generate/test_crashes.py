"""Wherever a run dies, nothing is damaged and the next run ends with the bytes of an unbroken one."""

import dataclasses
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import webdataset

from synthgen.core import atomic
from synthgen.core.hashing import sha256_file
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import run_folder
from synthgen.runs.receipts import Ledger, Receipt
from synthgen.runs.verify import verify

Check = Callable[[Path], int]


class Crash(BaseException):
    """The machine stopped here."""


@contextmanager
def dying_at(operation: int) -> Iterator[None]:
    """Let the n-th durable operation, and all after it, fail before they happen.

    Durable operations are every fsync of a file or folder, every rename and every removal of a receipt. A file whose
    fsync is the one that fails is left half written, as after a power cut.
    """
    counter = itertools.count(1)
    fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

    def step() -> int:
        number = next(counter)
        if number > operation:
            raise Crash
        return number

    def dying_fsync(handle: int) -> None:
        if step() == operation:
            status = os.fstat(handle)
            if stat.S_ISREG(status.st_mode):
                os.ftruncate(handle, status.st_size // 2)
            raise Crash
        fsync(handle)

    def dying_replace(self: Path, target: Path) -> Path:
        if step() == operation:
            raise Crash
        return replace(self, target)

    def dying_unlink(self: Path, missing_ok: bool = False) -> None:
        if self.name.endswith(".rotten.json") and step() == operation:
            raise Crash
        unlink(self, missing_ok=missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", dying_fsync)
        patch.setattr(Path, "replace", dying_replace)
        patch.setattr(Path, "unlink", dying_unlink)
        yield


def check_crash_safe(
    plan: Plan,
    folder: Path,
    extensions: Extensions,
    make_images: Callable[..., list[Receipt]],
    tars_in: Callable[..., Any],
) -> int:
    """Crash a run at each of its durable operations, and check what is left and what a resumed run makes of it.

    Returns:
        How many operations an unbroken run has.

    Raises:
        AssertionError: Something was damaged, unfinished, or other bytes than an unbroken run's.
    """
    make_images(plan, folder / "unbroken")
    for operation in itertools.count(1):
        root, crashed = folder / f"crash-{operation}", True
        with dying_at(operation):
            try:
                make_images(plan, root)
                crashed = False
            except Crash:
                pass
        if run_folder.is_run(root):
            left = [finding for finding in verify(root, extensions) if finding.state == "damaged"]
            assert left == [], f"damaged by a crash at operation {operation}"
        make_images(plan, root)
        assert {one.state for one in verify(root, extensions)} == {"whole"}, f"unfinished after operation {operation}"
        assert tars_in(root) == tars_in(folder / "unbroken"), f"other bytes after operation {operation}"
        if not crashed:
            return operation - 1
    raise AssertionError("unreachable")


@pytest.fixture
def check(make_plan: Any, tmp_path: Path, extensions: Extensions, make_images: Any, tars_in: Any) -> Callable[[], int]:
    """The check of a plan of three shards, one of them with a fault to repeat."""
    plan = make_plan(
        generate=[{"strategy": "fake", "per_cell": 2, "settings": {"height": 32, "width": 32, "flat": [5]}}],
        output={"image_format": "png", "shard_samples": 4},
    )
    return lambda: check_crash_safe(plan, tmp_path, extensions, make_images, tars_in)


def test_a_crash_anywhere_loses_nothing(check: Callable[[], int]) -> None:
    """Claim, pin, three tars with receipts, the rate and two new folders: dying at any operation is safe."""
    assert check() == 3 * (1 + 1 + 3 * 2 + 1) + 3 + 2


def test_a_second_crash_loses_nothing_either(make_plan: Any, tmp_path: Path, make_images: Any, tars_in: Any) -> None:
    """A run that dies again and again, each time a few operations further, ends with the same bytes."""
    plan = make_plan()
    make_images(plan, tmp_path / "unbroken")
    crashes, done = 0, False
    while not done and crashes < 100:
        with dying_at(7):
            try:
                make_images(plan, tmp_path / "run")
                done = True
            except Crash:
                crashes += 1
    assert crashes > 3
    assert tars_in(tmp_path / "run") == tars_in(tmp_path / "unbroken")


def test_a_crash_while_a_rotten_shard_is_made_again(
    make_plan: Any, tmp_path: Path, extensions: Extensions, make_images: Any, tars_in: Any
) -> None:
    """A rotten shard stays to be made until it is made, wherever making it dies."""
    plan = make_plan(output={"image_format": "png", "shard_samples": 24})
    for operation in range(1, 9):
        root = tmp_path / f"crash-{operation}"
        make_images(plan, root)
        whole, path = tars_in(root), root / "fake/00000.tar"
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        assert {one.state for one in verify(root, extensions)} == {"damaged"}
        with dying_at(operation), pytest.raises(Crash):
            make_images(plan, root)
        make_images(plan, root)
        assert {one.state for one in verify(root, extensions)} == {"whole"}
        assert tars_in(root) == whole


def test_the_check_finds_a_receipt_written_too_early(check: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the receipt written before the tar is published, a crash between them would be found."""

    def commit(self: Ledger, number: int, write: Any, check: Any, **said: Any) -> Receipt:
        scratch = self._scratch / f"{number}.tar.{atomic.owner()}"
        for folder in (scratch.parent, self.tar(number).parent):
            folder.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        status = scratch.stat()
        made = sum(one.status == "made" for one in said["samples"])
        sha256 = sha256_file(scratch)
        receipt = Receipt(
            self.entry, number, self.digest_of(number), made, status.st_size, status.st_mtime_ns, sha256, **said
        )
        atomic.write(self.receipt_path(number), receipt.to_json())
        atomic.publish(scratch, self.tar(number))
        return receipt

    monkeypatch.setattr(Ledger, "commit", commit)
    with pytest.raises(AssertionError, match="damaged by a crash"):
        check()


def test_the_check_finds_a_tar_that_counts_without_its_receipt(
    check: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Did any tar that exists count as finished, one without a receipt would be found."""
    trusted, known = Ledger.trusted, dict[str, Receipt]()

    def gullible(self: Ledger, number: int) -> Receipt | None:
        receipt = trusted(self, number)
        if receipt is None and self.tar(number).exists():
            return dataclasses.replace(known["any"], shard=number)
        known["any"] = receipt or known.get("any") or Receipt("", 0, "", 0, 0, 0, "", (), {}, {})
        return receipt

    monkeypatch.setattr(Ledger, "trusted", gullible)
    with pytest.raises(AssertionError, match="unfinished after operation"):
        check()


def test_the_check_finds_the_time_in_a_tar(check: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Were members written with the time they are made at, the bytes of a resumed run would differ."""
    writer, clock = webdataset.TarWriter, itertools.count(1_700_000_000)

    def timed(*arguments: Any, **options: Any) -> Any:
        return writer(*arguments, **options | {"mtime": next(clock)})

    monkeypatch.setattr(webdataset, "TarWriter", timed)
    with pytest.raises(AssertionError, match="other bytes after operation"):
        check()
