"""What is seen of a training on its way changes none of its weights, and is there however often it was stopped."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from synthgen.errors import StoppedError, UnavailableError
from synthgen.finetune import on_the_way
from synthgen.finetune.methods import lora

pytestmark = pytest.mark.slow

FEW = {"max_train_steps": 4, "train_batch_size": 2, "variants": 2, "num_validation_images": 2, "learning_rate": 0.01}
LORA = {"rank": 2, "lora_alpha": 4.0, "use_ema": True}


def entry(name: str = "lora-{label}", **settings: Any) -> dict[str, Any]:
    """An entry of `finetune`."""
    return {"name": name, "method": "lora", "settings": FEW | LORA | settings}


def curve(folder: Path) -> list[tuple[int, float]]:
    """The losses of held-out images, by step."""
    with (folder / "held_out_losses.csv").open() as file:
        return [(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]


def test_looking_changes_no_weight(tune: Callable[..., Any], tuned: Path, tmp_path: Path) -> None:
    """The adapter is the one that nobody looked at, by its digest and to the byte; each look has its grid."""
    tune(tmp_path / "run", "sd", entry(validation_steps=2))
    folder, other = tmp_path / "run/adapters/lora-melanoma", tuned / "adapters/lora-melanoma"
    for path in other.glob("*.safetensors"):
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert (folder / "losses.csv").read_bytes() == (other / "losses.csv").read_bytes()
    assert {path.name for path in (folder / "samples").iterdir()} == {"000000.png", "000002.png"}
    with Image.open(folder / "samples/000002.png") as grid, Image.open(folder / "samples.png") as whole:
        assert (grid.width, grid.height * 3) == (whole.width, whole.height * 2)
    assert not (folder / "held_out_losses.csv").exists()  # the splits have no validation images
    assert not list((tmp_path / "run/adapters").glob(".*"))


def test_the_loss_of_held_out_images_is_kept(tune: Callable[..., Any], tmp_path: Path) -> None:
    """Before the first step, on the way and at the end, of the same images and noise, also where it was stopped."""
    asked = entry("lora", validation_steps=1, num_validation_images=0)
    _, said = tune(tmp_path / "run", "sd", asked, train=0.6, stop_after=2)
    assert isinstance(said[-1], StoppedError)
    tune(tmp_path / "run", "sd", asked, train=0.6)
    found = curve(tmp_path / "run/adapters/lora")
    assert [step for step, _ in found] == [0, 1, 2, 3, 4]
    assert len({loss for _, loss in found}) > 1


def test_what_is_seen_names_no_adapter() -> None:
    """The settings are in nothing that a digest is of."""
    asked = lora.Settings.model_validate({"validation_steps": 5, "report_to": "tensorboard"})
    assert asked.model_dump() == lora.Settings().model_dump()


def test_a_report_that_nothing_can_keep_is_refused(
    tune: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is trained, with what to install."""
    monkeypatch.setattr("accelerate.utils.is_tensorboard_available", lambda: False)
    with pytest.raises(UnavailableError, match="TensorBoard is not installed; pip install tensorboard"):
        tune(tmp_path / "run", "sd", entry(report_to="tensorboard"))


def test_losses_and_grids_go_to_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By accelerate's tracker, under the steps that they are of."""
    import numpy as np

    told: list[tuple[Any, ...]] = []

    class Tracker:
        def __init__(self, name: str, folder: str) -> None:
            told.append((name, folder))
            self.writer = self

        def log(self, values: dict[str, float], step: int) -> None:
            told.append((values, step))

        def add_images(self, name: str, images: Any, step: int, dataformats: str) -> None:
            told.append((name, images.shape, step, dataformats))

        def finish(self) -> None:
            told.append(("finished",))

    monkeypatch.setattr("accelerate.tracking.TensorBoardTracker", Tracker)
    (tmp_path / ".lora").mkdir()
    (tmp_path / "done").mkdir()
    seen = on_the_way.OnTheWay(tmp_path / ".lora", lora.Settings(report_to="tensorboard"), "lora")
    seen.report(5, [0.5, 0.25])
    seen.draw(5, [np.zeros((8, 8, 3), np.uint8)], [np.zeros((8, 8, 3), np.uint8)])
    seen.write(tmp_path / "done")
    assert told == [
        ("lora", str(tmp_path / on_the_way.LOGS)),
        ({"loss": 0.5}, 4),
        ({"loss": 0.25}, 5),
        ("samples", (1, 8, 8, 3), 5, "NHWC"),
        ("finished",),
    ]
    assert (tmp_path / "done/samples/000005.png").is_file()
