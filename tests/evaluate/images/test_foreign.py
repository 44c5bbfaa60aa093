"""Synthetic images that were made elsewhere are studied as a run's are, as far as their columns tell."""

from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from synthgen import evaluate
from synthgen.errors import ManifestError
from synthgen.evaluate.analysis.predictions import Predictions
from synthgen.evaluate.design.leakage import CHILD, COPY
from synthgen.evaluate.report import write
from synthgen.plan import manifest as manifests
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.vision.features import user_cache

BLOCK = {
    "name": "others",
    "source": "folder",
    "path": "others",
    "metadata": "all.csv",
    "columns": {"image": "file", "label": "said", "skin_tone": "tone", "group": "made_from"},
}
QUICK: dict[str, Any] = {
    "arms": ["real", "real+synthetic"],
    "n_real": [2],
    "ratios": [1],
    "seeds": 1,
    "generator_pool": "n",
    "source_pool": "all",
    "learner": {"optimizer_steps": 5},
}


@pytest.fixture(autouse=True)
def _own_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep features where the test does."""
    monkeypatch.setattr(user_cache, "folder", lambda: tmp_path / "features")
    monkeypatch.setattr(write.plots, "all_plots", lambda _: [])
    monkeypatch.setattr(write.plots, "primary", lambda _: None)


@pytest.fixture
def here(drawn: ModuleType, tmp_path: Path) -> Path:
    """Real images, and others: from nothing, from a training image, from a test image, and a copy of one."""
    drawn.write_real(tmp_path / "real", each=4, held=3)
    (tmp_path / "others").mkdir()
    lines = ["file,said,tone,made_from"]
    for label in drawn.LABELS:
        for number in range(5):
            name = f"{label} {number}.png"
            (tmp_path / "others" / name).write_bytes(drawn.png(drawn.picture(label, 500 + number)))
            parent = ("", "", "", f"{label}-001", f"{label}-008")[number]  # the last is a test image
            lines.append(f"{name},{label},{number + 1},{parent}")
        (tmp_path / "others" / f"{label}.png").write_bytes(drawn.png(drawn.picture(label, 9)))
        lines.append(f"{label}.png,{label},,")
    (tmp_path / "others/all.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_folder_with_columns_is_studied(drawn: ModuleType, extensions: Any, here: Path) -> None:
    """Labels, tones and parents come from columns; children and copies of test images train nothing; it is trained."""
    path = drawn.write_manifest(here / "study.yaml", synthetic=BLOCK, **QUICK)
    job = evaluate.prepare(manifests.read(path, extensions), here / "report", extensions)
    assert job.design.excluded[CHILD] == 3
    assert job.design.excluded[COPY] == 3
    (added,) = [one for one in job.design.trials if one.arm == "real+synthetic"]
    assert (added.strategy, len(added.synthetic)) == (Strategy("others"), 6)
    assert all(key.startswith("others-") for key in added.synthetic)
    bold = " ".join(note.text for note in job.notes if note.serious)
    assert "generator_pool: all is assumed of `others`" in bold
    list(evaluate.evaluate(job, workers=1))
    arms = Counter(one.arm for one in Predictions.read(here / "report/predictions.parquet").trials)
    assert arms == {"real": 1, "real+synthetic": 1}
    again = evaluate.prepare(manifests.read(path, extensions), here / "report", extensions)
    assert evaluate.finished(again) == len(again.names)


@pytest.mark.parametrize(("saw", "images"), [("none", 6), ({"others": "train"}, None)])
def test_what_their_generator_saw_can_be_said(
    drawn: ModuleType, extensions: Any, here: Path, saw: Any, images: int | None
) -> None:
    """Nothing, and nothing is in bold; the training images, and a trial of some of them may have none."""
    path = drawn.write_manifest(here / "study.yaml", synthetic=BLOCK, model_saw=saw, **QUICK)
    read = manifests.read(path, extensions)
    if images is None:
        with pytest.raises(Exception, match="no image of entry `others` may train any trial"):
            evaluate.prepare(read, here / "report", extensions)
        return
    job = evaluate.prepare(read, here / "report", extensions)
    assert not any("assumed" in note.text for note in job.notes)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"source": "foldr"}, "evaluate.synthetic.source: no source `foldr`; did you mean `folder`?"),
        ({"name": "The Others"}, "evaluate.synthetic.name: `The Others` can't name a way of making images"),
        ({"paths": "x"}, "evaluate.synthetic.paths: unknown key"),
        ({"labels": {"akne": "akne"}}, "evaluate.synthetic.labels.akne: no label `akne` in `labels`"),
    ],
)
def test_a_fault_of_the_block_says_where(
    drawn: ModuleType, extensions: Any, tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    """One line each, by the key that is wrong."""
    path = drawn.write_manifest(tmp_path / "study.yaml", synthetic=BLOCK | change, **QUICK)
    with pytest.raises(ManifestError) as caught:
        manifests.read(path, extensions)
    assert [str(one).startswith(fault) for one in caught.value.faults] == [True]
