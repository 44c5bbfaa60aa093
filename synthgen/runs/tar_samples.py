"""Reading and writing WebDataset tars: equal samples give equal bytes, and reading trusts nothing.

Writing is webdataset's own ``TarWriter`` (members sorted within a sample, time 0, fixed owner and mode). Reading is
strict where webdataset is lenient: a shard cut short, a key in two places or a member out of place is damage.

Not ``tarfile`` alone, which knows no samples, and ends without a word at a header that it can't read.
"""

import io
import tarfile
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from synthgen.errors import DamagedError

_OWNER = "synthgen"
_END = bytes(1024)
MASK = "mask.png"  # the extension of the label map that may stand beside an image
TEXTS = frozenset({"json", "cls"})
SIDECARS = TEXTS | {MASK}  # what stands beside the image in a sample


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

    @property
    def extension(self) -> str:
        """The extension of its image."""
        return next(name for name in self.files if name not in SIDECARS)

    @property
    def image(self) -> bytes:
        """The bytes of its image."""
        return self.files[self.extension]


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


def read(path: Path, only: Container[str] | None = None) -> Iterator[TarSample]:
    """Read every sample of a tar in order, strictly.

    Args:
        path: The tar.
        only: The extensions whose bytes are wanted; of other members the headers alone are read. All where left out.

    Raises:
        DamagedError: The tar is cut short, is no tar, or its members are not samples in one piece each.
    """
    seen: set[str] = set()
    extensions: set[str] = set()
    key, files, start, end = "", dict[str, bytes](), 0, 0
    for name, content, offset, stop in _members(path, only):
        member_key, _, extension = name.partition(".")
        if member_key != key:
            if extensions:
                yield TarSample(key, files, start, end - start)
            if member_key in seen:
                raise DamagedError(f"{path}: key {member_key} occurs in two places")
            seen.add(member_key)
            key, files, extensions, start = member_key, {}, set(), offset
        if not extension or extension in extensions:
            raise DamagedError(f"{path}: unexpected member {name}")
        extensions.add(extension)
        end = stop
        if content is not None:
            files[extension] = content
    if extensions:
        yield TarSample(key, files, start, end - start)


def pack(key: str, files: Mapping[str, bytes]) -> bytes:
    """The raw blocks of one sample, from its key and its files by extension: what :func:`write` writes of it."""
    from webdataset import TarWriter

    buffer = io.BytesIO()
    with TarWriter(buffer, user=_OWNER, group=_OWNER, encoder=False, mtime=0) as writer:
        writer.write({"__key__": key, **files})
        end = writer.tarstream.offset
    return buffer.getvalue()[:end]


def packed_size(before: TarSample, extensions: Collection[str], key: str, content: bytes) -> int:
    """The bytes that a sample takes up in a tar once it has another key and another ``json``.

    Args:
        before: The sample, of which no more than its ``json`` has been read.
        extensions: Those of its files beside the ``json`` and the ``cls``.
        key: Its new key; the header of a long name takes more than one block.
        content: Its new ``json``.
    """
    names = (*TEXTS, *extensions)
    headers = sum(_header(f"{key}.{name}") - _header(f"{before.key}.{name}") for name in names)
    return before.size + headers + _padded(len(content)) - _padded(len(before.files["json"]))


def _header(name: str) -> int:
    return len(tarfile.TarInfo(name).tobuf())


def unpack(blocks: bytes) -> dict[str, bytes]:
    """The files of one sample by extension, from its raw blocks."""
    files, offset = dict[str, bytes](), 0
    while offset < len(blocks):
        header = _plain(blocks[offset : offset + tarfile.BLOCKSIZE])
        if header is None:
            return _unpack_any(blocks)
        name, size = header
        first = offset + tarfile.BLOCKSIZE
        files[name.partition(".")[2]] = blocks[first : first + size]
        offset = first + _padded(size)
    return files


def _unpack_any(blocks: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(blocks + _END), mode="r:") as tar:
        return {member.name.partition(".")[2]: blocks[member.offset_data :][: member.size] for member in tar}


def finish(file: BinaryIO) -> None:
    """End a tar made of raw blocks, filled up to a whole record as every writer does."""
    file.write(_END)
    file.write(bytes(-file.tell() % tarfile.RECORDSIZE))


def _members(path: Path, only: Container[str] | None) -> Iterator[tuple[str, bytes | None, int, int]]:
    """Name, content where it is wanted, first byte and the byte after the padding of each member."""
    try:
        with path.open("rb") as file:
            stop = 0
            for name, size, offset, first in _headers(file, path):
                wanted = only is None or name.partition(".")[2] in only
                stop = first + _padded(size)
                yield name, _content(file, first, size) if wanted else None, offset, stop
            _expect_end(file, path, stop)
    except (tarfile.TarError, EOFError) as error:
        raise DamagedError(f"{path}: not a whole tar (cut short?): {error}") from None


def _headers(file: BinaryIO, path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Name, size, first byte of the header and first byte of the content of each member.

    Reads plain headers itself, at five times tarfile's pace, and from the first other one on leaves all to tarfile.
    """
    offset = 0
    while header := _plain(file.read(tarfile.BLOCKSIZE)):
        name, size = header
        yield name, size, offset, offset + tarfile.BLOCKSIZE
        offset += tarfile.BLOCKSIZE + _padded(size)
        file.seek(offset)
    file.seek(offset)
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            if not member.isreg():
                raise DamagedError(f"{path}: {member.name} is not a file")
            yield member.name, member.size, member.offset, member.offset_data


def _plain(header: bytes) -> tuple[str, int] | None:
    """Name and size of a member that one header of the ustar format says all of; ``None`` where it takes more."""
    if header[156:157] != tarfile.REGTYPE or header[257:263] != b"ustar\0" or header[345:346] != b"\0":
        return None
    try:
        size, checksum = int(header[124:135], 8), int(header[148:154], 8)
        name = header[:100].rstrip(b"\0").decode("ascii")
    except ValueError:
        return None
    sound = checksum == 256 + sum(header[:148]) + sum(header[156:]) and "\0" not in name
    return (name, size) if sound else None


def _content(file: BinaryIO, first: int, size: int) -> bytes:
    file.seek(first)
    content = file.read(size)
    if len(content) < size:
        raise EOFError("unexpected end of data")
    return content


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _expect_end(file: BinaryIO, path: Path, stop: int) -> None:
    """After the last member come zeros up to a whole record, and nothing else.

    tarfile takes a tar cut at a member's end, and one with a spoiled header in the middle, for a whole shorter one.
    """
    file.seek(stop)
    rest = file.read()
    if len(rest) < len(_END) or (stop + len(rest)) % tarfile.RECORDSIZE or rest.strip(b"\0"):
        raise DamagedError(f"{path}: cut short, or a header in it is spoiled")
