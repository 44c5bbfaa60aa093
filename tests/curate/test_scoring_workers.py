"""Several processes score what one scores, to the byte, and one that dies costs nothing but its shard's time."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from synthgen import study
from synthgen.core import devices, trust
from synthgen.curate.scoring import Scored
from synthgen.curate.scoring_workers import worth_starting
from synthgen.errors import SynthgenError
from synthgen.plan import Plan

# Ends the process that it is in once, at its first batch.
DIES_ONCE = """
import os
from pathlib import Path

def score(records, pixels):
    try:
        (Path(__file__).parent / "died").touch(exist_ok=False)
    except FileExistsError:
        return {"red": pixels[..., 0].mean((1, 2))}
    os._exit(7)
"""


@pytest.fixture
def run(make_plan: Callable[..., Plan], make_images: Callable[..., Any], tmp_path: Path) -> Path:
    """A run that is to be curated by a shipped scorer and by one that dies once."""
    (tmp_path / "red.py").write_text(DIES_ONCE)
    own = {"file": str(tmp_path / "red.py"), "columns": ["red"]}
    make_images(
        make_plan(curate={"scorers": {"fake": {}, "red": own}, "keep": ["fake.chance < 0.5"]}), tmp_path / "run"
    )
    return tmp_path / "run"


def test_two_of_which_one_dies_score_as_one_does(run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each shard comes once of each scorer, and scores and verdicts are those of one process."""
    alone = shutil.copytree(run, tmp_path / "alone")
    found = [(one.scorer, one.ref) for one in study.curate(run, workers=2) if isinstance(one, Scored)]
    assert (tmp_path / "died").exists()
    assert "a worker died at scorer red" in caplog.text
    before = [(one.scorer, one.ref) for one in study.curate(alone, workers=1) if isinstance(one, Scored)]
    assert sorted(map(repr, found)) == sorted(map(repr, before))
    for name in ("scores/fake.parquet", "scores/red.parquet", "verdicts.parquet", "survivors.csv"):
        assert (run / name).read_bytes() == (alone / name).read_bytes(), name


def test_a_scorer_that_is_another_one_in_a_worker_is_refused(run: Path, tmp_path: Path) -> None:
    """Its scores would be kept as those of the one that the run names; workers trust what this process does."""
    with trust.everything():
        task = study.curate(run, workers=2)
        (tmp_path / "red.py").write_text("def score(records, pixels):\n    return {'red': [0.0] * len(records)}\n")
        with pytest.raises(SynthgenError, match="scorer red: another one in a worker"):
            list(task)
    assert not (run / "scores" / "red.parquet").exists()


@pytest.mark.parametrize(
    ("images", "gpus", "device", "memory", "workers"),
    [
        (480, [], "auto", 64, 1),
        (8_000, [], "cpu", 64, 2),
        (458_920, [], "auto", 64, 8),
        (458_920, [], "auto", 7, 3),
        (458_920, [], "auto", 1, 1),
        (480, ["0", "1"], "auto", 64, 2),
        (458_920, [], "mps", 64, 1),
    ],
)
def test_as_many_as_are_worth_starting(
    *, images: int, gpus: list[str], device: str, memory: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small run is scored by one process; a large one by one a core, or a GPU."""
    monkeypatch.setattr(devices, "cores", lambda: 8)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=memory << 30))
    assert worth_starting(images, gpus, device) == workers
