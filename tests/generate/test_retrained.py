"""One adapter of an entry that has one a label is trained anew; the images of the others stay."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen import finetune, generate
from synthgen.core import adapter_folder
from synthgen.errors import UnavailableError
from synthgen.extensions import EXTENSIONS
from synthgen.pack import pack
from synthgen.plan import Plan
from synthgen.runs import load_plan, run_folder
from synthgen.runs.folders import Run
from synthgen.vision.images import codec

MakePlan = Callable[..., Plan]
LESS = {"ids": ["psoriasis-0"]}
SIZE = {"height": 16, "width": 16}
TUNED = {"name": "tuned", "strategy": "fake", "per_cell": 2, "adapter": "lora-{label}", "settings": SIZE}
CHANGES: dict[str, Any] = {
    "finetune": [{"name": "lora-{label}", "method": "lora", "settings": {"max_train_steps": 1}}],
    "generate": [TUNED],
    "skin_tones": {"scale": "fitzpatrick", "values": [3]},
    "output": {"image_format": "png", "shard_samples": 2},
}


@pytest.fixture
def plan_of(write_manifest: Callable[..., Path], tmp_path: Path) -> MakePlan:
    """Plans a study of two photographs of each of two labels, with an adapter for each label."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    names = [(label, f"{label}-{number}.png") for label in ("healthy", "psoriasis") for number in range(2)]
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "label", "fitzpatrick"])
        for shade, (label, name) in enumerate(names):
            pixels = np.full((16, 16, 3), 40 * shade, np.uint8)
            (folder / name).write_bytes(codec.encode(pixels, codec.Encoding("png")))
            rows.writerow([name, label, "3"])

    def plan(exclude: dict[str, Any] | None = None, **changes: Any) -> Plan:
        real = {"source": "folder", "path": "photographs", "splits": {"train": 1}}
        labels = {"healthy": "healthy skin", "psoriasis": "psoriasis"}
        real |= {"exclude": exclude} if exclude else {}
        path = write_manifest(**{"real": real, "labels": labels} | CHANGES | changes)
        return load_plan.read(path, EXTENSIONS, tmp_path / "run")

    return plan


def train(plan: Plan, root: Path) -> list[str]:
    """Put the adapters that a run lacks into it as if they had been trained, by their facts alone."""
    job = finetune.prepare(plan, root, EXTENSIONS, accept_changes=True)
    for one in job.todo:
        folder = root / adapter_folder.FOLDER / one.adapter.name
        folder.mkdir(parents=True)
        (folder / adapter_folder.LORA).write_bytes(f"weights of {one.adapter}".encode())
        pool = {"ids": [source.id for source in one.pool]}
        adapter_folder.write(
            folder, {"name": one.adapter.name, "digest": one.adapter.digest, "pool": pool, "words": {}}
        )
    return [one.adapter.name for one in job.todo]


def make(plan: Plan, root: Path) -> int:
    """Make what a run lacks of a plan; returns how many images that were."""
    receipts = generate.generate(generate.prepare(plan, root, extensions=EXTENSIONS, accept_changes=True))
    return sum(receipt.count for receipt in receipts)


@pytest.fixture
def retrained(plan_of: MakePlan, tmp_path: Path) -> Path:
    """A run whose adapter of one label was trained anew, and whose images were made again."""
    root = tmp_path / "run"
    assert len(train(plan_of(), root)) == 2
    assert make(plan_of(), root) == 4
    assert train(plan_of(LESS), root) == ["lora-psoriasis"]
    assert make(plan_of(LESS), root) == 2
    return root


def weights(plan: Plan, root: Path, entry: str = "tuned") -> dict[str, str]:
    """The sha256 of the weights that an entry is planned with, as they lie there."""
    return run_folder.weights_of(plan.entries[entry], root)


def pinned(root: Path, entry: str = "tuned") -> dict[str, str]:
    """The sha256 of the weights that a run pins for an entry."""
    environment = run_folder.pinned(root, entry)
    return environment.adapters if environment else {}


def test_an_adapter_that_was_trained_anew_is_pinned(retrained: Path, plan_of: MakePlan) -> None:
    """Its weights are those of its first image from then on; others are refused by name."""
    found = weights(plan_of(LESS), retrained)
    assert pinned(retrained) == found
    environment = run_folder.pinned(retrained, "tuned")
    assert environment is not None
    [anew] = [name for name in found if name.startswith("lora-psoriasis@")]
    with pytest.raises(UnavailableError, match=f"adapter {anew} is not the one"):
        run_folder.pin(retrained, "tuned", replace(environment, adapters=found | {anew: "0" * 64}))


def test_a_dataset_says_the_weights_of_every_adapter_that_its_images_have(
    retrained: Path, plan_of: MakePlan, tmp_path: Path
) -> None:
    """Receipts from before name an adapter that is gone: it is in no dataset, and the one that came is."""
    list(pack(Run(retrained, EXTENSIONS), tmp_path / "dataset"))
    provenance = json.loads((tmp_path / "dataset" / "provenance.json").read_bytes())
    found = weights(plan_of(LESS), retrained)
    assert {name: one["weights_sha256"] for name, one in provenance["adapters"].items()} == found
    assert provenance["environments"]["tuned"]["adapters"] == found


@pytest.mark.parametrize("between", [{"generate": [TUNED | {"name": "other"}]}, {}], ids=["taken out", "changed"])
def test_images_that_count_again_bring_the_adapters_of_the_plan_along(
    between: dict[str, Any], retrained: Path, plan_of: MakePlan
) -> None:
    """A run that goes back to an entry pins its adapters alone, and goes on with what it lacks."""
    changed = plan_of(**between) if between else plan_of()
    train(changed, retrained)
    make(changed, retrained)
    again = plan_of(LESS, generate=[TUNED | {"per_cell": 3}])
    train(again, retrained)
    assert run_folder.reserve(retrained, again, EXTENSIONS, accept_changes=True).samples == 6
    assert pinned(retrained) == weights(again, retrained)
    assert make(again, retrained) == 2
    assert pinned(retrained) == weights(again, retrained)
