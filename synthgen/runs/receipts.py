"""What is finished: a work shard counts once its receipt is there, and not before.

A shard is written to scratch, fsynced, re-read and checked, and renamed; its receipt is written last, the same way. A
receipt is trusted while the size and time of its shard match; only a mismatch is hashed again.
:meth:`Ledger.trusted` decides that of one shard, :func:`finished_shards` walks over all that count.
"""

import contextlib
import dataclasses
import hashlib
import os
import stat
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from synthgen.core import atomic, locks, seal
from synthgen.core.hashing import sha256_file
from synthgen.errors import DamagedError
from synthgen.plan import EntryPlan, Plan, ShardRef
from synthgen.runs import tar_samples
from synthgen.runs.tar_samples import TarSample

State = Literal["whole", "missing", "damaged"]
_FORMAT = 1
_SHARDS_A_FOLDER = 10_000


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """What became of one sample.

    Attributes:
        key: Its key.
        status: ``made`` or ``failed``.
        attempt: The attempt that was kept, or the last one tried.
        tries: What each try gave, in order: ``nonfinite``, ``black``, ``flat``, at last ``made`` or ``failed``.
        sha256: Of the image's file; empty where it failed.
    """

    key: str
    status: Literal["made", "failed"]
    attempt: int
    tries: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof that a work shard is finished.

    Attributes:
        entry: The entry's name.
        shard: The shard's number within the entry.
        digest: The digest of the entry's plan.
        count: Images in the tar.
        size: Bytes of the tar.
        mtime_ns: Its modification time when it was committed, in nanoseconds.
        sha256: Of the tar.
        samples: What became of each planned sample, in the plan's order.
        environment: What the images were made with and on.
        timing: ``seconds`` the images took, and ``finished``, Unix time.
    """

    entry: str
    shard: int
    digest: str
    count: int
    size: int
    mtime_ns: int
    sha256: str
    samples: tuple[SampleOutcome, ...]
    environment: dict[str, Any]
    timing: dict[str, float]

    @property
    def failed(self) -> int:
        """Samples that could not be made."""
        return len(self.samples) - self.count

    def to_json(self) -> bytes:
        """The receipt as indented JSON with its own sha256."""
        return seal.dumps({"format": _FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, content: bytes) -> "Receipt":
        """The receipt that a file's bytes hold.

        Raises:
            ValueError: It is not a receipt of this format.
        """
        try:
            document = seal.loads(content)
            if document.pop("format") != _FORMAT:
                raise ValueError("written by another version of synthgen")
            samples = document.pop("samples")
            outcomes = (SampleOutcome(**sample | {"tries": tuple(sample["tries"])}) for sample in samples)
            made = cls(samples=tuple(outcomes), **document)
            if seal.has_changed(content):
                raise ValueError(f"not a receipt: {seal.CHANGED}")
            return made
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a receipt: {error}") from None


class Ledger:
    """The work shards of one entry on disk, in ``root/entry``."""

    def __init__(self, root: Path, entry: str, digest: str | Callable[[int], str]) -> None:
        self._root = root
        self._folder = root / entry
        self._scratch = root / ".scratch"
        self.entry = entry
        self._digest = digest

    def digest_of(self, number: int) -> str:
        """The digest of the plan that a shard is of."""
        return self._digest if isinstance(self._digest, str) else self._digest(number)

    def tar(self, number: int) -> Path:
        """Where a shard's tar lies: sub-folders keep a folder under 10,000 shards."""
        folder, group = self._folder, number // _SHARDS_A_FOLDER
        return (folder / f"{group:05d}" if group else folder) / f"{number:05d}.tar"

    def receipt_path(self, number: int) -> Path:
        """Where a shard's receipt lies."""
        return self.tar(number).with_suffix(".json")

    def rotten_path(self, number: int) -> Path:
        """Where the receipt of a shard found damaged is moved to, so that it counts no more."""
        return self.tar(number).with_suffix(".rotten.json")

    def sweep(self) -> None:
        """Remove what processes of this host left half written when they died."""
        for folder in (self._scratch, self._folder, *self._folder.glob("[0-9]*/")):
            atomic.sweep(folder)
        for path in self._scratch.glob(f"{self.entry}-*.lock"):
            if release := locks.claim(path):
                release()

    def claim(self, number: int) -> Callable[[], None] | None:
        """Let other processes leave a shard to this one; what lets go of it, or ``None`` where another has it.

        It spares work and guards nothing: two that make one shard all the same write the same bytes.
        """
        _make(self._scratch)
        return locks.claim(self._scratch / f"{self.entry}-{number:05d}.lock")

    def trusted(self, number: int) -> Receipt | None:
        """The receipt of a finished shard; ``None`` where the shard has to be made.

        Reads the shard's bytes only where its size or time is not what the receipt says.
        """
        receipt = self._receipt(self.receipt_path(number))
        if receipt is None or receipt.digest != self.digest_of(number):
            return None
        try:
            status = self.tar(number).stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode) or status.st_size != receipt.size:  # a pipe would be waited for
            return None
        if status.st_mtime_ns == receipt.mtime_ns:
            return receipt
        if sha256_file(self.tar(number)) != receipt.sha256:
            return None
        receipt = dataclasses.replace(receipt, mtime_ns=status.st_mtime_ns)
        with contextlib.suppress(OSError):  # of a run that can't be written to, its bytes are read each time
            atomic.write(self.receipt_path(number), receipt.to_json())
        return receipt

    def inspect(self, number: int) -> tuple[State, Receipt | None, str]:
        """Re-read every byte of a shard: its state, its receipt, and what is wrong with it."""
        receipt = self._receipt(self.receipt_path(number))
        if receipt is None:
            if self._receipt(self.rotten_path(number)):
                return "damaged", None, "found damaged before and not made again yet"
            unreadable = self.receipt_path(number).exists()
            return ("damaged", None, "its receipt is unreadable") if unreadable else ("missing", None, "")
        if receipt.digest != self.digest_of(number):
            return "damaged", receipt, "its receipt is of another plan"
        if not self.tar(number).is_file():
            return "damaged", receipt, "the tar is gone"
        if sha256_file(self.tar(number)) != receipt.sha256:
            return "damaged", receipt, "the tar's sha256 is not the receipt's"
        return "whole", receipt, ""

    def mark_rotten(self, number: int) -> None:
        """Make a damaged shard count no more, so that it is made again; its bytes stay."""
        path = self.receipt_path(number)
        if path.exists():
            atomic.publish(path, self.rotten_path(number))

    def batch_size(self, number: int) -> int | None:
        """The batch size a shard that has to be made again was made at, where that is known."""
        for path in (self.receipt_path(number), self.rotten_path(number)):
            receipt = self._receipt(path)
            if receipt is not None and receipt.digest == self.digest_of(number):
                return int(receipt.environment["batch_size"])
        return None

    def commit(
        self,
        number: int,
        write: Callable[[BinaryIO], None],
        check: Callable[[Path], None],
        *,
        samples: tuple[SampleOutcome, ...],
        environment: dict[str, Any],
        timing: dict[str, float],
    ) -> Receipt:
        """Write a shard and, once its bytes on disk are checked, its receipt.

        Args:
            number: The shard's number.
            write: Writes the tar to an open file.
            check: Re-reads the tar from disk and raises where it is not what was meant.
            samples: What became of each planned sample.
            environment: What the images were made with and on.
            timing: How long they took.
        """
        path = self.tar(number)
        for folder in (path.parent, self._scratch):
            _make(folder)
        scratch = self._scratch / f".{self.entry}-{number:05d}.tar.{atomic.owner()}"
        with atomic.naming(path, scratch), scratch.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        check(scratch)
        sha256 = sha256_file(scratch)
        atomic.publish(scratch, path)
        status = path.stat()
        receipt = Receipt(
            entry=self.entry,
            shard=number,
            digest=self.digest_of(number),
            count=sum(outcome.status == "made" for outcome in samples),
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            sha256=sha256,
            samples=samples,
            environment=environment,
            timing=timing,
        )
        atomic.write(self.receipt_path(number), receipt.to_json())
        self.rotten_path(number).unlink(missing_ok=True)
        return receipt

    def _receipt(self, path: Path) -> Receipt | None:
        try:
            return Receipt.from_json(path.read_bytes()) if path.is_file() else None
        except (FileNotFoundError, ValueError):
            return None


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        atomic.sync_folder(folder.parent)


