"""The sha256 of a large file is kept as long as the file is the same, and no longer."""

import os
import time
from pathlib import Path

import pytest

from synthgen.core import adapter_folder, known_digests, seal
from synthgen.core.hashing import sha256_file
from synthgen.core.known_digests import sha256_large


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The files that were read, where every file is a large one and has been there for long."""
    found = list[Path]()

    def reading(path: Path) -> str:
        found.append(path)
        return sha256_file(path)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(known_digests, "_LARGE", 0)
    monkeypatch.setattr(known_digests, "sha256_file", reading)
    monkeypatch.setattr(known_digests.time, "time", lambda now=time.time: now() + 60)
    return found


def test_a_large_file_is_read_once(read: list[Path], tmp_path: Path) -> None:
    """Whichever process asks again."""
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    assert sha256_large(path) == sha256_large(path) == sha256_file(path)
    assert len(read) == 1


def test_another_content_of_the_same_size_and_time_is_read(read: list[Path], tmp_path: Path) -> None:
    """A file whose time was put back is another one all the same."""
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    sha256_large(path)
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sha256_large(path) == sha256_file(path)
    assert len(read) == 2


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"file": 1, "sha256": "x"}', b"\xff"])
def test_a_damaged_note_is_not_believed(read: list[Path], tmp_path: Path, kept: bytes) -> None:
    """It is written anew."""
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    sha256_large(path)
    (note,) = (tmp_path / "cache").rglob("*.json")
    note.write_bytes(kept)
    assert sha256_large(path) == sha256_file(path)
    assert len(read) == 2


def test_what_was_just_written_is_not_kept(read: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may change again within what a file system's clock can tell."""
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    monkeypatch.setattr(known_digests.time, "time", lambda: path.stat().st_mtime)
    sha256_large(path)
    sha256_large(path)
    assert len(read) == 2


def test_without_a_cache_folder_it_is_read_each_time(
    read: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the cache can't be written to."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    assert sha256_large(path) == sha256_large(path)
    assert len(read) == 2


def test_damage_to_an_adapter_is_looked_for_in_its_bytes(read: list[Path], tmp_path: Path) -> None:
    """A digest that is kept names it, and does not say that it is whole."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / adapter_folder.LORA).write_bytes(b"weights")
    adapter_folder.write(folder, {"name": "a", "digest": "d", "pool": {"ids": []}, "words": {}})
    known = dict(adapter_folder.read(folder)) | {"format": 1}
    known.pop("files")
    (folder / adapter_folder.FACTS).write_bytes(seal.dumps(known))
    (kept,) = (tmp_path / "cache").rglob("*.json")
    content = kept.read_bytes()
    assert not list(adapter_folder.damage(folder))
    before = (folder / adapter_folder.LORA).stat()
    (folder / adapter_folder.LORA).write_bytes(b"WEIGHTS")
    os.utime(folder / adapter_folder.LORA, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert kept.read_bytes() == content
    assert [name for name, _ in adapter_folder.damage(folder)] == [""]
