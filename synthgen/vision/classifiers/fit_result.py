"""What training a classifier returns, and the checks of labels and rows that every training makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Rows


@dataclass(frozen=True, slots=True)
class FitResult:
    """The probabilities that a trained classifier gives, and how it was trained.

    Attributes:
        validation: Probabilities of the validation rows, float32, shape (rows, classes); each row sums to 1.
        test: The same for the test rows.
        optimizer_steps: Steps that were really done, counted one by one.
        chosen: What validation chose: the L2 strength of a probe, the step whose weights were kept in finetuning.
    """

    validation: Floats
    test: Floats
    optimizer_steps: int
    chosen: float


def check(labels: Rows, classes: int, validation: Rows, test: Rows) -> None:
    """Refuse rows that can't be learned from or judged by.

    Raises:
        InputError: No validation or test row, a row that is not there or is in both, or a label out of range.
    """
    import numpy as np

    faults = []
    for name, rows in (("validation", validation), ("test", test)):
        if not len(rows):
            faults.append(f"classifier: no {name} rows; give at least one {name} image")
        elif rows.min() < 0 or rows.max() >= len(labels):
            faults.append(f"classifier: a {name} row lies outside the {len(labels):,} rows that have labels")
    if len(np.intersect1d(validation, test)):
        faults.append("classifier: a row is in validation and in test; split them")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        faults.append(f"classifier: labels run from {labels.min()} to {labels.max()}; they must be 0 to {classes - 1}")
    if faults:
        raise InputError(*faults)


def log_loss(probabilities: Floats, labels: Rows) -> float:
    """The class-balanced log loss of probabilities, shape (rows, classes), for the classes that are so."""
    import numpy as np

    chosen = np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, None)
    return float(-(np.log(chosen) * balanced(labels)).sum())


def balanced(labels: Rows) -> Floats:
    """A weight for each row that gives each class there the same say; they sum to 1."""
    import numpy as np

    counts = np.bincount(labels)
    return (1 / (counts[labels] * np.count_nonzero(counts))).astype(np.float32)
