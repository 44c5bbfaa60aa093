"""What differs between a dataset folder and a tree on the Hub."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_KEPT = ".gitattributes"  # the Hub's own: it says which files are stored by their sha256


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the dataset, as it was when it was hashed."""

    name: str
    path: Path
    size: int
    sha256: str
    modified: int

    def is_as_hashed(self) -> bool:
        """Whether size and time are still those of the bytes that were hashed."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.modified)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a tree on the Hub; small ones have no sha256 there, only git's blob id."""

    name: str
    size: int
    blob: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What makes a tree on the Hub the dataset; empty, and so false, where it is that already."""

    add: tuple[LocalFile, ...]
    delete: tuple[RemoteFile, ...]
    unchanged: tuple[LocalFile, ...]

    def __bool__(self) -> bool:
        return bool(self.add or self.delete)

    def __len__(self) -> int:
        return len(self.add) + len(self.delete)

    @property
    def size(self) -> int:
        """The bytes of the files that are added."""
        return sum(file.size for file in self.add)


def compare(files: Iterable[LocalFile], tree: Mapping[str, RemoteFile]) -> Changes:
    """What to add to a tree and delete from it, by content and never by name or time alone."""
    files = tuple(files)
    same = {file.name for file in files if file.name in tree and is_same(file, tree[file.name])}
    names = {file.name for file in files}
    return Changes(
        add=tuple(file for file in files if file.name not in same),
        delete=tuple(file for name, file in sorted(tree.items()) if name not in names and name != _KEPT),
        unchanged=tuple(file for file in files if file.name in same),
    )


def is_same(local: LocalFile, remote: RemoteFile) -> bool:
    """Whether the Hub holds the very bytes: by sha256, or by git's blob id where the Hub knows no sha256."""
    if local.size != remote.size:
        return False
    return local.sha256 == remote.sha256 if remote.sha256 else blob_id(local.path) == remote.blob


def blob_id(path: Path) -> str:
    """Git's name of a file's content: SHA-1 of ``blob SIZE``, a zero byte and the content (gitformat-pack)."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
