"""A work shard counts once its receipt is there, and for as long as its bytes are those of the receipt."""

import dataclasses
import json
import os
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.core import atomic
from synthgen.errors import DamagedError
from synthgen.runs.receipts import Ledger, Receipt, SampleOutcome

OUTCOMES = (SampleOutcome("a", "made", 0, ("made",), "00"), SampleOutcome("b", "failed", 3, ("flat", "failed"), ""))
NEW = b"new bytes of a shard"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The ledger of an entry without shards."""
    return Ledger(tmp_path, "text", "d1")


def commit(ledger: Ledger, number: int = 0, content: bytes = NEW) -> Receipt:
    """Commit a shard of those bytes."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    return ledger.commit(
        number,
        write,
        lambda path: None if path.read_bytes() == content else pytest.fail("not what was written"),
        samples=OUTCOMES,
        environment={"batch_size": 4},
        timing={"seconds": 1.5, "finished": 2.0},
    )


def touch(path: Path) -> int:
    """Give a file another time; returns it."""
    os.utime(path, ns=(0, 12345))
    return path.stat().st_mtime_ns


def test_nothing_is_trusted_at_first(ledger: Ledger) -> None:
    """A shard that nobody made is missing."""
    assert ledger.trusted(0) is None
    assert ledger.inspect(0) == ("missing", None, "")


def test_a_committed_shard_is_trusted(ledger: Ledger) -> None:
    """A commit leaves the tar, its receipt and nothing else, and both say the same."""
    receipt = commit(ledger)
    assert ledger.trusted(0) == receipt
    assert ledger.inspect(0) == ("whole", receipt, "")
    assert ledger.tar(0).read_bytes() == NEW
    assert sorted(path.name for path in ledger.tar(0).parent.iterdir()) == ["00000.json", "00000.tar"]
    assert not list((ledger.tar(0).parent.parent / ".scratch").iterdir())


def test_a_receipt_says_what_was_made(ledger: Ledger) -> None:
    """The receipt counts made and failed samples and keeps size, digest, environment and timing."""
    receipt = commit(ledger)
    assert (receipt.count, receipt.failed, receipt.size, receipt.digest) == (1, 1, len(NEW), "d1")
    assert (receipt.environment, receipt.timing) == ({"batch_size": 4}, {"seconds": 1.5, "finished": 2.0})
    assert receipt.mtime_ns == ledger.tar(0).stat().st_mtime_ns


