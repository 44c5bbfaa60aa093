"""``synthgen classifier-eval`` does the study that a manifest asks for, or says in a line a fault why it can't."""

import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from synthgen.extensions import EXTENSIONS
from synthgen.runs import verify

QUICK: dict[str, Any] = {
    "arms": ["real", "real+synthetic"],
    "n_real": [2],
    "ratios": [1],
    "seeds": 2,
    "learner": {"optimizer_steps": 5},
}


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    """The module of small pictures in classes that the study's own tests draw."""
    path = Path(__file__).parents[1] / "evaluate/drawn.py"
    spec = importlib.util.spec_from_file_location("tests_commands_drawn", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def real(pictures: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of real images, and the dataset of a study of them."""
    root: Path = tmp_path_factory.mktemp("real")
    pictures.write_real(root / "real", each=4, held=3)
    pictures.write_dataset(root / "runs/study/dataset", pictures.more_real(4))
    return root


@pytest.fixture
def here(real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a copy of both."""
    root = Path(shutil.copytree(real, tmp_path / "here"))
    monkeypatch.chdir(root)
    return root


def test_a_study_is_done_told_and_done_again(synthgen: Callable[..., Any], pictures: ModuleType, here: Path) -> None:
    """The first run trains, the second has nothing to do, and rescoring needs the predictions alone."""
    manifest = pictures.write_manifest(here / "study.yaml", **QUICK)
    said = synthgen("classifier-eval", manifest, "--out", "report", "--workers", 1)
    assert (said.code, said.out) == (0, "report/report.html  the report; report.md and CSV files beside it\n")
    assert "training: 4 of 4 trainings" in said.err
    before = (here / "report/report.md").read_bytes()
    again = synthgen("classifier-eval", manifest, "--out", "report", "--workers", 1)
    assert (again.code, "computing features" in again.err) == (0, False)
    verified = synthgen("verify", "report")
    assert verified.code == 0
    assert re.fullmatch(r"[1-9]\d* files whole, 0 missing, 0 damaged\n", verified.out)
    shutil.rmtree(here / "report/trials")
    assert synthgen("classifier-eval", manifest, "--out", "report", "--rescore").code == 0
    assert (here / "report/report.md").read_bytes() == before


def test_a_report_is_scored_again_by_the_manifest_that_is_given(
    synthgen: Callable[..., Any], pictures: ModuleType, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another primary family takes effect without a training; what takes trainings is refused, or said."""
    manifest = pictures.write_manifest(here / "study.yaml", **QUICK)
    assert synthgen("classifier-eval", manifest, "--out", "report", "--workers", 1).code == 0
    before = (here / "report/comparisons.csv").read_bytes()
    margin = {"primary": {"metric": "macro_f1"}}
    changed = pictures.write_manifest(here / "other.yaml", **QUICK | margin | {"seeds": 9})
    said = synthgen("classifier-eval", changed, "--out", "report", "--rescore")
    assert (said.code, f"of {changed}; nothing trained" in said.err) == (0, True)
    assert (here / "report/comparisons.csv").read_bytes() != before
    assert "evaluate.seeds: the predictions are of" in caplog.text
    assert synthgen("classifier-eval", manifest, "--out", "report", "--rescore").code == 0
    assert (here / "report/comparisons.csv").read_bytes() == before
    other = pictures.write_manifest(here / "steps.yaml", **QUICK | {"protocol": "sagers2023"})
    refused = synthgen("classifier-eval", other, "--out", "report", "--rescore")
    assert (refused.code, "evaluate.protocol: the predictions are of equal-steps" in refused.err) == (2, True)
    assert (here / "report/comparisons.csv").read_bytes() == before


def test_a_plan_is_frozen_before_results_and_followed(
    synthgen: Callable[..., Any], pictures: ModuleType, here: Path
) -> None:
    """The report says that it follows the plan, or in bold in what it does not; after results none is frozen."""
    manifest = pictures.write_manifest(here / "study.yaml", **QUICK)
    said = synthgen("classifier-eval", manifest, "--out", "report", "--freeze")
    assert (said.code, "report/analysis-plan.json" in said.out) == (0, True)
    frozen = (here / "report/analysis-plan.json").read_bytes()
    assert synthgen("classifier-eval", manifest, "--out", "report", "--freeze").code == 0
    assert synthgen("classifier-eval", manifest, "--out", "report", "--workers", 1).code == 0
    for name in ("report.md", "card.md"):
        assert json.loads(frozen)["sha256"] in (here / "report" / name).read_text()
    assert (here / "report/analysis-plan.json").read_bytes() == frozen
    late = synthgen("classifier-eval", manifest, "--out", "other", "--workers", 1)
    assert late.code == 0
    refused = synthgen("classifier-eval", manifest, "--out", "other", "--freeze")
    assert (refused.code, "there are results already" in refused.err) == (2, True)
    both = synthgen("classifier-eval", manifest, "--out", "report", "--freeze", "--rescore")
    assert both.code == 2


def test_a_report_without_results_follows_other_real_images(
    synthgen: Callable[..., Any], pictures: ModuleType, here: Path
) -> None:
    """A manifest that reads them otherwise has them indexed anew; what is trained asks for another --out."""
    manifest = pictures.write_manifest(here / "study.yaml", **QUICK)
    assert synthgen("classifier-eval", manifest, "--out", "report", "--freeze").code == 0
    manifest.write_text(manifest.read_text().replace("seed: ", "seed: 9", 1))
    (here / "report/analysis-plan.json").unlink()
    assert synthgen("classifier-eval", manifest, "--out", "report", "--workers", 1).code == 0
    manifest.write_text(manifest.read_text().replace("seed: ", "seed: 9", 1))
    refused = synthgen("classifier-eval", manifest, "--out", "report", "--workers", 1)
    assert (refused.code, "use another --out" in refused.err) == (2, True)


def test_the_card_of_a_dataset_takes_what_the_study_found(
    synthgen: Callable[..., Any], pictures: ModuleType, here: Path, run: Path, dataset: Path
) -> None:
    """`pack --report` fills the card in place; the dataset stays whole, and a second time changes nothing."""
    synthgen(
        "classifier-eval", pictures.write_manifest(here / "study.yaml", **QUICK), "--out", "report", "--workers", 1
    )
    assert synthgen("pack", run, "--out", dataset, "--report", "report").code == 0
    card = (dataset / "README.md").read_bytes()
    assert b"12 classifiers" not in card
    assert b"4 classifiers were trained" in card
    assert b"Not measured" not in card
    assert all(finding.state == "whole" for finding in verify.verify(dataset, EXTENSIONS))
    assert synthgen("pack", run, "--out", dataset, "--report", "report").code == 0
    assert (dataset / "README.md").read_bytes() == card


def test_a_whole_study_ends_with_its_findings_in_the_card(
    synthgen: Callable[..., Any], pictures: ModuleType, here: Path
) -> None:
    """`run` generates, packs, evaluates what was packed, and fills the card in; the dataset is whole afterwards."""
    manifest = pictures.write_manifest(here / "study.yaml", **QUICK)
    said = synthgen("run", manifest, "--out", "whole")
    assert (said.code, "whole/report" in said.out) == (0, True)
    assert b"4 classifiers were trained" in (here / "whole/dataset/README.md").read_bytes()
    assert all(finding.state == "whole" for finding in verify.verify(here / "whole/dataset", EXTENSIONS))
    card = (here / "whole/dataset/README.md").read_bytes()
    again = synthgen("run", manifest, "--out", "whole")
    assert (again.code, "training:" in again.err) == (0, False)
    assert (here / "whole/dataset/README.md").read_bytes() == card


def edited(table: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of a metadata table, its header left."""
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *change(rows)]) + "\n")


