"""Every prediction of a study, kept: all figures of the report are made from them and from nothing else."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from synthgen.core import table_file
from synthgen.evaluate.note import Note
from synthgen.plan.manifest.evaluate import Strategy

FILE = "predictions.parquet"
VALIDATION = "validation.parquet"  # the same of the validation images
_OF_TRIAL = ("key", "arm", "strategy", "n_real", "ratio", "seed", "optimizer_steps", "n_train")


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """The facts of a study that its report tells beside the numbers.

    Attributes:
        name: The manifest's.
        labels: The classes, in the order of the probabilities' columns.
        scale: The skin-tone scale; empty where the dataset has no skin tones.
        generator_pool: ``n``, or ``all``: the generator may have seen more real images than the classifier.
        source_pool: The same of what images were made from; empty where it is as ``generator_pool``.
        protocol: ``equal-steps`` or ``sagers2023``.
        mix: How real and synthetic images share a batch.
        learner: What learns, in words.
        notes: What a reader has to know of the design.
        excluded: How many synthetic images no trial used, by reason.
        against: For the name of a strategy, that of another that it is compared with in pairs.
        primary: What :class:`~synthgen.plan.manifest.evaluate.Primary` the manifest names; empty for the default.
        target: The classes that are told from all others together, and at which specificity, as
            :class:`~synthgen.plan.manifest.evaluate.Target`; empty for none.
        frozen: Of predictions under pseudonyms, whether their study follows the plan that was frozen before its
            results, as a note; empty where none was, or where the plan lies beside them.
    """

    name: str
    labels: tuple[str, ...]
    scale: str = ""
    generator_pool: str = "n"
    source_pool: str = ""
    protocol: str = "equal-steps"
    mix: str = "union"
    learner: str = ""
    notes: tuple[Note, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    against: Mapping[str, str] = field(default_factory=dict)
    primary: Mapping[str, Any] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    frozen: str = ""

    def to_json(self) -> str:
        """The text that ``predictions.parquet`` keeps."""
        said = asdict(self) | {"notes": [note.markdown for note in self.notes]}
        for name in ("source_pool", "primary", "target", "frozen"):
            if not said[name]:
                del said[name]  # so that a report of an earlier version keeps its bytes
        return json.dumps(said)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The facts that a text holds.

        Raises:
            ValueError: It is no JSON.
            KeyError: It lacks a field.
            TypeError: It is not of the fields' types, or has others.
        """
        said = json.loads(text)
        notes = tuple(Note.from_markdown(note) for note in said["notes"])
        return cls(**said | {"labels": tuple(said["labels"]), "notes": notes})


@dataclass(frozen=True, slots=True)
class TrainedTrial:
    """One trial that was trained: what decides it, and the steps and images that it took.

    ``ratio`` is 0 and ``strategy`` none where no synthetic image takes part; ``n_real`` is a class's real images.
    """

    key: str
    arm: str
    strategy: Strategy
    n_real: int
    ratio: float
    seed: int
    optimizer_steps: int
    n_train: int


@dataclass(frozen=True, slots=True, order=True)
class ArmKey:
    """An arm at one size: what its trials, which differ in their seed alone, have in common.

    Attributes:
        name: Of the arm, such as ``real+synthetic``.
        strategy: What its synthetic images are of; none where no image is synthetic.
        n_real: Real images of a class.
        ratio: Images added for each of them.
    """

    name: str
    strategy: Strategy
    n_real: int
    ratio: float


