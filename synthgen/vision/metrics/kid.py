"""The kernel distance (KID) between two sets of features (Bińkowski et al. 2018, arXiv 1801.01401).

It is the unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012) with the cubic kernel
k(x, y) = (x·y / dim + 1)³::

    mean of k(x, x') over pairs x ≠ x'  +  mean of k(y, y') over pairs y ≠ y'  -  2 mean of k(x, y)

Its expectation does not depend on how many images there are, and is 0 for sets of one distribution; so an estimate
may be below 0.

Not torchmetrics': it draws subsets by chance, where these blocks are disjoint and the same each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgen.vision.metrics.value import Measured, too_few

if TYPE_CHECKING:
    from synthgen.core.types import AnyFloats

_LARGEST, _SMALLEST, _FEWEST = 1000, 10, 10  # images a block at most and at least; blocks where there are images enough


def kid(queries: AnyFloats, references: AnyFloats) -> Measured:
    """The mean of KID over disjoint blocks of both sets, and its standard error.

    Args:
        queries: Shape (n, dim), in an order that says nothing of the images.
        references: Shape (m, dim), likewise. There are ten blocks, more where one would exceed 1,000 images, and fewer
            where one would have less than 10; of what still exceeds 1,000 the first 1,000 are taken.
    """
    few = too_few(len(queries), len(references))
    if few:
        return Measured.absent(few)
    shorter, longer = sorted((len(queries), len(references)))
    count = min(max(_FEWEST, -(-longer // _LARGEST)), shorter // _SMALLEST)
    pairs = zip(np.array_split(queries, count), np.array_split(references, count), strict=True)
    return Measured.mean([Measured(discrepancy(one[:_LARGEST], other[:_LARGEST])) for one, other in pairs])


def discrepancy(first: AnyFloats, second: AnyFloats) -> float:
    """The unbiased squared discrepancy of two sets, each of at least 2; the kernel is held whole."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    return _within(one) + _within(other) - 2 * float(_kernel(one, other).mean())


def _within(features: NDArray[np.float64]) -> float:
    kernel, count = _kernel(features, features), len(features)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


def _kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel: NDArray[np.float64] = (first @ second.T / first.shape[1] + 1) ** 3
    return kernel
