"""One sample on its way from the run to the dataset: read as raw blocks, checked, never decoded."""

import hashlib
import tarfile
from dataclasses import dataclass

from synthgen.errors import DamagedError
from synthgen.pack.shuffled_order import Stored
from synthgen.plan.sample import Record
from synthgen.runs import tar_samples


@dataclass(frozen=True, slots=True)
class PackedRecord:
    """One sample on its way into a dataset.

    Attributes:
        record: Its record.
        blocks: Its raw blocks of the run's tar.
        name: The name of its image's file.
        image: The bytes of that file.
    """

    record: Record
    blocks: bytes
    name: str
    image: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one sample lies in the dataset: the shard's path, and the offset in bytes, or rows, within it."""

    record: Record
    shard: str
    offset: int


def read(stored: Stored, labels: tuple[str, ...]) -> PackedRecord:
    """One sample of a run, checked against its record.

    Raises:
        DamagedError: It is not what the run wrote.
    """
    try:
        with open(stored.tar, "rb", buffering=0) as file:  # noqa: PTH123 - a Path takes longer than the reading
            file.seek(stored.offset)
            blocks = file.read(stored.size)
        files = tar_samples.unpack(blocks)
        record = Record.from_json(files.pop("json"))
        sound = files.pop("cls") == str(record.label_id).encode() and labels[record.label_id] == record.label
        ((extension, image),) = files.items()
    except (ValueError, LookupError, tarfile.TarError):
        raise _damaged(stored) from None
    if not sound or hashlib.sha256(image).hexdigest() != record.image_sha256 or record.key != stored.key:
        raise _damaged(stored)
    return PackedRecord(record, blocks, f"{record.key}.{extension}", image)


def _damaged(stored: Stored) -> DamagedError:
    return DamagedError(f"{stored.tar}: {stored.key} is damaged; run `synthgen verify`")
