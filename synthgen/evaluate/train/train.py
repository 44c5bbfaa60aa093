"""One classifier of a study, trained from rows of its images, by features or by pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core.processes import one_thread
from synthgen.evaluate.train.results_store import ResultsStore
from synthgen.plan.manifest.evaluate import Share
from synthgen.plan.manifest.learner import SMALL, Learner
from synthgen.vision.classifiers import FinetuneSettings, FitResult, ProbeSettings, batches, finetune, probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthgen.core.types import Rows

_WHOLE, _HEAD = 1e-4, 2e-3  # learning rates of a checkpoint as a whole, and of its head or a network from nothing


@dataclass(frozen=True)
class Setup:
    """The settings, labels and rows that all trainings of a study have in common.

    Attributes:
        classifier: What is trained, and how.
        network: The backbone's name, or its folder.
        mix: How real and synthetic images meet in batches.
        labels: The class of every row, shape (rows,).
        held_out: The rows of validation and test images.
        classes: How many classes there are.
        inputs: The ``.npy`` of features or pixels by row.
        folder: Where predictions are kept.
        device: torch's device for training from pixels.
    """

    classifier: Learner
    network: str
    mix: str | Share
    labels: Rows
    held_out: Mapping[str, Rows]
    classes: int
    inputs: Path
    folder: Path
    device: str = "cpu"

    @cached_property
    def results(self) -> ResultsStore:
        """The predictions of trainings that are done."""
        return ResultsStore(self.folder, {split: (len(rows), self.classes) for split, rows in self.held_out.items()})

    def rows(self) -> NDArray[Any]:
        """Features or pixels by row, mapped from disk: processes share them, and they need not fit in memory."""
        import numpy as np

        return np.asarray(np.load(self.inputs, mmap_mode="r", allow_pickle=False))


@dataclass(frozen=True)
class ClassifierTraining:
    """One classifier to train.

    Attributes:
        name: Names its predictions, and seeds all that is random in it.
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


def train(setup: Setup, training: ClassifierTraining) -> FitResult:
    """The predictions of one classifier, trained in one thread, so that they depend on nothing that runs beside it."""
    import numpy as np

    seed = int(training.name[:15], 16)
    drawn = batches(
        np.random.default_rng(seed),
        training.real,
        training.synthetic,
        setup.labels,
        batch_size=setup.classifier.batch_size,
        mix=setup.mix.share if isinstance(setup.mix, Share) else setup.mix,  # type: ignore[arg-type]
        steps=training.steps,
    )
    given: dict[str, Any] = {**setup.held_out, "classes": setup.classes}
    with one_thread():
        if setup.classifier.kind == "probe":
            return probe(
                setup.rows(), setup.labels, drawn, settings=probe_settings(setup.classifier, training.steps), **given
            )
        settings = finetune_settings(setup, training)
        return finetune(setup.rows(), setup.labels, drawn, settings=settings, seed=seed, **given)


def probe_settings(classifier: Learner, steps: int) -> ProbeSettings:
    """The settings of a probe's training."""
    return ProbeSettings(steps, classifier.learning_rate) if classifier.learning_rate else ProbeSettings(steps)


def finetune_settings(setup: Setup, training: ClassifierTraining) -> FinetuneSettings:
    """The settings of a network's training from pixels."""
    classifier = setup.classifier
    rate = _HEAD if classifier.frozen or setup.network == SMALL else _WHOLE
    return FinetuneSettings(
        training.steps,
        backbone=setup.network,
        revision=classifier.revision or None,
        frozen=classifier.frozen,
        learning_rate=classifier.learning_rate or rate,
        augmented=training.augmented,
        patience=classifier.patience,
        evaluations=classifier.evaluations,
        device=setup.device,
    )
