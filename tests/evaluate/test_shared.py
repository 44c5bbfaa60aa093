"""A report is given away under pseudonyms: anybody scores it again, and nobody is named in it."""

import csv
import re
import stat
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet
import pytest

from synthgen.errors import DamagedError, InputError
from synthgen.evaluate.analysis import frozen_plan
from synthgen.evaluate.analysis.frozen_plan import AnalysisPlan
from synthgen.evaluate.analysis.predictions import ArmKey, Predictions
from synthgen.evaluate.report import write
from synthgen.evaluate.shared import share
from synthgen.plan import manifest as manifests
from synthgen.plan.manifest import Manifest
from synthgen.plan.manifest.evaluate import Strategy

CELLS = {
    ArmKey("real", Strategy(), 8, 0): 0.5,
    ArmKey("real+synthetic", Strategy("text"), 8, 1): 0.6,
    ArmKey("real+synthetic", Strategy("text"), 8, 10): 0.65,
}


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw none, which takes most of a report's time and shows labels and arms alone."""
    monkeypatch.setattr(write.plots, "all_plots", lambda _: [])
    monkeypatch.setattr(write.plots, "primary", lambda _: None)


@pytest.fixture
def study(drawn: ModuleType, extensions: Any, tmp_path: Path) -> Manifest:
    """The manifest of the report."""
    path = drawn.write_manifest(tmp_path / "study.yaml", arms=["real", "real+synthetic"], ratios=[1, 10], n_real=[8])
    return manifests.read(path, extensions)


@pytest.fixture
def report(simulated: ModuleType, study: Manifest, tmp_path: Path) -> Path:
    """A report whose test images are named after patients, two of each."""
    known: Predictions = simulated.study(CELLS, seeds=3, images=60, about={"name": study.document.name})
    labels = tuple(study.document.labels)
    named = replace(
        known,
        study=replace(known.study, labels=labels),
        images=tuple(f"MRN-{4711 + 3 * one // 2}-{one}" for one in range(60)),
        groups=tuple(f"Patient {4711 + 3 * one // 2}" for one in range(60)),
    )
    write.write(named, tmp_path / "report")
    return tmp_path / "report"


def rows(path: Path, *columns: str) -> list[list[str]]:
    """Some columns of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [[row[one] for one in columns] for row in csv.DictReader(file)]


def test_nobody_is_named(report: Path, study: Manifest, tmp_path: Path) -> None:
    """No name of an image or a patient is in a file that is given away, nor in a column or the order of its table."""
    shared = share(report, tmp_path / "given", study)
    files = [path for path in shared.rglob("*") if path.is_file() and path.name != ".lock"]
    assert {"predictions.parquet", "report.md", "comparisons.csv"} <= {path.name for path in files}
    assert not [path for path in files if re.search(rb"MRN-|Patient |47\d\d-\d", path.read_bytes())]
    table = pyarrow.parquet.read_table(shared / "predictions.parquet")
    assert all(re.fullmatch("source-[0-9a-f]{16}", name) for name in table.column("image").to_pylist())
    assert all(re.fullmatch("group-[0-9a-f]{16}", name) for name in table.column("group").to_pylist())
    assert not (shared / ".pseudonyms").exists()
    assert stat.S_IMODE((report / ".pseudonyms").stat().st_mode) == 0o600
    held, given = (Predictions.read(path / write.FILE) for path in (report, shared))
    name_of = {one.tobytes(): name for one, name in zip(held.probabilities.swapaxes(0, 1), held.groups, strict=True)}
    behind = [name_of[one.tobytes()] for one in given.probabilities.swapaxes(0, 1)]
    assert list(given.images) == sorted(given.images)
    assert behind != sorted(behind)
    assert len(set(zip(behind, given.groups, strict=True))) == len(set(held.groups)) == len(set(given.groups))


def test_whoever_scores_it_again_finds_the_same(report: Path, study: Manifest, tmp_path: Path) -> None:
    """Its report follows from its predictions to the byte, and its figures are those of the report that it is of."""
    shared = share(report, tmp_path / "given", study)
    trial = ("arm", "ratio", "seed", "top1", "top3", "macro_f1", "macro_auroc")
    assert rows(shared / "results.csv", *trial) == rows(report / "results.csv", *trial)
    pair = ("arm", "ratio", "against", "metric", "subset", "difference")
    assert rows(shared / "comparisons.csv", *pair) == rows(report / "comparisons.csv", *pair)
    before = {path: path.read_bytes() for path in shared.rglob("*") if path.is_file()}
    write.rescore(shared)
    assert {path: path.read_bytes() for path in shared.rglob("*") if path.is_file()} == before
    share(report, shared, study)
    assert {path: path.read_bytes() for path in shared.rglob("*") if path.is_file()} == before


def test_it_says_whether_a_frozen_plan_was_followed(report: Path, study: Manifest, tmp_path: Path) -> None:
    """The plan itself hashes names, so it stays; what it came to is kept."""
    held = Predictions.read(report / write.FILE)
    trials = [(one.key, one.arm, one.seed) for one in held.trials]
    plan = AnalysisPlan.of(held.study, trials, held.images)
    (report / write.FILE).rename(tmp_path / "aside")
    frozen_plan.freeze(report, plan)
    (tmp_path / "aside").rename(report / write.FILE)
    write.rescore(report)
    shared = share(report, tmp_path / "given", study)
    said = f"This study follows the analysis plan that was frozen before its results: sha256 {plan.digest}."
    assert said in (shared / "report.md").read_text()
    assert said in (report / "report.md").read_text()
    assert not (shared / frozen_plan.FILE).exists()


def test_a_folder_that_could_name_somebody_is_refused(report: Path, study: Manifest, tmp_path: Path) -> None:
    """The report's own folder, one with a file that names images, and one of something else; nothing is written."""
    with pytest.raises(InputError, match="is the report itself"):
        share(report, report, study)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/near-copies.json").write_text("{}")
    with pytest.raises(InputError, match=r"near-copies\.json"):
        share(report, tmp_path / "other", study)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not a report"):
        share(report, tmp_path / "notes", study)
    (report / write.FILE).unlink()
    with pytest.raises(DamagedError, match="none to share"):
        share(report, tmp_path / "given", study)
    assert not (tmp_path / "given").exists()
