"""Files that are there whole or not at all, whatever crashed on the way.

Not the package atomicwrites, which its author has given up.
"""

import errno
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from synthgen.core import digits

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system answers where there is no room for a file: none on the disk, none of a quota, none below a limit."""
_SHORT = "requested and"  # "13920 requested and 10208 written", which is all that numpy says
# What network file systems answer that can't say of a folder that it is on disk: SMB, FUSE, a virtual machine's shares.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)


def write(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write a file through a scratch file beside it: written, fsynced, renamed, and the folder fsynced.

    Args:
        path: The file.
        content: Its bytes.
        mode: Its permissions, which it has before it has content; the system's usual ones where left out.
    """
    scratch = path.with_name(f".{path.name}.{owner()}")
    with naming(path, scratch):
        with scratch.open("wb") as file:
            if mode is not None:
                scratch.chmod(mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        publish(scratch, path)


@contextmanager
def naming(path: Path, scratch: Path | None = None) -> Iterator[None]:
    """Where a file is written: an error that there is no room for it says which file.

    Args:
        path: The file.
        scratch: Where it is written first, if elsewhere; it is removed where there was no room, since there is none.
    """
    try:
        yield
    except OSError as error:
        short = error.errno is None and _SHORT in str(error)
        if not short and error.errno not in NO_ROOM:
            raise
        if scratch is not None:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)
        number = errno.ENOSPC if short or error.errno is None else error.errno
        raise OSError(number, os.strerror(number), str(path)) from error


def write_all(files: Iterable[tuple[Path, bytes]]) -> None:
    """Write many files, each of them as :func:`write` does, but wait for the disk once they are all written."""
    scratches: dict[Path, Path] = {}
    try:
        for path, content in files:
            scratch = path.with_name(f".{path.name}.{owner()}")
            scratches[scratch] = path
            with naming(path):
                scratch.write_bytes(content)
        for scratch, path in scratches.items():
            with naming(path), scratch.open("rb+") as file:
                os.fsync(file.fileno())
        for scratch, path in scratches.items():
            scratch.replace(path)
    finally:
        for scratch in scratches:
            scratch.unlink(missing_ok=True)  # there are any only where something was raised
    for folder in {path.parent for path in scratches.values()}:
        sync_folder(folder)


def publish(scratch: Path, path: Path) -> None:
    """Give a finished, fsynced file its final name, durably; both lie on one file system."""
    scratch.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames within a folder survive a power cut, where the system can say so of a folder."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def owner() -> str:
    """A name for scratch files of this process that no other process on any host uses at the same time."""
    return f"{socket.gethostname()}.{os.getpid()}"


def sweep(folder: Path, name: str = "") -> None:
    """Remove scratch files and folders that processes of this host left in a folder when they died.

    Args:
        folder: Where to look, not deeper.
        name: Only scratch of files and folders that begin like this.
    """
    import psutil

    prefix = f".{socket.gethostname()}."
    for path in folder.glob(f".{name}*{prefix}*"):
        process = digits.whole(path.name.rpartition(prefix)[2])
        if process is not None and not psutil.pid_exists(process):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
