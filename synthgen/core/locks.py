"""Locks between processes, which the system lets go of when one dies; a file that says so where the system has none.

The package filelock, but for network folders: of what they answer where they know no locks (NFS without its lock
daemon, SMB and FUSE mounts), it takes only one answer for that, and passes the others on.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from synthgen.errors import Fault, InputError

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
_LONGEST_WAIT = 600.0  # for a file that may be left of a process on another host


@contextmanager
def held(path: Path, busy: str = "", *, passing: bool = False) -> Iterator[None]:
    """Hold a lock.

    Args:
        path: Its file, made where it is not there.
        busy: What to raise where another process holds it; waited for where left out.
        passing: Whether its file goes with it. It goes while the lock is held: who opened it meanwhile finds it gone
            and makes another.

    Raises:
        InputError: Another process holds it.
    """
    from filelock import FileLock, SoftFileLock, Timeout

    wait = 0.0 if busy else -1.0
    system = FileLock(path, timeout=wait, fallback_to_soft=False)
    said = busy
    lock: FileLock | SoftFileLock = system
    try:
        try:
            system.acquire()
        except OSError as error:
            if isinstance(error, Timeout) or error.errno not in _NO_LOCKS:
                raise
            marker = path.with_name(f"{path.name}.held")
            said = busy or f"{marker}: held by another process for ten minutes; remove it if there is none"
            lock = SoftFileLock(marker, timeout=0.0 if busy else _LONGEST_WAIT)
            lock.acquire()
    except Timeout:
        raise InputError(Fault(said, path=str(path), kind="conflict")) from None
    try:
        yield
    finally:
        if passing and lock is system:
            with suppress(PermissionError):  # Windows removes no file that is open
                path.unlink(missing_ok=True)
        lock.release()


def claim(path: Path) -> Callable[[], None] | None:
    """What lets go of a lock that nobody else holds, in whatever thread; ``None`` where another process holds it.

    For sparing work alone: where the file system knows no locks it is as if nobody else were there, since a marker that
    a dead machine has left would keep everybody away. The file is removed with the lock, so somebody who was just about
    to take it may think that he has it beside another.

    Args:
        path: Its file; its folder must be there.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0.0, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise

    def release() -> None:
        with suppress(PermissionError):  # Windows removes no file that is open
            path.unlink(missing_ok=True)
        lock.release()

    return release
