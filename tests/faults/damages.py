"""Damages one file of a study at a time, in a way drawn from a seed, and says whether anybody sees it."""

import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specimen import Target

from synthgen import study
from synthgen.errors import SynthgenError
from synthgen.extensions import EXTENSIONS
from synthgen.runs.verify import verify

# What `curate` makes again where it is damaged; nothing else depends on it.
MADE_AGAIN = ("part of scores", "table of images")
_TEXTS = (".json", ".csv", ".md", ".html", ".yaml", ".svg", ".py", ".tar", "SHA256SUMS")
Bytes = bytes | None
"""What a file holds after the damage; ``None`` where it is gone."""


@dataclass(frozen=True, slots=True)
class Case:
    """One damage and what came of it.

    Attributes:
        kind: The kind of file.
        damage: What was done to it.
        outcome: ``seen`` by `verify`, ``mended`` by the command that makes it, or ``missed``.
        where: The file, and what was done, in words.
    """

    kind: str
    damage: str
    outcome: str
    where: str


def flip(content: bytes, rng: random.Random, _: bytes) -> Bytes:
    """One bit is another."""
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def truncate(content: bytes, rng: random.Random, _: bytes) -> Bytes:
    """The end is gone."""
    return content[: rng.randrange(len(content))]


def zero(content: bytes, rng: random.Random, _: bytes) -> Bytes:
    """A stretch is zeros, as a lost block is."""
    at, size = rng.randrange(len(content)), rng.randint(1, 512)
    return content[:at] + bytes(min(size, len(content) - at)) + content[at + size :]


def delete(_content: bytes, _rng: random.Random, _other: bytes) -> Bytes:
    """The file is gone."""
    return None


def swap(_content: bytes, _rng: random.Random, other: bytes) -> Bytes:
    """Another file of its kind lies in its place, and it in the other's."""
    return other


def duplicate(_content: bytes, _rng: random.Random, other: bytes) -> Bytes:
    """A copy of another file of its kind lies in its place."""
    return other


def append(content: bytes, rng: random.Random, _: bytes) -> Bytes:
    """Something follows the end."""
    return content + rng.choice([b"\n", b"\0", rng.randbytes(rng.randint(1, 64))])


def edit(content: bytes, rng: random.Random, _: bytes) -> Bytes:
    """A value of a document is another or gone, or a letter or digit of a text is another."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if isinstance(document, dict):
        _edit(document, rng)
        return json.dumps(document, indent=1).encode()
    at = rng.choice([place for place, byte in enumerate(content) if chr(byte).isalnum()] or [0])
    return content[:at] + bytes([ord("1") if content[at] != ord("1") else ord("2")]) + content[at + 1 :]


def _edit(document: Any, rng: random.Random) -> None:
    """Change one value of a document, or take it out, wherever it stands."""
    places = [(document, key) for key in document]
    for holder, key in places:
        inner = holder[key]
        places += (
            [(inner, one) for one in (inner if isinstance(inner, dict) else range(len(inner)))]
            if isinstance(inner, dict | list)
            else []
        )
    holder, key = rng.choice(places)
    value = holder[key]
    if isinstance(holder, dict) and rng.random() < 0.2:
        del holder[key]
    elif isinstance(value, bool | None):
        holder[key] = not value
    elif isinstance(value, int | float):
        holder[key] = value + 1
    elif isinstance(value, str):
        holder[key] = f"{value}x"
    else:
        holder[key] = type(value)() if value else [1]


DAMAGES: Mapping[str, Callable[[bytes, random.Random, bytes], Bytes]] = {
    one.__name__: one for one in (flip, truncate, zero, delete, swap, duplicate, append, edit)
}


def cases(targets: Sequence[Target], seed: int, numbers: Iterable[int]) -> Iterator[Case]:
    """Damages, every kind of file and of damage in turn; each is undone before the next.

    Args:
        targets: The files, of a study that is whole.
        seed: Decides which file of a kind, where, and how.
        numbers: Which, from 0 on; the same number is the same damage.
    """
    kinds: dict[str, list[Target]] = {}
    for one in targets:
        kinds.setdefault(one.kind, []).append(one)
    kept = {folder: _Kept(folder) for folder in dict.fromkeys(one.folder for one in targets)}
    turns = [(kind, name) for kind in kinds for name in DAMAGES]
    for place in numbers:
        kind, name = turns[place % len(turns)]
        rng = random.Random(f"{seed}-{place}")
        found = _one(kinds[kind], kind, name, rng, kept)
        if found:
            yield found


def _one(
    among: Sequence[Target], kind: str, name: str, rng: random.Random, kept: Mapping[Path, "_Kept"]
) -> Case | None:
    """One damage; ``None`` where it leaves the file as it was, as zeros that are made zeros do."""
    target = rng.choice(among)
    others = [one for one in among if one.folder == target.folder and one.path.suffix == target.path.suffix]
    other, before = rng.choice(others), target.path.read_bytes()
    if name in ("swap", "duplicate") and len(others) == 1:
        name = "append"  # it has no other of its kind: once more after its end
    content = DAMAGES[name](before, rng, other.path.read_bytes())
    if content == before or not before:
        return None
    keep_time = rng.random() < 0.5
    _put(target.path, content, keep_time=keep_time)
    if name == "swap":
        _put(other.path, before, keep_time=keep_time)
    try:
        outcome = _outcome(target, kept[target.folder])
    finally:
        kept[target.folder].put_back()
    time = "its time kept" if keep_time else "a new time"
    return Case(kind, name, outcome, f"{target.path.relative_to(target.folder.parent)}: {name}, {time}")


def _outcome(target: Target, kept: "_Kept") -> str:
    if seen(target.folder):
        return "seen"
    if target.kind in MADE_AGAIN:
        study.curate(target.folder).result()
        if kept.same(target.folder):
            return "mended"
    return "missed"


def seen(folder: Path) -> list[str]:
    """What `verify` has to say against a folder; nothing where it finds it whole."""
    try:
        return [f"{one.path}: {one.message}" for one in verify(folder, EXTENSIONS) if one.state != "whole"]
    except SynthgenError as error:
        return list(error.faults)


def _put(path: Path, content: Bytes, *, keep_time: bool) -> None:
    status = path.stat()
    if content is None:
        path.unlink()
        return
    path.write_bytes(content)
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


class _Kept:
    """The files of a folder as they were, to be put back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = {path: (path.read_bytes(), path.stat()) for path in folder.rglob("*") if path.is_file()}

    def put_back(self) -> None:
        """Put back every file that is another, and take away those that are new."""
        for path in [path for path in self._folder.rglob("*") if path.is_file() and path not in self._files]:
            path.unlink()
        for path, (content, status) in self._files.items():
            if not path.is_file() or path.stat().st_ctime_ns != status.st_ctime_ns:
                path.write_bytes(content)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
                self._files[path] = content, path.stat()

    def same(self, folder: Path) -> bool:
        """Whether tables and verdicts are what they were."""
        names = [
            path for path in self._files if path.suffix == ".parquet" and path.parent in (folder, folder / "scores")
        ]
        return all(path.is_file() and path.read_bytes() == self._files[path][0] for path in names)
