"""The rows of a fidelity report: every measure of every group, and beside it the same of real images."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgen.curate.fidelity.groups import Group
from synthgen.curate.fidelity.sample_images import ImageFeatures
from synthgen.vision.metrics import MEASURES, Measured, Profile, compare
from synthgen.vision.metrics.memorisation import memorisation

NONE, MEMORISED = "none", "memorised"
COLUMNS = (*MEASURES, MEMORISED)
_HEADER = (
    "scope", "group", "reference", "measure", "generated", "standard_error", "n", "draws",
    "real", "real_standard_error", "real_n", "real_draws", "n_references", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measure of one group.

    Attributes:
        group: The group.
        reference: The split of the real images that it is held against; ``none`` where there are none.
        measure: One of :data:`COLUMNS`.
        generated: Of generated images, ``n`` a draw, the mean of ``draws``.
        real: Of other real images, the yardstick: ``real_n`` a draw, the mean of ``real_draws``.
        references: How many real images both are held against.
    """

    group: Group
    reference: str
    measure: str
    generated: Measured
    n: int
    draws: int
    real: Measured
    real_n: int
    real_draws: int
    references: int


@dataclass(frozen=True)
class Distances:
    """How far images are from their nearest training image, in feature space.

    Attributes:
        generated: Of each generated image, shape (n,).
        nearest: The row of that training image, shape (n,).
        held_out: Of each real test image, shape (m,).
    """

    generated: NDArray[np.float64]
    nearest: NDArray[np.int64]
    held_out: NDArray[np.float64]


def measure(
    group: Group, made: ImageFeatures, real: Mapping[str, ImageFeatures], distances: Distances | None
) -> list[Measurement]:
    """Every measure of a group of the generated images, against real training and test images.

    Args:
        group: The group.
        made: The generated images.
        real: Real ones of ``train`` and ``test``.
        distances: To training images; ``None`` where there are none.
    """
    rows = group.rows(made.images)
    generated = made.features[rows]
    if distances is None:
        return list(_rows(group, NONE, *compare(generated, generated[:0], generated[:0])))
    members = {split: group.rows(one.images) for split, one in real.items()}
    features = {split: real[split].features[members[split]] for split in real}
    found = list[Measurement]()
    for reference, yardstick in (("train", "test"), ("test", "train")):
        found += _rows(group, reference, *compare(generated, features[yardstick], features[reference]))
    return [*found, _memorised(group, distances, rows, members["test"], len(real["train"].images))]


def to_csv(rows: Sequence[Measurement]) -> bytes:
    """The measurements as CSV; an empty field is a value that there is not, and the note says why."""
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(_HEADER)
    for row in rows:
        values = [_cell(row.generated.value), _cell(row.generated.standard_error), row.n, row.draws]
        values += [_cell(row.real.value), _cell(row.real.standard_error), row.real_n, row.real_draws, row.references]
        note = row.generated.note or row.real.note
        writer.writerow([row.group.scope, row.group.name, row.reference, row.measure, *values, note])
    return sink.getvalue().encode()


def _rows(group: Group, reference: str, generated: Profile, real: Profile) -> Iterator[Measurement]:
    for name in MEASURES:
        yield Measurement(
            group, reference, name, generated.measures[name], generated.n, generated.draws,
            real.measures[name], real.n, real.draws, generated.references,
        )  # fmt: skip


def _memorised(
    group: Group, distances: Distances, rows: NDArray[np.int64], held_out: NDArray[np.int64], references: int
) -> Measurement:
    found = memorisation(distances.generated[rows], distances.held_out[held_out])
    return Measurement(
        group, "train", MEMORISED, found.rate, len(rows), 1, found.expected, len(held_out), 1, references
    )  # fmt: skip


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.9g}"
