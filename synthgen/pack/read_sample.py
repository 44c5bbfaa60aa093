"""One sample on its way from the run to the dataset: read as raw blocks, checked, never decoded.

Where real images go under pseudonyms, the blocks of what was made from one are written anew with its record.
"""

import hashlib
import tarfile
from dataclasses import dataclass

from synthgen.errors import DamagedError
from synthgen.pack.public_record import public
from synthgen.pack.shuffled_order import Stored
from synthgen.plan.sample import Record, mask_sha256
from synthgen.plan.source_names import Pseudonyms
from synthgen.runs import tar_samples


@dataclass(frozen=True, slots=True)
class PackedRecord:
    """One sample on its way into a dataset.

    Attributes:
        record: Its record, as the dataset has it.
        blocks: Its raw blocks of a tar.
        name: The name of its image's file.
        image: The bytes of that file.
        mask: The bytes of its label map; empty where it has none.
    """

    record: Record
    blocks: bytes
    name: str
    image: bytes
    mask: bytes = b""

    @property
    def mask_name(self) -> str:
        """The name of its label map's file."""
        return f"{self.record.key}.{tar_samples.MASK}"


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one sample lies in the dataset: the shard's path, and the offset in bytes, or rows, within it."""

    record: Record
    shard: str
    offset: int


def read(
    stored: Stored, labels: tuple[str, ...], names: Pseudonyms | None = None, *, private: bool = False
) -> PackedRecord:
    """One sample of a run, checked against its record.

    Args:
        stored: Where it lies, and its key in the dataset.
        labels: The classes, in the order of their numbers.
        names: What the dataset calls real images and their groups; ``None`` for their own names.
        private: Whether folders are left out of the names of models.

    Raises:
        DamagedError: It is not what the run wrote.
    """
    try:
        with open(stored.tar, "rb", buffering=0) as file:  # noqa: PTH123 - a Path takes longer than the reading
            file.seek(stored.offset)
            blocks = file.read(stored.size)
        files = tar_samples.unpack(blocks)
        record = Record.from_json(files.pop("json"))
        number = files.pop("cls")
        sound = number == str(record.label_id).encode() and labels[record.label_id] == record.label
        mask = files.pop(tar_samples.MASK, b"")
        sound = sound and (hashlib.sha256(mask).hexdigest() if mask else "") == mask_sha256(record.attributes)
        ((extension, image),) = files.items()
    except (ValueError, LookupError, tarfile.TarError):
        raise _damaged(stored) from None
    shown = public(record, names, private=private)
    if not sound or hashlib.sha256(image).hexdigest() != record.image_sha256 or shown.key != stored.key:
        raise _damaged(stored)
    if shown != record:
        files = {extension: image, "json": shown.to_json(), "cls": number, **({tar_samples.MASK: mask} if mask else {})}
        record, blocks = shown, tar_samples.pack(shown.key, files)
    return PackedRecord(record, blocks, f"{record.key}.{extension}", image, mask)


def _damaged(stored: Stored) -> DamagedError:
    return DamagedError(f"{stored.tar}: {stored.key} is damaged; run `synthgen verify`")
