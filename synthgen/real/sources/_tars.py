"""Tars anywhere: which ones an address means, their samples by headers and metadata alone, and reading in them."""

import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from synthgen.core import digits, paths
from synthgen.errors import DamagedError, Fault, InputError, ManifestError, one_line

_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")
_TEXTS = ("cls", "txt", "text")
_REMOTE = (("aiohttp", "ClientError"), ("httpx", "HTTPError"), ("httpx2", "HTTPError"))  # not always OSErrors
_MOST_TARS = 100_000
_RANGE = re.compile(r"\{(-?)(\d+)\.\.(-?)(\d+)")
_LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TarMember:
    """A sample: its key, what its metadata say, and where its other members lie, by extension.

    ``read`` are the extensions of its metadata, and ``broken`` those of them that can't be read.
    """

    key: str
    values: dict[str, Any]
    members: dict[str, str] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)


def named(written: str, base: Path) -> Iterator[str]:
    """The tars that an address means, with braces expanded and ``*`` resolved; those on disk relative to ``base``.

    Raises:
        ManifestError: There is none.
        InputError: The place can't be listed.
    """
    for number, address in enumerate(_expanded(written)):
        if number == _MOST_TARS:
            raise _too_many(written)
        found = list(_globbed(address, base))
        if not found:
            raise ManifestError(Fault.at("real.path", f"no tar `{address}`", "not_found"))
        yield from found


def samples(tar: str, base: Path) -> Iterator[TarMember]:
    """The samples of a tar, in order; the bytes of images are never read.

    Raises:
        InputError: It is no tar, or can't be read.
    """
    held: dict[str, TarMember] = {}
    with _opened(tar, base) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as members:
                for member in members:
                    said = member.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                    name = _NAME.fullmatch(said)
                    if name and member.isreg():
                        sample = held.setdefault(name[1], TarMember(name[1], _own(name[1], tar)))
                        _add(sample, name[2].lower(), member, file, tar)
        except (tarfile.TarError, EOFError) as error:
            said = f"not a whole tar ({error}); tars must not be compressed"
            raise InputError(Fault.at(tar, said, "unreadable")) from None
    yield from held.values()


def read(location: str, base: Path) -> bytes:
    """The bytes of a member, by its tar, its offset and its size.

    Raises:
        DamagedError: The tar ends within it.
        InputError: The tar can't be read.
    """
    tar, _, span = location.rpartition("#")
    offset, _, size = span.partition("+")
    with _opened(tar, base) as file:
        file.seek(int(offset))
        content = file.read(int(size))
    if len(content) < int(size):
        raise DamagedError(f"{tar} ends within this image")
    return content


def _own(key: str, tar: str) -> dict[str, Any]:
    return {"__key__": key, "__url__": tar.rpartition("/")[2]}


def _add(sample: TarMember, extension: str, member: tarfile.TarInfo, file: BinaryIO, tar: str) -> None:
    """Take up a member: metadata by what they say, others by where they lie."""
    if extension in sample.members or (extension in ("json", *_TEXTS) and extension in sample.read):
        said = f"has `{member.name}` twice; unpack it and pack it again, so that each image has its own labels"
        raise InputError(Fault.at(tar, said, "duplicate"))
    if extension not in ("json", *_TEXTS) or member.size > _LARGEST:
        sample.members.setdefault(extension, f"{tar}#{member.offset_data}+{member.size}")
        return
    file.seek(member.offset_data)
    sample.read.add(extension)
    text = file.read(member.size).decode("utf-8-sig", "replace").strip()
    if extension != "json":
        sample.values[extension] = text
        return
    try:
        values = json.loads(text)
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair, which JSON can say, is no text
    except (ValueError, RecursionError):
        sample.broken.add(extension)
        return
    sample.values.update(values if isinstance(values, dict) else {"json": values})


def _expanded(written: str) -> Iterator[str]:
    """The addresses that braces stand for, as bash and webdataset read them: ``{000..012}`` and ``{a,b}``."""
    from braceexpand import braceexpand

    if any(_length(one) > _MOST_TARS for one in _RANGE.finditer(written)):  # they are all held in memory
        raise _too_many(written)
    try:
        yield from braceexpand(written, escape=False)
    except ValueError:  # a brace that none closes is a letter, as for bash
        yield written


def _length(found: re.Match[str]) -> int:
    """How many addresses a range stands for without its step."""
    first, last = digits.whole(found[2]), digits.whole(found[4])
    if first is None or last is None:
        return sys.maxsize
    return abs((-last if found[3] else last) - (-first if found[1] else first)) + 1


def _too_many(written: str) -> ManifestError:
    said = f"`{written[:80]}` stands for more than {_MOST_TARS:,} tars"
    return ManifestError(Fault.at("real.path", said, "out_of_range"))


def _globbed(address: str, base: Path) -> Iterator[str]:
    if "://" not in address:
        path = paths.expanded(address, "real.path")
        path = path / "*.tar" if (base / path).is_dir() else path
        root = Path(path.anchor) if path.is_absolute() else base
        try:
            there = sorted(root.glob(str(path.relative_to(path.anchor))))
        except (ValueError, IndexError, NotImplementedError) as error:
            raise ManifestError(Fault.at("real.path", f"`{address}`: {one_line(error)}", "invalid")) from None
        for found in there:
            yield (found if path.is_absolute() else found.relative_to(base)).as_posix()
    elif "*" in address:
        from fsspec.core import url_to_fs

        with _faults(address):
            files, pattern = url_to_fs(address)
            yield from (files.unstrip_protocol(found) for found in sorted(files.glob(pattern)))
    else:
        yield address


@contextmanager
def _opened(tar: str, base: Path) -> Iterator[BinaryIO]:
    with _faults(tar):
        if "://" in tar:
            import fsspec

            with fsspec.open(tar, "rb") as file:
                yield file
        else:
            if (base / tar).exists() and not (base / tar).is_file():  # a pipe would be waited for
                raise InputError(Fault.at(tar, "no regular file", "unreadable"))
            with (base / tar).open("rb") as file:
                yield file


@contextmanager
def _faults(what: str) -> Iterator[None]:
    """Say in a line that a place can't be reached, whatever a file system raises."""
    try:
        yield
    except _refusals() as error:  # asked for when something is raised: by then its module is loaded
        reason = getattr(error, "strerror", None) or one_line(error) or type(error).__name__
        raise InputError(Fault.at(what, f"can't be read ({reason})", "unreadable")) from None


def _refusals() -> tuple[type[Exception], ...]:
    """What file systems raise of places that can't be reached or read; fsspec has dozens, each with its own."""
    found = [
        OSError, ImportError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, EOFError,
        zipfile.BadZipFile, tarfile.TarError,
    ]  # fmt: skip
    return (*found, *(getattr(sys.modules[name], fault) for name, fault in _REMOTE if name in sys.modules))
