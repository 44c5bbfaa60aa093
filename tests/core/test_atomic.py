"""Many files written together are there whole, or not at all where writing them fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from synthgen.core import atomic


def test_all_files_are_there(tmp_path: Path) -> None:
    """Every file has its content, whatever was there before, and no scratch is left."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "sub").mkdir()
    atomic.write_all([(tmp_path / "a", b"new"), (tmp_path / "sub" / "b", b"")])
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {"a", "sub", "sub/b"}
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "sub" / "b").read_bytes()) == (b"new", b"")


def test_a_failure_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    """Where making one of the files raises, none of them is there, and no scratch."""

    def failing() -> Iterator[tuple[Path, bytes]]:
        yield tmp_path / "a", b"new"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        atomic.write_all(failing())
    assert list(tmp_path.iterdir()) == []