@dataclass(frozen=True)
class Predictions:
    """The predictions of T trials for the same N test images of K classes.

    Attributes:
        study: What they are of.
        trials: T of them.
        images: The ids of the test images, N.
        labels: The true class of each as a column of ``probabilities``, (N,) integers.
        tones: The skin tone of each on the study's scale, (N,) integers; 0 is unknown.
        groups: What each belongs to (a patient, a lesion), N names; groups are resampled as wholes.
        probabilities: (T, N, K) float32.

    Raises:
        ValueError: The shapes don't fit, a label is none of the classes, a probability is not finite, or a trial comes
            twice.
    """

    study: StudyFacts
    trials: tuple[TrainedTrial, ...]
    images: tuple[str, ...]
    labels: NDArray[np.int64]
    tones: NDArray[np.int64]
    groups: tuple[str, ...]
    probabilities: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = (len(self.trials), len(self.images), len(self.study.labels))
        if self.probabilities.shape != shape:
            raise ValueError(f"probabilities are {self.probabilities.shape}, not {shape}")
        decided = {(one.arm, one.strategy, one.n_real, one.ratio, one.seed) for one in self.trials}
        if len(decided) < shape[0]:
            raise ValueError("two trials are of the same arm, strategy, n_real, ratio and seed")
        if {len(self.labels), len(self.tones), len(self.groups)} != {shape[1]}:
            raise ValueError("a label, tone and group for each image is needed")
        if self.labels.size and not 0 <= self.labels.min() <= self.labels.max() < shape[2]:
            raise ValueError("a label is none of the classes")
        if not np.isfinite(self.probabilities).all():
            raise ValueError("a probability is not finite")

    @cached_property
    def arms(self) -> dict[ArmKey, dict[int, int]]:
        """The row of each trial, by arm and then seed; arms and seeds in order."""
        found: dict[ArmKey, dict[int, int]] = {}
        for row, one in enumerate(self.trials):
            found.setdefault(ArmKey(one.arm, one.strategy, one.n_real, one.ratio), {})[one.seed] = row
        return {arm: dict(sorted(rows.items())) for arm, rows in sorted(found.items())}

    @cached_property
    def fingerprints(self) -> tuple[bytes, ...]:
        """A digest of each trial's predictions: those of one training in two arms are the same to the bit."""
        return tuple(hashlib.blake2b(one.tobytes(), digest_size=16).digest() for one in self.probabilities)

    def write(self, path: Path) -> None:
        """Write them as Parquet, a row for each trial and test image; the same predictions give the same bytes."""
        import pyarrow as pa

        n_trials, n_images, n_classes = self.probabilities.shape
        columns: dict[str, Any] = {
            name: pa.array(values).take(_each(n_trials, n_images)) for name, values in self._of_trials().items()
        }
        columns["ratio"] = columns["ratio"].cast(pa.float64())
        of_image = {"image": self.images, "group": self.groups, "skin_tone": self.tones, "label": self.labels}
        for name, values in of_image.items():
            columns[name] = pa.array(list(values)).take(pa.array(np.tile(np.arange(n_images), n_trials)))
        flat = pa.array(self.probabilities.reshape(-1))
        columns["probabilities"] = pa.FixedSizeListArray.from_arrays(flat, n_classes)
        table_file.write(path, pa.table(columns), {"study": self.study.to_json()})

    def _of_trials(self) -> dict[str, list[Any]]:
        """The columns that say which trial a row is of, as they are written."""
        columns = {name: [getattr(one, name) for one in self.trials] for name in _OF_TRIAL}
        return columns | {"strategy": [str(one.strategy) for one in self.trials]}

    @classmethod
    def read(cls, path: Path) -> Self:
        """The predictions of a file.

        Raises:
            DamagedError: The file can't be read, or holds no predictions.
        """
        import pyarrow as pa

        with table_file.reading(path, "not the predictions of a study"):
            table, metadata = table_file.read(path)
            study = StudyFacts.from_json(metadata["study"])
            keys = table.column("key").to_pylist()
            n_images = keys.count(keys[0])
            trials = table.select(_OF_TRIAL).take(pa.array(np.arange(0, len(keys), n_images))).to_pylist()
            first = table.slice(0, n_images)
            if table.column("image").to_pylist() != first.column("image").to_pylist() * len(trials):
                raise ValueError("the trials are not of the same test images")
            return cls(
                study,
                tuple(TrainedTrial(**one | {"strategy": Strategy.parse(one["strategy"])}) for one in trials),
                tuple(first.column("image").to_pylist()),
                first.column("label").to_numpy(),
                first.column("skin_tone").to_numpy(),
                tuple(first.column("group").to_pylist()),
                _probabilities(table, (len(trials), n_images, len(study.labels))),
            )


def _each(n_trials: int, n_images: int) -> Any:
    import pyarrow as pa

    return pa.array(np.repeat(np.arange(n_trials), n_images))


def _probabilities(table: Any, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    flat = table.column("probabilities").combine_chunks().flatten().to_numpy()
    return np.asarray(flat, np.float32).reshape(shape)
