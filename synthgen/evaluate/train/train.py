"""Trains one classifier of a study from rows of its images, by features or by pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core.processes import one_thread
from synthgen.evaluate.train.results_store import Units
from synthgen.plan.manifest.evaluate import Share
from synthgen.plan.manifest.learner import SMALL, Learner
from synthgen.vision.classifiers import Finetune, Learned, Probe, batches, finetune, probe

if TYPE_CHECKING:
    from synthgen.core.types import Rows

_WHOLE, _HEAD = 1e-4, 2e-3  # learning rates of a checkpoint as a whole, and of its head or a network from nothing


@dataclass(frozen=True)
class Setup:
    """What all trainings of a study have in common.

    Attributes:
        learner: What learns.
        network: The backbone's name, or its folder.
        mix: How real and synthetic images meet in batches.
        labels: The class of every row, shape (rows,).
        held: The rows of validation and test images.
        classes: How many classes there are.
        inputs: The ``.npy`` of features or pixels by row.
        folder: Where answers are kept.
        device: torch's device for training from pixels.
    """

    learner: Learner
    network: str
    mix: str | Share
    labels: Rows
    held: Mapping[str, Rows]
    classes: int
    inputs: Path
    folder: Path
    device: str = "cpu"

    @cached_property
    def units(self) -> Units:
        """The ledger of answers."""
        return Units(self.folder, {split: (len(rows), self.classes) for split, rows in self.held.items()})

    def rows(self) -> Any:
        """Features or pixels by row, mapped from disk: processes share them, and they need not fit in memory."""
        import numpy as np

        return np.asarray(np.load(self.inputs, mmap_mode="r", allow_pickle=False))


@dataclass(frozen=True)
class Unit:
    """One classifier to train.

    Attributes:
        name: Names its answers, and seeds all that is random in it.
        real: Rows of real images, each as often as it counts.
        synthetic: Rows of synthetic images.
        steps: The optimizer-step budget.
        augmented: Whether pixels are augmented as they are trained on.
    """

    name: str
    real: Rows
    synthetic: Rows
    steps: int
    augmented: bool


def train(setup: Setup, unit: Unit) -> Learned:
    """Train one classifier in one thread, so that its answers depend on nothing that runs beside it."""
    import numpy as np

    seed = int(unit.name[:15], 16)
    drawn = batches(
        np.random.default_rng(seed),
        unit.real,
        unit.synthetic,
        setup.labels,
        batch_size=setup.learner.batch_size,
        mix=setup.mix.share if isinstance(setup.mix, Share) else setup.mix,  # type: ignore[arg-type]
        steps=unit.steps,
    )
    given: dict[str, Any] = {**setup.held, "classes": setup.classes}
    with one_thread():
        if setup.learner.kind == "probe":
            return probe(setup.rows(), setup.labels, drawn, settings=probe_settings(setup.learner, unit.steps), **given)
        settings = finetune_settings(setup, unit)
        return finetune(setup.rows(), setup.labels, drawn, settings=settings, seed=seed, **given)


def probe_settings(learner: Learner, steps: int) -> Probe:
    """How a probe is trained."""
    return Probe(steps, learner.learning_rate) if learner.learning_rate else Probe(steps)


def finetune_settings(setup: Setup, unit: Unit) -> Finetune:
    """How a network is trained from pixels."""
    learner = setup.learner
    rate = _HEAD if learner.frozen or setup.network == SMALL else _WHOLE
    return Finetune(
        unit.steps,
        backbone=setup.network,
        revision=learner.revision or None,
        frozen=learner.frozen,
        learning_rate=learner.learning_rate or rate,
        augmented=unit.augmented,
        patience=learner.patience,
        device=setup.device,
    )