@dataclass(frozen=True, slots=True)
class FinishedShard:
    """A work shard whose receipt is trusted; what of it is set aside counts nowhere, though its tar holds it.

    Attributes:
        entry: The entry that it is of.
        tar: Where it lies.
        receipt: Its receipt.
        aside: The keys of the samples that the run's plan has no more, or has elsewhere.
    """

    entry: EntryPlan
    tar: Path
    receipt: Receipt
    aside: frozenset[str] = frozenset()

    @property
    def samples(self) -> Sequence[SampleOutcome]:
        """What became of each sample that the plan has here."""
        return (
            [one for one in self.receipt.samples if one.key not in self.aside] if self.aside else self.receipt.samples
        )

    @property
    def count(self) -> int:
        """How many images of the plan it holds."""
        return sum(one.status == "made" for one in self.samples) if self.aside else self.receipt.count

    @property
    def failed(self) -> int:
        """How many of the plan's samples could not be made."""
        return len(self.samples) - self.count

    @property
    def digest(self) -> str:
        """What names its images: the sha256 of its tar, and of what is set aside where something is."""
        if not self.aside:
            return self.receipt.sha256
        return hashlib.sha256("\n".join([self.receipt.sha256, *sorted(self.aside)]).encode()).hexdigest()

    def read(self, only: Container[str] | None = None) -> Iterator[TarSample]:
        """The stored samples of the plan, in the tar's order.

        Args:
            only: Keep only the members of these extensions; all where left out.

        Raises:
            DamagedError: The tar is not whole.
        """
        return kept(tar_samples.read(self.tar, only), self.aside)

    def check(self) -> None:
        """Read its tar, whose bytes are about to be used: size and time alone do not tell that none has changed.

        Raises:
            DamagedError: They are not what the receipt says.
        """
        check_tar(self.tar, self.receipt.sha256)

    @property
    def ref(self) -> ShardRef:
        """Its entry's name and its number within the entry."""
        return ShardRef(self.entry.name, self.receipt.shard)


