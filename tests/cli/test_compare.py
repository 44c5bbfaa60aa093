"""`synthgen compare` as it is typed: what it says, and what it refuses in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ENTRY = {"strategy": "fake", "per_cell": 2}


@pytest.fixture
def make(make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """Makes a run of 12 patterns, so wide, under a name."""

    def run(name: str, width: int = 32, **changes: Any) -> Path:
        entry = ENTRY | {"settings": {"height": 32, "width": width}}
        make_images(make_plan(**{"generate": [entry]} | changes), tmp_path / name / "work")
        return tmp_path / name

    return run


def test_two_runs_become_a_page(make: Callable[..., Path], tmp_path: Path, synthgen: Callable[..., Any]) -> None:
    """A line a generator, what is told apart, what is missing and why, and where the page is."""
    said = synthgen("compare", make("a"), make("b", 48), "--out", tmp_path / "out", "--price", "2", "--rows", "3")
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line.partition(",")[0] for line in lines[:2]] == ["a", "b"]
    assert any("different sizes (a 32 x 32, b 48 x 32)" in line for line in lines)
    assert any(line.startswith("Not known of a, b: label agreement") for line in lines)
    assert lines[-1].startswith(str(tmp_path / "out" / "compare.html"))
    assert synthgen("compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out", "-q") == (0, "", "")


def test_runs_of_other_seeds_are_refused(
    make: Callable[..., Path], tmp_path: Path, refused: Callable[..., list[str]]
) -> None:
    """The key of the manifest, its two values and both folders, in one line; nothing is written."""
    one, other = make("a"), make("b", seed=8)
    [line] = refused("compare", one, other, "--out", tmp_path / "out")
    assert line.startswith(f"{other}/work: can't be compared with {one}/work: seed: 7 -> 8; ")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_refused(
    make: Callable[..., Path], tmp_path: Path, refused: Callable[..., list[str]]
) -> None:
    """As by every command that takes one."""
    (tmp_path / "empty").mkdir()
    [line] = refused("compare", make("a"), tmp_path / "empty", "--out", tmp_path / "out")
    assert line.startswith(str(tmp_path / "empty"))
