"""``synthgen curate --report`` says how like the real images the generated ones are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.plan import Plan


@pytest.fixture(scope="module")
def run(
    make_plan: Callable[..., Plan], make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of 24 images without rules and without real images."""
    root = tmp_path_factory.mktemp("reported") / "work"
    make_images(make_plan(), root)
    return root


def test_a_run_without_rules_is_reported_on_and_not_judged(run: Path, synthgen: Callable[..., Any]) -> None:
    """The first table is said, and why there is no more; the files lie in the run."""
    said = synthgen("curate", run, "--report")
    assert said.code == 0
    assert said.out.startswith("Vendi")
    assert "the manifest names no real images (`real:`)" in said.out
    assert {path.name for path in (run / "fidelity").iterdir()} == {"SHA256SUMS", "fidelity.csv", "report.html"}
    assert not (run / "verdicts.parquet").exists()


def test_a_run_with_rules_is_judged_too(
    run: Path, synthgen: Callable[..., Any], write_manifest: Callable[..., Path]
) -> None:
    """With a manifest of rules, both the verdicts and the report are there."""
    rules = write_manifest(curate={"scorers": {"fake": {}}, "keep": ["fake.chance < 0.5"]})
    said = synthgen("curate", run, "--report", "--manifest", rules)
    assert said.code == 0
    assert "of 24 images accepted" in said.out
    assert "report.html" in said.out
    assert (run / "verdicts.parquet").exists()
    assert ",kept,none,vendi," in (run / "fidelity" / "fidelity.csv").read_text(encoding="utf-8")


def test_a_backbone_without_a_report_is_refused(run: Path, synthgen: Callable[..., Any]) -> None:
    """What would have no effect is bad usage."""
    said = synthgen("curate", run, "--backbone", "gabor")
    assert (said.code, said.err) == (2, "error: --backbone: it gives the features of a report; add --report\n")


def test_a_backbone_that_is_not_there_is_refused(run: Path, synthgen: Callable[..., Any]) -> None:
    """A folder that is none is named in one line, before anything is measured."""
    said = synthgen("curate", run, "--report", "--backbone", "./nowhere")
    assert said.code == 2
    assert "./nowhere: no such folder" in said.err


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, synthgen: Callable[..., Any]) -> None:
    """Nothing is written beside somebody's folder."""
    (tmp_path / "photos").mkdir()
    said = synthgen("curate", tmp_path / "photos", "--report")
    assert said.code == 2
    assert "neither a run (run.json) nor a packed dataset" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
