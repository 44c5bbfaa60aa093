"""The kernel distance (KID) between two sets of features (Bińkowski et al. 2018, arXiv 1801.01401).

It is the unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012) with the cubic kernel
k(x, y) = (x·y / dim + 1)³, over all pairs of both sets at once::

    mean of k(x, x') over pairs x ≠ x'  +  mean of k(y, y') over pairs y ≠ y'  -  2 mean of k(x, y)

Its expectation does not depend on how many images there are, and is 0 for sets of one distribution; so an estimate
may be below 0. Its standard error is the jackknife's, which leaves out one image after another (B. Efron and C. Stein,
Annals of Statistics 1981, 9:586: never too small in the mean).

Not torchmetrics' nor clean-fid's: they average over subsets or blocks, whose spread is about three times that of the
estimate over all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgen.vision.metrics.value import Measured, too_few

if TYPE_CHECKING:
    from synthgen.core.types import AnyFloats

_LARGEST = 10_000  # images of a set; of more so many are drawn
_PAIRS = 2_000_000  # kernels held at a time: 16 MB


def kid(queries: AnyFloats, references: AnyFloats, of_references: NDArray[np.float64] | None = None) -> Measured:
    """KID over all pairs, and its standard error.

    Args:
        queries: Shape (n, dim), in any order; of more than 10,000 so many are drawn, always the same.
        references: Shape (m, dim), likewise.
        of_references: What :func:`within` gives for the references, where it is known already.
    """
    few = too_few(len(queries), len(references))
    if few:
        return Measured.absent(few)
    one, other = _drawn(queries), _drawn(references)
    first, second = within(one), within(other) if of_references is None else of_references
    across, n, m = _sums(one, other), len(one), len(other)
    whole = across[0].sum()
    value = first.sum() / (n * (n - 1)) + second.sum() / (m * (m - 1)) - 2 * whole / (n * m)
    return Measured(float(value), float(np.sqrt(_left_out(first, across[0], m) + _left_out(second, across[1], n))))


def within(features: AnyFloats) -> NDArray[np.float64]:
    """The sum of each image's kernels with all others of its set, shape (n,)."""
    known = _drawn(features)
    itself = ((known**2).sum(1) / known.shape[1] + 1) ** 3
    rows: NDArray[np.float64] = _sums(known, known)[0] - itself
    return rows


def discrepancy(first: AnyFloats, second: AnyFloats) -> float:
    """The unbiased squared discrepancy of two sets, each of at least 2."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    n, m = len(one), len(other)
    alike = within(one).sum() / (n * (n - 1)) + within(other).sum() / (m * (m - 1))
    return float(alike - 2 * _sums(one, other)[0].sum() / (n * m))


def _left_out(alike: NDArray[np.float64], across: NDArray[np.float64], others: int) -> float:
    """The jackknife's variance of what one set brings, of its kernels within and across, shape (n,)."""
    n = len(alike)
    without = (alike.sum() - 2 * alike) / ((n - 1) * (n - 2)) - 2 * (across.sum() - across) / ((n - 1) * others)
    return float((n - 1) / n * ((without - without.mean()) ** 2).sum())


def _sums(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sums of the kernel over rows and over columns, a block at a time."""
    rows, columns = np.empty(len(first)), np.zeros(len(second))
    for here in _blocks(len(first), len(second)):
        base = first[here] @ second.T / first.shape[1] + 1
        kernel = base * base * base
        rows[here] = kernel.sum(1)
        columns += kernel.sum(0)
    return rows, columns


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    size = max(1, _PAIRS // max(columns, 1))
    yield from (slice(start, start + size) for start in range(0, rows, size))


def _drawn(features: AnyFloats) -> NDArray[np.float64]:
    if len(features) > _LARGEST:
        features = features[np.random.default_rng(0).permutation(len(features))[:_LARGEST]]
    return features.astype(np.float64)
