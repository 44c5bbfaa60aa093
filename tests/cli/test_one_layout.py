"""A study has one layout: a verb given any of its folders finds its part, and nothing is made twice elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.runs import study_layout

Synthgen = Callable[..., Any]
SCORED = {"curate": {"scorers": {"fake": {}}, "keep": ["fake.chance < 0.9"]}}


def tars() -> dict[Path, bytes]:
    """Every tar below the current folder."""
    return {path: path.read_bytes() for path in sorted(Path().rglob("*.tar"))}


@pytest.fixture
def manifest(write_manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest that says what to keep, in the current folder."""
    monkeypatch.chdir(tmp_path)
    return write_manifest(**SCORED)


@pytest.fixture
def study(manifest: Path, synthgen: Synthgen) -> Path:
    """The manifest of a whole study in ``runs/small``."""
    assert synthgen("run", manifest, "-q").code == 0
    return manifest


COMMANDS: dict[str, tuple[Any, ...]] = {
    "generate": ("generate", "MANIFEST", "--out", "DIR"),
    "run": ("run", "MANIFEST", "--out", "DIR"),
    "plan": ("plan", "MANIFEST", "--out", "DIR"),
    "curate": ("curate", "DIR"),
    "pack": ("pack", "DIR", "--out", "runs/small/dataset"),
    "verify": ("verify", "DIR"),
    "preview": ("preview", "DIR", "--out", "shown.html"),
}


@pytest.mark.usefixtures("study")
def test_each_verb_finds_its_part(manifest: Path, synthgen: Synthgen) -> None:
    """Given the study's folder, its run, or to read a run its dataset: nothing is made again, or elsewhere."""
    before = tars()
    for name, command in COMMANDS.items():
        folders = ["runs/small", "runs/small/work"]
        folders += ["runs/small/dataset"] if name in ("run", "plan", "curate", "pack", "verify", "preview") else []
        for folder in folders:
            words = [{"MANIFEST": manifest, "DIR": folder}.get(word, word) for word in command]
            assert (name, folder, synthgen(*words).code) == (name, folder, 0)
    assert tars() == before
    assert sorted(path.name for path in Path("runs").iterdir() if not path.name.startswith(".")) == ["small"]


def test_a_run_that_generate_made_is_gone_on_with(manifest: Path, synthgen: Synthgen) -> None:
    """``run`` makes no image of it a second time, and its dataset and preview lie in it."""
    assert synthgen("generate", manifest, "--out", "runs/small").code == 0
    before = tars()
    said = synthgen("run", manifest)
    assert said.code == 0
    assert "runs/small  verified work shards" in said.out
    made = tars()
    assert before.items() <= made.items()
    assert [path.parts[:3] for path in made.keys() - before.keys()] == [("runs", "small", "dataset")]
    assert Path("runs/small/preview.html").is_file()
    for command in ("verify", "curate"):
        assert synthgen(command, "runs/small/dataset").code == 0


def test_the_next_step_can_be_taken(manifest: Path, synthgen: Synthgen) -> None:
    """Each verb names the next one; followed word by word, they end with a dataset in its study's folder."""
    said = synthgen("generate", manifest, "--out", "runs/small/work")
    for verb in ("curate", "pack"):
        words = said.out.rpartition("next: synthgen ")[2].split()
        assert words[0] == verb
        said = synthgen(*words)
        assert said.code == 0
    assert study_layout.dataset_of(Path("runs/small")) == Path("runs/small/dataset")
    assert study_layout.dataset_of(Path("runs/small/work")) == Path("runs/small/dataset")
