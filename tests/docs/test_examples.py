"""The examples run as they are on a packed quickstart, smaller and sketchier than the one that ships."""

import gc
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest
import yaml
from datasets import Dataset, DatasetDict

from synthgen import study
from synthgen.core import resources

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart with 2 images a cell in 2 steps, packed."""
    folder = tmp_path_factory.mktemp("quickstart")
    document = yaml.safe_load(resources.find("manifests", "quickstart").read_text(encoding="utf-8"))
    document["generate"][0] |= {"per_cell": 2}
    document["generate"][0]["settings"] |= {"num_inference_steps": 2}
    path = folder / "quickstart.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    study.run(path, folder / "run").result()
    return folder / "run" / "dataset"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """Runs an example as Python runs a script; returns what it printed."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    def run(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        capsys.readouterr()
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_a_classifier_trains_from_it(dataset: Path, example: Callable[..., str]) -> None:
    """`train_classifier.py` trains, and says its accuracy on held-out images after each epoch."""
    said = example("train_classifier.py", str(dataset), "--epochs", "2")
    assert [line.split(":")[0] for line in said.splitlines()] == ["epoch 1", "epoch 2"]
    assert all(0 <= float(line.rpartition("accuracy ")[2]) <= 1 for line in said.splitlines())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset leaves tars to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_its_tars_stream(dataset: Path, example: Callable[..., str]) -> None:
    """`stream_webdataset.py` sees every image once."""
    said = example("stream_webdataset.py", str(dataset))
    gc.collect()  # so that no other test is told of it
    assert said.startswith("96 images")
    assert "'psoriasis': 12" in said
    assert "'VI': 16" in said


@pytest.mark.slow
@pytest.mark.parametrize(("package", "name"), [("timm", "train_timm.py"), ("lightning", "train_lightning.py")])
def test_other_libraries_train_from_it(package: str, name: str, dataset: Path, tmp_path: Path) -> None:
    """Each trains where its library is installed, and says its accuracy on held-out images."""
    pytest.importorskip(package)
    said = example(name, str(dataset), "--epochs", "1", cache=tmp_path)
    assert 0 <= float(said.split("accuracy ")[1].split()[0]) <= 1


@pytest.mark.parametrize("name", ["train_timm.py", "train_lightning.py"])
def test_every_example_holds_out_the_same(name: str) -> None:
    """The splits and groups of `train_classifier.py`: it is imported, not written again."""
    text = (ROOT / "examples" / name).read_text(encoding="utf-8")
    assert "from train_classifier import parts" in text
    assert "parts(" in text.partition("from train_classifier import parts")[2]


def test_the_classifier_fits_on_a_page() -> None:
    """At most 72 lines are between a user and a trained classifier."""
    assert len((ROOT / "examples" / "train_classifier.py").read_text(encoding="utf-8").splitlines()) <= 72


@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
def test_the_classifier_is_tested_on_other_groups(layout: str) -> None:
    """The dataset's test split where it has one; else no patient, photograph or chain of images is on both sides."""
    parts = runpy.run_path(str(ROOT / "examples" / "train_classifier.py"))["parts"]
    records = [
        {"key": f"{entry}-{number}", "entry": entry, "source_id": f"s{number}" if number < 20 else "",
         "source_group": f"p{number // 2}" if number < 10 else ""}
        for number in range(40) for entry in ("first", "second")
    ]  # fmt: skip
    columns = {name: [one[name] for one in records] for name in records[0]} | {"image": [0] * len(records)}
    whole = Dataset.from_dict({"json": records} if layout == "webdataset" else columns)
    train, test = parts(DatasetDict({"train": whole}))
    sides = [side["json"] if layout == "webdataset" else side.to_list() for side in (train, test)]
    groups = [{one["source_group"] or one["source_id"] or one["key"].split("-")[1] for one in side} for side in sides]
    assert groups[0].isdisjoint(groups[1])
    assert len(train) + len(test) == 80
    assert len(test) >= 8
    assert parts(DatasetDict({"train": whole, "test": test}))[1] is test
