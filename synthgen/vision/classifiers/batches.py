"""Class-balanced batches of real and synthetic rows, mixed in one of three ways.

Not torch's ``WeightedRandomSampler``, whose class counts are right on average alone: here classes take turns, so that
a short training sees each as often as another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from synthgen.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from synthgen.core.types import Rows

Mix = Literal["union", "pretrain-then-real"] | float


def batches(
    rng: np.random.Generator,
    real_rows: Rows,
    synthetic_rows: Rows,
    labels: Rows,
    *,
    batch_size: int,
    mix: Mix,
    steps: int,
) -> Iterator[Rows]:
    """Exactly ``steps`` batches of rows, shape (batch_size,) each.

    Classes take turns in shuffled rounds, so over a training their counts differ by one at most within a pool; rows of
    a class take turns the same way. A class without rows in a pool has no turn there. Where one of the two pools is
    empty, all is drawn from the other, whatever the mix.

    Args:
        rng: Where all randomness comes from.
        real_rows: Rows of real training images, each once or, to weigh it more, several times.
        synthetic_rows: Rows of synthetic training images.
        labels: The class of every row, shape (n,).
        batch_size: Rows a batch, at least 1; a row can occur twice in a batch larger than its pool.
        mix: ``union`` draws from both as one pool (Sagers et al. 2023); a number is the synthetic share of every batch
            (Trabucco et al. 2024: 0.5), carried over where it is no whole number of rows; ``pretrain-then-real`` gives
            the first half of the steps to synthetic rows, the rest to real ones.
        steps: The optimizer-step budget.

    Raises:
        InputError: There is nothing to draw from, or a number is out of range.
    """
    import numpy as np

    _check(real_rows, synthetic_rows, batch_size, mix, steps)
    counts = _synthetic_counts(len(real_rows), len(synthetic_rows), batch_size, mix, steps)
    if counts is None:
        yield from _class_by_class(
            rng, np.concatenate([real_rows, synthetic_rows]), labels, steps * batch_size
        ).reshape(steps, batch_size)
        return
    synthetic = _class_by_class(rng, synthetic_rows, labels, int(counts.sum()))
    real = _class_by_class(rng, real_rows, labels, steps * batch_size - int(counts.sum()))
    ends = np.cumsum(counts)
    for step, (count, end) in enumerate(zip(counts.tolist(), ends.tolist(), strict=True)):
        before = step * batch_size - (end - count)
        yield np.concatenate([synthetic[end - count : end], real[before : before + batch_size - count]])


def _synthetic_counts(real: int, synthetic: int, batch_size: int, mix: Mix, steps: int) -> Rows | None:
    """Synthetic rows in each batch, or ``None`` where all rows are one pool."""
    import numpy as np

    if mix == "union" or not real or not synthetic:
        return None
    if mix == "pretrain-then-real":
        counts = np.zeros(steps, np.int64)
        counts[: steps // 2] = batch_size
        return counts
    totals = np.floor(np.arange(steps + 1) * batch_size * float(mix) + 1e-9).astype(np.int64)
    return np.asarray(np.diff(totals), np.int64)


def _class_by_class(rng: np.random.Generator, rows: Rows, labels: Rows, count: int) -> Rows:
    """So many rows, class after class in shuffled rounds."""
    import numpy as np

    of = labels[rows]
    classes = np.unique(of)
    turns = _rounds(rng, classes, count)
    drawn = np.empty(count, np.int64)
    for label in classes:
        places = np.flatnonzero(turns == label)
        drawn[places] = _rounds(rng, rows[of == label], len(places))
    return drawn


def _rounds(rng: np.random.Generator, values: Rows, count: int) -> Rows:
    """So many of some values: all of them in a shuffled order, then all in another, and so on."""
    import numpy as np

    rounds = -(-count // len(values)) if len(values) else 0
    repeated = np.tile(values, (rounds, 1))
    return np.asarray(rng.permuted(repeated, axis=1).reshape(-1)[:count], np.int64)


def _check(real: Rows, synthetic: Rows, batch_size: int, mix: Mix, steps: int) -> None:
    faults = []
    if not len(real) and not len(synthetic):
        faults.append("batches: neither real nor synthetic training rows; give at least one")
    if batch_size < 1 or steps < 1:
        faults.append(f"batches: batch size {batch_size} and {steps} steps; both must be at least 1")
    if isinstance(mix, str):
        if mix not in ("union", "pretrain-then-real"):
            faults.append(f"mix: no `{mix}`; there are: union, a share from 0 to 1, pretrain-then-real")
    elif not 0 <= mix <= 1:
        faults.append(f"mix: the synthetic share is {mix}; it must be from 0 to 1")
    if faults:
        raise InputError(*faults)
