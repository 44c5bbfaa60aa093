"""The files of a mirror: read, written and listed through fsspec, each fault a line that says whether it may pass.

fsspec has the file systems; what is added is what a copy needs that is to be believed: sizes asked for after each
upload, a sha256 after each download, listings that are never those kept from before, and errors of one kind.
"""

import errno
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from synthgen.core import atomic, backoff
from synthgen.core.hashing import sha256_file
from synthgen.errors import MirrorError, SynthgenError
from synthgen.runs.mirror import address as addresses

TRIES = 6
"""How often something is asked for that fails in a way that may pass: half a minute in all."""
Thing = TypeVar("Thing")
_LASTING = (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError)
_LASTING_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG)
_BUGS = (TypeError, AttributeError, NameError, LookupError, AssertionError)
_FULL = (errno.ENOSPC, errno.EDQUOT)


PRIVATE = ".state/"
"""What lies there may tell who patients are, by the salt of pseudonyms."""


class _NoRoomError(Exception):
    """A file of the mirror has no room here."""


class Store:
    """A folder that fsspec opens.

    Args:
        address: Its address.

    Attributes:
        name: The address as it may be shown.

    Raises:
        InputError: It is no address, or can't be had here.
    """

    def __init__(self, address: str) -> None:
        self.name = addresses.shown(address)
        self._opened, self._base = addresses.opened(address)
        self._address, self._closed, self._cut = address, False, False

    def read(self, name: str) -> bytes | None:
        """The bytes of a small file; ``None`` where there is none.

        Raises:
            MirrorError: It can't be read.
        """
        with self._faults(name, "read"):
            try:
                return bytes(self._files.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whole or not at all: object stores do, and elsewhere it is renamed once it is there.

        Raises:
            MirrorError: It can't be written.
        """
        scratch = name if self._stores_objects else f"{name}.{atomic.owner()}.{threading.get_ident()}.part"
        with self._faults(name, "written"):
            self._make_folder(name)
            self._files.pipe_file(self._path(scratch), content)
            if scratch != name:
                self._files.mv(self._path(scratch), self._path(name))

    def create(self, name: str, content: bytes) -> bool:
        """Whether a small file could be written that was not there; of several at once one alone can.

        Object stores say so themselves. A disk and sftp have a file that is whole beside its place take a name that is
        free. Elsewhere fsspec looks first and then writes, and two may both be told that they could.

        Raises:
            MirrorError: It can't be written.
        """
        with self._faults(name, "written"):
            self._make_folder(name)
            try:
                if (take := self._taking()) is None:
                    self._files.pipe_file(self._path(name), content, mode="create")
                    return True
                scratch = self._path(f"{name}.{atomic.owner()}.{threading.get_ident()}.part")
                self._files.pipe_file(scratch, content)
                try:
                    take(scratch, self._path(name))
                finally:
                    if self._files.exists(scratch):
                        self._files.rm_file(scratch)
            except OSError as error:
                if isinstance(error, FileExistsError) or (error.errno is None and self._files.exists(self._path(name))):
                    return False  # sftp has no word for it but that it failed
                raise
            return True

    def _taking(self) -> Callable[[str, str], object] | None:
        """What gives a file a second name, or another, only where nobody has that name yet; if the file system can."""
        if _is_local(self._files):
            return os.link if _links(self._base) else None
        ftp = getattr(self._files, "ftp", None)  # fsspec's SFTPFileSystem; of the protocol, not its POSIX extension
        return getattr(ftp, "rename", None)

    def put(self, path: Path, name: str) -> None:
        """Copy a file there, and ask for its size.

        Raises:
            MirrorError: It can't be written, or came to be of another size.
        """
        with self._faults(name, "written"):
            self._make_folder(name)
            self._files.put_file(str(path), self._path(name))
        size = self.size(name)
        if size != path.stat().st_size:
            raise MirrorError(f"{self._shown(name)}: of {path.stat().st_size} bytes {size} came there", passing=True)

    def fetch(self, name: str, path: Path, sha256: str, *, mode: int | None = None) -> bool:
        """Whether a file is here now, whole: copied beside its place, hashed, and then renamed.

        Args:
            name: Its name there.
            path: Where it is to lie.
            sha256: What it is to be; another one, or none there, leaves nothing here.
            mode: Its permissions, which it has before it has content; the system's usual ones where left out.

        Raises:
            MirrorError: It can't be read.
            OSError: There is no room for it here.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{atomic.owner()}")
        try:
            if mode is not None:
                scratch.touch(mode)
                scratch.chmod(mode)  # where one was left behind
            with self._faults(name, "read"):
                try:
                    self._files.get_file(self._path(name), str(scratch))
                except FileNotFoundError:
                    return False
                except OSError as error:
                    if error.errno in _FULL:
                        raise _NoRoomError from error
                    raise
            with scratch.open("rb+") as file:
                os.fsync(file.fileno())
            if sha256_file(scratch) != sha256:
                return False
            atomic.publish(scratch, path)
        except _NoRoomError:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        finally:
            scratch.unlink(missing_ok=True)
        return True

    def size(self, name: str) -> int | None:
        """The size of a file in bytes; ``None`` where there is none.

        Raises:
            MirrorError: The store doesn't say.
        """
        with self._faults(name, "read"):
            self._files.invalidate_cache()
            try:
                return int(self._files.info(self._path(name))["size"])
            except FileNotFoundError:
                return None

    def sizes(self, folder: str) -> dict[str, int]:
        """The size of every file below a folder, by its name in the store; a store's listing may lag behind.

        Raises:
            MirrorError: It can't be listed.
        """
        with self._faults(folder, "listed"):
            self._files.invalidate_cache()
            try:
                found = self._files.find(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
        strip = len(self._base) + 1
        return {path[strip:]: int(facts["size"] or 0) for path, facts in found.items()}

    def modified(self, name: str) -> float | None:
        """When a file was last written by the store's own clock, in Unix seconds; ``None`` where it has none.

        Raises:
            MirrorError: The store doesn't say.
        """
        with self._faults(name, "read"):
            self._files.invalidate_cache()
            try:
                found = self._files.modified(self._path(name))
            except (NotImplementedError, FileNotFoundError, KeyError):
                return None
        return found.timestamp() if isinstance(found, datetime) else None

    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            MirrorError: It can't be removed.
        """
        with self._faults(name, "removed"):
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return

    @property
    def _files(self) -> Any:
        """The file system; connected to anew after a fault where it may hold a connection, as sftp's is for ever."""
        if self._cut:
            try:
                self._opened, _ = addresses.opened(self._address, anew=True)
            except SynthgenError as error:
                raise MirrorError(*(str(one) for one in error.faults), passing=True) from None
            self._cut = False
        return self._opened

    @property
    def _stores_objects(self) -> bool:
        """Whether it is an object store, by what sets these apart in fsspec: their requests need not be waited for."""
        return bool(getattr(self._opened, "async_impl", False))

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base

    def _shown(self, name: str) -> str:
        return f"{self.name.rstrip('/')}/{name}" if name else self.name

    def _make_folder(self, name: str) -> None:
        """Make a file's folder; not in an object store, which has none and would make a bucket."""
        if self._stores_objects:
            return
        folder = self._path(name).rpartition("/")[0]
        self._files.makedirs(folder, exist_ok=True)
        if name.startswith(PRIVATE) and not self._closed:
            with suppress(OSError):  # of another user, who closed it, or of a file system without owners
                self._close(folder)
            self._closed = True

    def _close(self, folder: str) -> None:
        """Let nobody else read a folder, where the file system has owners; a group may where it may write beside it."""
        if _is_local(self._files):
            shared = Path(self._base).stat().st_mode & 0o020
            Path(folder).chmod(0o770 if shared else 0o700)
        elif hasattr(self._files, "ftp"):  # fsspec's SFTPFileSystem, of paramiko's client
            shared = (self._files.ftp.stat(self._base).st_mode or 0) & 0o020
            self._files.ftp.chmod(folder, 0o770 if shared else 0o700)

    @contextmanager
    def _faults(self, name: str, done: str) -> Iterator[None]:
        """Say in a line what a file system raises, which is of anybody's making.

        Raises:
            MirrorError: It did.
        """
        try:
            yield
        except (SynthgenError, _NoRoomError, *_BUGS):
            raise
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            what = "is full" if getattr(error, "errno", None) in _FULL else f"can't be {done}"
            said = f"{self._shown(name)}: {what} ({addresses.reason(error)})"
            passing = _may_pass(error)
            self._cut = self._cut or (passing and not self._stores_objects and not _is_local(self._opened))
            raise MirrorError(said, passing=passing) from None


def _is_local(files: object) -> bool:
    """Whether a file system of fsspec's has the files of this machine."""
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(files, LocalFileSystem)


@lru_cache
def _links(folder: str) -> bool:
    """Whether a folder's file system has hard links, which FAT and some network folders have not."""
    scratch = Path(folder) / f".link.{atomic.owner()}"
    other = scratch.with_suffix(".2")
    try:
        scratch.touch()
        os.link(scratch, other)
    except OSError:
        return False
    finally:
        for path in (scratch, other):
            path.unlink(missing_ok=True)
    return True


def _may_pass(error: Exception) -> bool:
    """Whether it is worth while to ask again."""
    if "Credential" in type(error).__name__ or isinstance(error, (*_LASTING, NotImplementedError, ImportError)):
        return False
    if isinstance(error, OSError):
        return error.errno not in _LASTING_NUMBERS
    return type(error).__module__ != "builtins" or isinstance(error, RuntimeError | EOFError)


def retried(ask: Callable[[], Thing], stop: Callable[[], bool] = lambda: False) -> Thing:
    """What something gives that is asked for again, after a while, as long as its fault may pass.

    Raises:
        MirrorError: It does not pass.
    """
    for attempt in itertools.count(1):
        try:
            return ask()
        except MirrorError as error:
            if not error.passing or attempt == TRIES or stop():
                raise
        time.sleep(backoff.doubling(attempt))
    raise AssertionError("unreachable")
