"""What the tests of fine-tuning share: a tiny model tuned by every method, and a way to tune it again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen import finetune
from synthgen.errors import StoppedError
from synthgen.extensions import EXTENSIONS
from synthgen.finetune import sample_grid
from synthgen.plan import Plan
from synthgen.runs import load_plan

FEW = {"max_train_steps": 4, "train_batch_size": 2, "variants": 2, "num_validation_images": 2, "learning_rate": 0.01}
METHODS: list[dict[str, Any]] = [
    {"name": "lora-{label}", "method": "lora", "settings": FEW | {"rank": 2, "lora_alpha": 4.0, "use_ema": True}},
    {"name": "full", "method": "full", "settings": FEW | {"snr_gamma": 5.0, "gradient_accumulation_steps": 2}},
    {"name": "word", "method": "textual-inversion", "settings": FEW | {"num_vectors": 2}},
]


@pytest.fixture(scope="session", autouse=True)
def _sketchy_grids() -> Iterator[None]:
    """Draw sample grids and prior images in a few steps; what they show of a random model is noise in any case."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_grid, "NUM_INFERENCE_STEPS", 3)
        yield


@pytest.fixture(scope="session")
def tune(tiny_model: Callable[[str], Path]) -> Callable[..., tuple[Plan, list[Any]]]:
    """Tunes a tiny model in a folder; returns the plan and what was yielded. ``stop_after`` steps, a signal comes."""

    def run(
        root: Path,
        family: str,
        *entries: dict[str, Any],
        stop_after: int | None = None,
        train: float = 1.0,
        accept_changes: bool = False,
        workers: int | None = None,
    ) -> tuple[Plan, list[Any]]:
        splits = {"train": train} | ({"validation": 1 - train} if train < 1 else {})
        document = {
            "name": "tiny", "seed": 3, "model": str(tiny_model(family)), "prompts": "sagers2023",
            "labels": {"melanoma": "melanoma", "vitiligo": "vitiligo"},
            "skin_tones": {"scale": "fitzpatrick", "values": [1, 6]},
            "real": {"source": "phantom", "count": 36, "splits": splits},
            "finetune": [{"generator_pool": {"n": 3}, **entry} for entry in entries],
            "generate": [{"strategy": "fake", "per_cell": 1}],
        }  # fmt: skip
        path = root.with_suffix(".yaml")
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        plan = load_plan.read(path, EXTENSIONS, root)
        asked = iter(range(10**6))
        found = finetune.finetune(
            finetune.prepare(plan, root, accept_changes=accept_changes),
            "cpu",
            workers=workers,
            stop=lambda: stop_after is not None and next(asked) >= stop_after,
        )
        return plan, list(_until_stopped(found))

    return run


def _until_stopped(found: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from found
    except StoppedError as error:
        yield error


@pytest.fixture(scope="session")
def tuned(tune: Callable[..., tuple[Plan, list[Any]]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which Stable Diffusion is tuned by every method; nobody changes it."""
    root = tmp_path_factory.mktemp("tuned") / "run"
    tune(root, "sd", *METHODS)
    return root