BAD: list[tuple[str, Callable[[list[str]], list[str]], dict[str, Any], str]] = [
    (
        "a label without real images",
        lambda rows: [row for row in rows if ",nevus," not in row],
        {},
        "real: label `nevus` has no usable image; add some, or take it out of `labels`",
    ),
    (
        "fewer images than n",
        lambda rows: rows,
        {"n_real": [2, 9]},
        "real: label `acne` has 4 training images, fewer than n_real 9; add images, or take n above 4 out of",
    ),
    (
        "no test image of a label",
        lambda rows: [row for row in rows if not row.startswith("acne") or not row.endswith("test")],
        {},
        "real: label `acne` has no test image; see real.splits, or add images",
    ),
    (
        "fewer synthetic images than asked",
        lambda rows: rows,
        {"ratios": [3]},
        "evaluate.ratios: entry `text` has 4 images of `acne` that seed 0 may train on (generator_pool: n), "
        "n_real 2 at ratio 3 needs 6; make more, or take larger ratios out",
    ),
    (
        "a backbone that is not there",
        lambda rows: rows,
        {"learner": {"backbone": "./no-such-folder"}},
        "./no-such-folder: no such folder, and no Hub id (org/name)",
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=[one[0] for one in BAD])
def test_what_can_not_be_studied_is_refused_before_any_training(
    refused: Callable[..., list[str]], pictures: ModuleType, here: Path, bad: Any
) -> None:
    """One line says where and what to do, and nothing is trained."""
    _, change, settings, fault = bad
    edited(here / "real/metadata.csv", change)
    manifest = pictures.write_manifest(here / "study.yaml", **(QUICK | settings))
    faults = refused("classifier-eval", manifest, "--out", "report", "-q")
    assert any(line.startswith(fault) for line in faults), faults
    assert not (here / "report/trials").exists()


def test_a_group_on_both_sides_is_refused(refused: Callable[..., list[str]], pictures: ModuleType, here: Path) -> None:
    """A patient in training and in test makes the test worth nothing."""
    table = here / "real/metadata.csv"
    header, *rows = table.read_text().splitlines()
    groups = ["shared" if name in (0, len(rows) - 1) else f"p{name}" for name in range(len(rows))]
    table.write_text("\n".join([f"{header},patient", *(f"{a},{b}" for a, b in zip(rows, groups, strict=True))]) + "\n")
    manifest = pictures.write_manifest(here / "study.yaml", **QUICK)
    text = manifest.read_text().replace("split: split", "split: split\n    group: patient")
    manifest.write_text(text)
    [fault] = refused("classifier-eval", manifest, "--out", "report", "-q")
    assert fault == "real: group `shared` is in train and test; put all images of a group in one split"


def test_a_tone_column_that_is_not_there_is_refused(
    refused: Callable[..., list[str]], pictures: ModuleType, here: Path
) -> None:
    """A column that the manifest names has to be in the table."""
    manifest = pictures.write_manifest(here / "study.yaml", **QUICK)
    manifest.write_text(manifest.read_text().replace("split: split", "split: split\n    skin_tone: fitzpatrick"))
    [fault] = refused("classifier-eval", manifest, "--out", "report", "-q")
    assert fault.startswith("real.columns.skin_tone: ")


def test_a_manifest_without_a_study_is_refused(
    refused: Callable[..., list[str]], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """The line says what is missing."""
    [fault] = refused("classifier-eval", write_manifest(), "--out", tmp_path / "report")
    assert fault.startswith("evaluate: missing;")


def test_a_run_that_is_not_there_is_refused(
    refused: Callable[..., list[str]], pictures: ModuleType, here: Path
) -> None:
    """The line says where it was looked for."""
    shutil.rmtree(here / "runs")
    [fault] = refused("classifier-eval", pictures.write_manifest(here / "study.yaml", **QUICK), "--out", "r/report")
    assert fault.startswith("evaluate.synthetic: no run or dataset of `study` in ")


def test_there_is_nothing_to_rescore(synthgen: Callable[..., Any], pictures: ModuleType, here: Path) -> None:
    """A folder without predictions is damage, said in one line."""
    manifest = pictures.write_manifest(here / "study.yaml", **QUICK)
    said = synthgen("classifier-eval", manifest, "--out", "report", "--rescore")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "there is none to score again" in said.err