@given(
    st.builds(
        Receipt,
        samples=st.lists(st.builds(SampleOutcome, tries=st.lists(st.text()).map(tuple))).map(tuple),
        environment=st.dictionaries(st.text(), st.integers() | st.text()),
        timing=st.dictionaries(st.text(), st.floats(allow_nan=False)),
    )
)
def test_a_receipt_reads_back_as_written(receipt: Receipt) -> None:
    """Writing and reading a receipt changes nothing."""
    assert Receipt.from_json(receipt.to_json()) == receipt


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b'{"format": 2}', b'{"format": 1}', b'{"format": 1, "samples": 3}', b"\xff"]
)
def test_what_is_no_receipt_is_refused(content: bytes) -> None:
    """A file that is not a receipt of this format is a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        Receipt.from_json(content)


def test_a_receipt_with_a_field_more_is_refused(ledger: Ledger) -> None:
    """A receipt of another shape is not guessed at."""
    document = json.loads(commit(ledger).to_json()) | {"extra": 1}
    with pytest.raises(ValueError, match="not a receipt"):
        Receipt.from_json(json.dumps(document).encode())


def test_a_touched_shard_is_hashed_trusted_and_its_receipt_refreshed(ledger: Ledger) -> None:
    """A shard that was copied or restored keeps its worth, and is hashed only once for it."""
    receipt = commit(ledger)
    mtime = touch(ledger.tar(0))
    assert ledger.trusted(0) == dataclasses.replace(receipt, mtime_ns=mtime)
    assert Receipt.from_json(ledger.receipt_path(0).read_bytes()).mtime_ns == mtime


def test_a_touched_shard_of_a_run_that_cannot_be_written_is_trusted(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run copied to where nobody may write keeps its worth too; it is hashed each time."""

    def refuse(path: Path, _: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    receipt = commit(ledger)
    mtime = touch(ledger.tar(0))
    monkeypatch.setattr("synthgen.runs.receipts.atomic.write", refuse)
    assert ledger.trusted(0) == dataclasses.replace(receipt, mtime_ns=mtime)
    assert ledger.trusted(0) == dataclasses.replace(receipt, mtime_ns=mtime)


def test_a_shard_whose_size_and_time_match_is_not_read(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarting does not read what nobody touched."""
    receipt = commit(ledger)
    monkeypatch.setattr("synthgen.runs.receipts.sha256_file", lambda path: pytest.fail(f"read {path}"))
    assert ledger.trusted(0) == receipt


def test_other_bytes_of_the_same_size_and_another_time_are_not_trusted(ledger: Ledger) -> None:
    """A changed shard is found out by its hash where its time differs."""
    commit(ledger)
    ledger.tar(0).write_bytes(NEW[::-1])
    touch(ledger.tar(0))
    assert ledger.trusted(0) is None
    assert ledger.inspect(0)[0] == "damaged"


def test_other_bytes_of_the_same_size_and_time_are_found_by_inspection(ledger: Ledger) -> None:
    """Rot that leaves size and time as they were is found where every byte is read."""
    receipt = commit(ledger)
    ledger.tar(0).write_bytes(NEW[::-1])
    os.utime(ledger.tar(0), ns=(0, receipt.mtime_ns))
    assert ledger.trusted(0) == receipt
    assert ledger.inspect(0) == ("damaged", receipt, "the tar's sha256 is not the receipt's")


def test_another_size_is_not_trusted(ledger: Ledger) -> None:
    """A shard cut short is not trusted."""
    commit(ledger)
    ledger.tar(0).write_bytes(NEW[:-1])
    assert ledger.trusted(0) is None


def test_a_receipt_without_its_tar_is_not_trusted(ledger: Ledger) -> None:
    """A tar that is gone is damage, and has to be made."""
    commit(ledger)
    ledger.tar(0).unlink()
    assert ledger.trusted(0) is None
    assert ledger.inspect(0)[::2] == ("damaged", "the tar is gone")


def test_a_tar_without_its_receipt_does_not_count(ledger: Ledger) -> None:
    """The receipt alone makes a shard count."""
    commit(ledger)
    ledger.receipt_path(0).unlink()
    assert ledger.trusted(0) is None
    assert ledger.inspect(0)[0] == "missing"


@pytest.mark.parametrize("content", [b"", b'{"format": 1, "entry": "te', b"{}"])
def test_an_unreadable_receipt_does_not_count(ledger: Ledger, content: bytes) -> None:
    """A receipt that can't be read is damage, and the shard has to be made."""
    commit(ledger)
    ledger.receipt_path(0).write_bytes(content)
    assert ledger.trusted(0) is None
    assert ledger.inspect(0) == ("damaged", None, "its receipt is unreadable")


def test_a_receipt_of_another_plan_does_not_count(ledger: Ledger, tmp_path: Path) -> None:
    """Work of another digest is never taken for this plan's."""
    commit(ledger)
    other = Ledger(tmp_path, "text", "d2")
    assert other.trusted(0) is None
    assert other.inspect(0)[::2] == ("damaged", "its receipt is of another plan")
    assert other.batch_size(0) is None


def test_a_rotten_shard_counts_no_more_and_keeps_its_bytes(ledger: Ledger) -> None:
    """Marking a shard rotten moves its receipt aside; nothing is deleted."""
    receipt = commit(ledger)
    ledger.mark_rotten(0)
    assert ledger.trusted(0) is None
    assert ledger.inspect(0) == ("damaged", None, "found damaged before and not made again yet")
    assert ledger.tar(0).read_bytes() == NEW
    assert Receipt.from_json(ledger.rotten_path(0).read_bytes()) == receipt


def test_marking_twice_or_nothing_is_harmless(ledger: Ledger) -> None:
    """A shard without a receipt can be marked, and a marked one again."""
    ledger.mark_rotten(0)
    commit(ledger)
    ledger.mark_rotten(0)
    ledger.mark_rotten(0)
    assert ledger.rotten_path(0).exists()


def test_a_rotten_shard_made_again_is_whole(ledger: Ledger) -> None:
    """A new commit takes the mark away."""
    commit(ledger)
    ledger.mark_rotten(0)
    receipt = commit(ledger)
    assert ledger.inspect(0) == ("whole", receipt, "")
    assert not ledger.rotten_path(0).exists()


def test_a_shard_made_again_is_made_at_its_old_batch_size(ledger: Ledger) -> None:
    """The batch size is remembered from the receipt, be it valid or rotten."""
    assert ledger.batch_size(0) is None
    commit(ledger)
    assert ledger.batch_size(0) == 4
    ledger.mark_rotten(0)
    assert ledger.batch_size(0) == 4


def test_a_shard_that_fails_its_check_is_not_published(ledger: Ledger) -> None:
    """What reads back otherwise than it was written neither appears nor takes an older one's place."""
    receipt = commit(ledger, content=b"old")

    def check(path: Path) -> None:
        raise DamagedError(f"{path}: no")

    with pytest.raises(DamagedError):
        ledger.commit(0, lambda _: None, check, samples=(), environment={}, timing={})
    assert ledger.tar(0).read_bytes() == b"old"
    assert ledger.trusted(0) == receipt


@pytest.mark.parametrize(
    ("number", "tar"),
    [
        (0, "text/00000.tar"),
        (9_999, "text/09999.tar"),
        (10_000, "text/00001/10000.tar"),
        (123_456, "text/00012/123456.tar"),
    ],
)
def test_where_shards_lie(ledger: Ledger, tmp_path: Path, number: int, tar: str) -> None:
    """Every ten thousand shards begin a folder of their own, and the receipt lies beside its tar."""
    assert ledger.tar(number) == tmp_path / tar
    assert ledger.receipt_path(number) == (tmp_path / tar).with_suffix(".json")


def test_a_shard_above_ten_thousand_is_committed(ledger: Ledger) -> None:
    """Sub-folders are made where they are needed."""
    receipt = commit(ledger, 10_000)
    assert ledger.trusted(10_000) == receipt


def test_a_shards_files_do_not_take_anothers_place(ledger: Ledger) -> None:
    """Over many shards no two files have one path."""
    numbers = [*range(50), *range(9_990, 10_010), *range(99_990, 100_010), 1_000_000]
    paths = [path for n in numbers for path in (ledger.tar(n), ledger.receipt_path(n), ledger.rotten_path(n))]
    assert len(set(paths)) == len(paths)


def test_sweep_takes_only_scratch_of_dead_processes_here(tmp_path: Path) -> None:
    """Scratch of a living process, of another host, and the user's files stay."""
    host, _, me = atomic.owner().rpartition(".")
    names = [f".a.json.{host}.{me}", f".a.json.{host}.999999999", ".a.json.elsewhere.999999999", "a.json", f".{host}.x"]
    for name in names:
        (tmp_path / name).write_text("")
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names} - {names[1]}
