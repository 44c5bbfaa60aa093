"""Reading and writing WebDataset tars: equal samples give equal bytes, and reading trusts nothing.

Writing is webdataset's own ``TarWriter`` (members sorted within a sample, time 0, fixed owner and mode). Reading is
strict where webdataset is lenient: a shard cut short, a key in two places or a member out of place is damage.
"""

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from synthgen.errors import DamagedError

_OWNER = "synthgen"
_END = bytes(1024)


@dataclass(frozen=True, slots=True)
class TarSample:
    """One sample of a tar.

    Attributes:
        key: Its key.
        files: The bytes of each member by extension, without the dot.
        offset: Where its first header starts, in bytes from the start of the tar.
        size: The bytes it takes up in the tar, headers and padding included.
    """

    key: str
    files: Mapping[str, bytes]
    offset: int
    size: int


def write(file: BinaryIO, samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> Iterator[int]:
    """Write samples to an open file; yields the offset in bytes of each sample's first header.

    Args:
        file: Where the tar goes.
        samples: Keys (without a dot) and the bytes of each extension.
    """
    from webdataset import TarWriter

    with TarWriter(file, user=_OWNER, group=_OWNER, encoder=False, mtime=0) as writer:
        for key, files in samples:
            offset = writer.tarstream.offset
            writer.write({"__key__": key, **files})
            yield offset


def read(path: Path) -> Iterator[TarSample]:
    """Read every sample of a tar in order, strictly.

    Raises:
        DamagedError: The tar is cut short, is no tar, or its members are not samples in one piece each.
    """
    seen: set[str] = set()
    key, files, start, end = "", dict[str, bytes](), 0, 0
    for name, content, offset, stop in _members(path):
        member_key, _, extension = name.partition(".")
        if member_key != key:
            if files:
                yield TarSample(key, files, start, end - start)
            if member_key in seen:
                raise DamagedError(f"{path}: key {member_key} occurs in two places")
            seen.add(member_key)
            key, files, start = member_key, {}, offset
        if not extension or extension in files:
            raise DamagedError(f"{path}: unexpected member {name}")
        files[extension], end = content, stop
    if files:
        yield TarSample(key, files, start, end - start)


def index(path: Path) -> Iterator[tuple[str, int, int]]:
    """Key, offset and size in bytes of each sample, from the headers alone.

    Raises:
        DamagedError: As :func:`read`.
    """
    key, start, end = "", 0, 0
    for name, _, offset, stop in _members(path, contents=False):
        member_key = name.partition(".")[0]
        if member_key != key:
            if end:
                yield key, start, end - start
            key, start = member_key, offset
        end = stop
    if end:
        yield key, start, end - start


def unpack(blocks: bytes) -> dict[str, bytes]:
    """The files of one sample by extension, from its raw blocks."""
    with tarfile.open(fileobj=io.BytesIO(blocks + _END), mode="r:") as tar:
        return {member.name.partition(".")[2]: blocks[member.offset_data :][: member.size] for member in tar}


def finish(file: BinaryIO) -> None:
    """End a tar made of raw blocks, filled up to a whole record as every writer does."""
    file.write(_END)
    file.write(bytes(-file.tell() % tarfile.RECORDSIZE))


def _members(path: Path, *, contents: bool = True) -> Iterator[tuple[str, bytes, int, int]]:
    """Name, content, first byte and the byte after the padding of each member."""
    try:
        with path.open("rb") as file:
            stop = 0
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    content = tar.extractfile(member)
                    if content is None:
                        raise DamagedError(f"{path}: {member.name} is not a file")
                    stop = member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                    yield member.name, content.read() if contents else b"", member.offset, stop
                _expect_end(file, path, stop)
    except (tarfile.TarError, EOFError) as error:
        raise DamagedError(f"{path}: not a whole tar (cut short?): {error}") from None


def _expect_end(file: BinaryIO, path: Path, stop: int) -> None:
    """After the last member come zeros up to a whole record, and nothing else.

    tarfile takes a tar cut at a member's end, and one with a spoiled header in the middle, for a whole shorter one.
    """
    file.seek(stop)
    rest = file.read()
    if len(rest) < len(_END) or (stop + len(rest)) % tarfile.RECORDSIZE or rest.strip(b"\0"):
        raise DamagedError(f"{path}: cut short, or a header in it is spoiled")
