"""Several processes train an adapter each, and each adapter is the one that a single process makes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.core import adapter_folder
from synthgen.errors import InputError
from synthgen.finetune import Trained

FEW = {"max_train_steps": 4, "train_batch_size": 2, "variants": 2, "num_validation_images": 2, "learning_rate": 0.01}
LORA = {"name": "lora-{label}", "method": "lora", "settings": FEW | {"rank": 2, "lora_alpha": 4.0, "use_ema": True}}


@pytest.mark.slow
def test_two_processes_make_the_weights_of_one(tune: Callable[..., Any], tuned: Path, tmp_path: Path) -> None:
    """Each adapter comes once, and its weights are those of a process that trained them one after another."""
    _, said = tune(tmp_path / "run", "sd", LORA, workers=2)
    names = ["lora-melanoma", "lora-vitiligo"]
    assert sorted(one.adapter for one in said if isinstance(one, Trained)) == names
    for name in names:
        made, alone = (root / adapter_folder.FOLDER / name for root in (tmp_path / "run", tuned))
        files = sorted(path.relative_to(alone) for path in alone.rglob("*.safetensors"))
        assert files
        assert [(made / path).read_bytes() for path in files] == [(alone / path).read_bytes() for path in files]


def test_workers_of_launched_processes_are_refused(
    tune: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both share out the same devices, each in its own way."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="--workers: `accelerate launch`"):
        tune(tmp_path / "run", "sd", LORA, workers=2)
