"""Distances between images in feature space, a block at a time, and those to nearest neighbours.

Not scikit-learn's NearestNeighbors, which would be a dependency, nor faiss, which computes in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from synthgen.core.types import AnyFloats

MOST = 5  # neighbours that any measure asks for
PAIRS_AT_ONCE = 4_000_000  # distances: 32 MB


class Cloud:
    """A set of features, and how far each is from its nearest neighbours in the set.

    Attributes:
        features: Shape (n, dim), n above :data:`MOST`.
    """

    def __init__(self, features: AnyFloats) -> None:
        self.features = features

    def __len__(self) -> int:
        return len(self.features)

    def radii(self, k: int) -> NDArray[np.float64]:
        """The squared distance of each to its k-th nearest neighbour, itself left out; shape (n,)."""
        radii: NDArray[np.float64] = self._nearest[:, k - 1]
        return radii

    @cached_property
    def _nearest(self) -> NDArray[np.float64]:
        rows = []
        for start, squared in squared_distances(self.features, self.features):
            here = np.arange(len(squared))
            squared[here, start + here] = np.inf  # itself; a copy elsewhere in the set stays a neighbour
            rows.append(np.sort(np.partition(squared, MOST - 1, axis=1)[:, :MOST], axis=1))
        return np.concatenate(rows)


def nearest(
    queries: AnyFloats, references: AnyFloats, *, pairs: int = PAIRS_AT_ONCE
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The Euclidean distance of each query to its nearest reference, and the row of that one; both shape (n,)."""
    distances, rows = np.empty(len(queries)), np.empty(len(queries), np.int64)
    for start, squared in squared_distances(queries, references, pairs=pairs):
        here = slice(start, start + len(squared))
        rows[here] = squared.argmin(1)
        distances[here] = np.sqrt(squared.min(1))
    return distances, rows


def squared_distances(
    queries: AnyFloats, references: AnyFloats, *, pairs: int = PAIRS_AT_ONCE
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Squared Euclidean distances in blocks of queries: the first query's row, and float64 of shape (block, m).

    They are |x|² + |y|² - 2 x·y about the references' mean, so equal images may be some 1e-7 apart, never below 0.

    Args:
        queries: Shape (n, dim).
        references: Shape (m, dim).
        pairs: Distances held at a time.
    """
    centre = references.mean(0, dtype=np.float64)
    known = references.astype(np.float64) - centre
    lengths = (known**2).sum(1)
    size = max(1, pairs // max(1, len(known)))
    for start in range(0, len(queries), size):
        block = queries[start : start + size].astype(np.float64) - centre
        squared = (block**2).sum(1)[:, None] + lengths - 2 * (block @ known.T)
        yield start, np.maximum(squared, 0, out=squared)
