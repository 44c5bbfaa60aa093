"""What a run has made and its plan has no more, ``set_aside.parquet``: a row an image, with the reason and the time.

An image that is set aside is packed, scored and shown no more, and its bytes stay. It counts again once the manifest
asks for the very same image: ``content`` tells whether it does. Which images count is for the layout in ``run.json`` to
say; this file says what else there is, and why.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from synthgen.core import table_file

FILE = "set_aside.parquet"


@dataclass(frozen=True, slots=True)
class AsideImage:
    """One image that is set aside.

    Attributes:
        key: Its key.
        entry: The entry that it was made for.
        shard: The work shard that holds it.
        sha256: Of the image's file; empty where it could not be made.
        content: The sha256 over all that decides the image and its record.
        reason: The key of the manifest with its old and its new value.
        when: When it was set aside, in ISO 8601, UTC.
    """

    key: str
    entry: str
    shard: int
    sha256: str
    content: str
    reason: str
    when: str

    @property
    def place(self) -> tuple[str, int, str]:
        """Its entry, its shard there and its key, which no two rows share."""
        return self.entry, self.shard, self.key


def read(root: Path) -> tuple[AsideImage, ...]:
    """What a run has set aside, in the order in which it was; nothing where nothing ever was.

    Raises:
        DamagedError: The file can't be read, or has changed since it was written.
    """
    path = root / FILE
    if not path.exists():
        return ()
    with table_file.reading(path, advice="put back a copy, or remove it: then what is set aside is made again"):
        table, _ = table_file.read(path, [one.name for one in fields(AsideImage)])
        return tuple(AsideImage(**row) for row in table.to_pylist())


def write(root: Path, images: Iterable[AsideImage]) -> None:
    """Write what a run has set aside, durably, where that is not what the file says."""
    import pyarrow as pa

    rows = tuple(images)
    path = root / FILE
    if rows == read(root):
        return
    schema = pa.schema([(one.name, pa.int64() if one.type is int else pa.string()) for one in fields(AsideImage)])
    table_file.write(path, pa.Table.from_pylist([asdict(row) for row in rows], schema=schema), {}, sealed=True)
