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
from synthgen.vision.classifiers.fit_result import log_loss

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
        augment: How pixels are augmented as they are trained on, empty for not at all; of several the one is kept that
            does best on validation.
        taught: The classes that its synthetic rows are taught with, shape (n,), where these are not their own.
        tuned: The places among the validation rows that it is tuned on; all where there are none.
    """

    name: str
    real: Rows
    synthetic: Rows
    steps: int
    augment: tuple[str, ...] = ("",)
    taught: Rows | None = None
    tuned: Rows | None = None


def train(setup: Setup, training: ClassifierTraining) -> FitResult:
    """The predictions of one classifier, trained in one thread, so that they depend on nothing that runs beside it.

    Of several augmentations that one's which has the least class-balanced log loss on validation, of equal ones the
    first that was named.
    """
    import numpy as np

    found = [_trained(setup, training, augment) for augment in training.augment]
    rows = setup.held_out["validation"]
    places = np.arange(len(rows)) if training.tuned is None else training.tuned
    losses = [log_loss(one.validation[places], setup.labels[rows[places]]) for one in found]
    return found[int(np.argmin(losses))]


def _trained(setup: Setup, training: ClassifierTraining, augment: str) -> FitResult:
    import numpy as np

    seed, labels = int(training.name[:15], 16), setup.labels
    if training.taught is not None:
        labels = labels.copy()
        labels[training.synthetic] = training.taught
    drawn = batches(
        np.random.default_rng(seed),
        training.real,
        training.synthetic,
        labels,
        batch_size=setup.classifier.batch_size,
        mix=setup.mix.share if isinstance(setup.mix, Share) else setup.mix,  # type: ignore[arg-type]
        steps=training.steps,
    )
    given: dict[str, Any] = {**setup.held_out, "classes": setup.classes, "tuned": training.tuned}
    with one_thread():
        if setup.classifier.kind == "probe":
            return probe(
                setup.rows(), labels, drawn, settings=probe_settings(setup.classifier, training.steps), **given
            )
        settings = finetune_settings(setup, training, augment)
        return finetune(setup.rows(), labels, drawn, settings=settings, seed=seed, **given)


def probe_settings(classifier: Learner, steps: int) -> ProbeSettings:
    """The settings of a probe's training."""
    return ProbeSettings(steps, classifier.learning_rate) if classifier.learning_rate else ProbeSettings(steps)


def finetune_settings(setup: Setup, training: ClassifierTraining, augment: str) -> FinetuneSettings:
    """The settings of a network's training from pixels."""
    classifier = setup.classifier
    rate = _HEAD if classifier.frozen or setup.network == SMALL else _WHOLE
    return FinetuneSettings(
        training.steps,
        backbone=setup.network,
        revision=classifier.revision or None,
        frozen=classifier.frozen,
        learning_rate=classifier.learning_rate or rate,
        augment=augment,
        patience=classifier.patience,
        evaluations=classifier.evaluations,
        device=setup.device,
    )