def finished_shards(plan: Plan, root: Path, refs: Iterable[ShardRef] | None = None) -> Iterator[FinishedShard]:
    """Each work shard of a run whose receipt is trusted, in the plan's order.

    Args:
        plan: The run's plan.
        root: The run's folder.
        refs: The work shards to look at, in this order; all of the plan's where left out.
    """
    ledgers = {name: Ledger(root, name, entry.digest_of) for name, entry in plan.entries.items()}
    for ref in plan.refs() if refs is None else refs:
        ledger = ledgers[ref.entry]
        if receipt := ledger.trusted(ref.number):
            entry = plan.entries[ref.entry]
            yield FinishedShard(entry, ledger.tar(ref.number), receipt, _aside(entry, receipt))


def kept(samples: Iterable[TarSample], aside: Container[str]) -> Iterator[TarSample]:
    """The stored samples of a shard without those that are set aside."""
    return (sample for sample in samples if sample.key not in aside)


def _aside(entry: EntryPlan, receipt: Receipt) -> frozenset[str]:
    """The samples of a finished shard that an entry does not have there; a shard holds all that it does have there."""
    if entry.layout is None or len(receipt.samples) == len(entry.places_of(receipt.shard)):
        return frozenset()
    return frozenset(one.key for one in receipt.samples) - frozenset(entry.keys_of(receipt.shard))


def check_tar(path: Path, sha256: str) -> None:
    """Read a shard, whose bytes are about to be used.

    Args:
        path: The work shard's tar, or the shard of a dataset.
        sha256: What its receipt, or the dataset's provenance, says; nothing is read where that is empty.

    Raises:
        DamagedError: It is not that.
    """
    if sha256 and (not path.is_file() or sha256_file(path) != sha256):
        raise DamagedError(
            f"{path}: not the bytes that were written; run `synthgen verify`, and then for a run `synthgen generate`, "
            "which makes it again; of a dataset, put a copy back"
        )


def shards_digest(sha256s: Iterable[str]) -> str:
    """The sha256, in hex, over the digests of finished work shards: another one wherever an image is another."""
    found = hashlib.sha256()
    for sha256 in sha256s:
        found.update(sha256.encode())
    return found.hexdigest()
