"""Scorers of one's own are one function, in a file or installed, and judged like those that ship."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import study
from synthgen.core import trust
from synthgen.curate import scorers
from synthgen.errors import InputError, ManifestError, SynthgenError
from synthgen.plan import Plan, manifest
from synthgen.plan.manifest.settings import Extensions

FUNCTION = (
    "def score(records, pixels):\n    return {'redness': pixels[..., 0].mean((1, 2)) - pixels[..., 1].mean((1, 2))}\n"
)
COLUMNS = ["redness"]


def curate(block: dict[str, Any]) -> dict[str, Any]:
    """A `curate:` block with that scorer, and a rule on its column."""
    return {"scorers": {"red": block}, "keep": ["red.redness < 0"]}


@pytest.fixture
def run_of(make_plan: Callable[..., Plan], make_images: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """Makes a run that is curated so."""

    def make(block: dict[str, Any]) -> Path:
        make_images(make_plan(curate=curate(block)), tmp_path / "run")
        return tmp_path / "run"

    return make


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a scorer."""
    path = tmp_path / "red.py"
    path.write_text(FUNCTION)
    return path


def test_a_file_scores_and_judges(file: Path, run_of: Callable[..., Path]) -> None:
    """Its column stands among the scores, and a rule over it decides."""
    from pyarrow import parquet

    run = run_of({"file": str(file), "columns": COLUMNS})
    (outcome,) = [each for each in study.curate(run) if hasattr(each, "facts")]
    found = parquet.read_table(run / "scores" / "red.parquet").to_pydict()
    assert outcome.facts.accepted == sum(value < 0 for value in found["redness"])
    assert outcome.facts.judged == len(found["key"]) > 0


def test_another_function_is_another_scorer(file: Path, context_of: Callable[..., Any]) -> None:
    """Scores are kept by the file's content, so they are made again when it has changed."""
    own = scorers.plugins.chosen("red", {"file": str(file), "columns": COLUMNS})
    with trust.everything():
        before = own.open_scorer(None, context_of()).facts
        file.write_text(FUNCTION.replace("0]", "2]"))
        assert own.open_scorer(None, context_of()).facts != before


def test_a_file_that_nobody_has_named_is_not_run(file: Path, run_of: Callable[..., Path]) -> None:
    """Once it has changed, curating by the run's own manifest asks; naming the manifest answers."""
    run = run_of({"file": str(file), "columns": COLUMNS})
    file.write_text(f"raise SystemExit\n{FUNCTION}")
    with pytest.raises(InputError) as caught:
        list(study.curate(run))
    assert [fault.kind for fault in caught.value.faults] == ["untrusted"]
    assert str(file) in caught.value.faults[0]


def test_an_installed_function_scores(
    file: Path, monkeypatch: pytest.MonkeyPatch, batch_of: Callable[..., Any], context_of: Callable[..., Any]
) -> None:
    """An entry point of the group is found by its name."""
    from synthgen.phantom.render import render

    info = file.parent / "red-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: red\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[synthgen.scorers]\nred = red:score\n")
    monkeypatch.syspath_prepend(str(file.parent))
    batch = batch_of(render(["psoriasis"], [1], site="b", seed=1))
    own = scorers.plugins.chosen("red", {"columns": COLUMNS})
    found = own.open_scorer(None, context_of()).load()(batch)
    assert found["redness"][0] == pytest.approx(batch.pixels[0, ..., 0].mean() - batch.pixels[0, ..., 1].mean())
    sys.modules.pop("red")


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ({"file": "gone.py", "columns": COLUMNS}, "curate.scorers.red.file: "),
        ({"columns": COLUMNS}, "curate.scorers.red: no scorer `red` is installed"),
        ({"file": "gone.py"}, "curate.scorers.red.columns"),
        ({"file": "gone.py", "columns": ["green"]}, "curate.keep[0]: scorer `red` has no column `redness`"),
        ({"file": "gone.py", "columns": ["redness", "key"]}, "curate.scorers.red.columns: `key` is there already"),
        ({}, "curate.scorers: no scorer `red`"),
    ],
)
def test_what_is_no_scorer_is_said(
    block: dict[str, Any], fault: str, extensions: Extensions, write_manifest: Callable[..., Path]
) -> None:
    """A manifest that names a scorer that is not there is refused before anything is made."""
    with pytest.raises(ManifestError) as told:
        manifest.read(write_manifest(curate=curate(block)), extensions)
    assert any(line.startswith(fault) for line in told.value.faults)


def test_a_run_outlives_its_scorer(file: Path, run_of: Callable[..., Path]) -> None:
    """Once the file is gone its run is still read; only scoring needs it."""
    run = run_of({"file": str(file), "columns": COLUMNS})
    file.unlink()
    assert study.open_run(run).plan.manifest.curation


MODULE = """
from synthgen.curate.scorers import Scorer
from synthgen.plan.manifest.settings import ScorerSettings

COLUMNS = {{"share": "a share"}}
TEXTS = {{"where": "a place"}}

class Settings(ScorerSettings):
    pass

def open_scorer(settings, context):
    def score(batch):
        return {given}
    return {opened}
"""
RIGHT = "Scorer({}, lambda: score)"


@pytest.mark.parametrize(
    ("given", "opened", "said"),
    [
        (
            '{"share": ["a"] * len(batch.records), "where": ["b"] * len(batch.records)}',
            RIGHT,
            "`share` is a str.*TEXTS",
        ),
        ('{"share": [1] * len(batch.records), "where": [2] * len(batch.records)}', RIGHT, "`where` is a int.*text"),
        ('{"share": 1.0, "where": ["b"] * len(batch.records)}', RIGHT, "`share` is a float.*one value an image"),
        ('{"share": "abc", "where": ["b"] * len(batch.records)}', RIGHT, "`share` is a str.*one value an image"),
        ("None", RIGHT, "is a NoneType.*mapping"),
        ("{}", "Scorer({}, score)", r"`load` is a function `score\(batch\)`.*`lambda: score`"),
        ("{}", "Scorer({}, lambda: None)", "`load` is a NoneType"),
        ("{}", "Scorer({'a': object()}, lambda: score)", "`facts`.*plain values"),
        ("{}", "score", r"`open_scorer` is a function `score\(batch\)`.*Scorer"),
    ],
)
def test_what_is_not_what_a_scorer_promises_is_one_line(
    given: str,
    opened: str,
    said: str,
    *,
    make_plan: Callable[..., Plan],
    make_images: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """It names the scorer, what it gave, and what was promised."""
    (tmp_path / "mine.py").write_text(MODULE.format(given=given, opened=opened))
    block = {"scorers": {"mine": {}}, "keep": ["mine.share < 1"]}
    make_images(make_plan(curate=block, plugins={"scorers": {"mine": str(tmp_path / "mine.py")}}), tmp_path / "run")
    with pytest.raises(SynthgenError, match=f"scorer `mine`: .*{said}") as caught:
        list(study.curate(tmp_path / "run"))
    assert len(caught.value.faults) == 1
