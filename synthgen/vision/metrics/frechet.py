"""The Fréchet distance between two sets of features, taken for Gaussians (Heusel et al. 2017, arXiv 1706.08500).

On Inception features it is the FID. With means m and covariances C (Dowson and Landau 1982)::

    d² = |m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^(1/2)

The usual matrix square root is slow and fails on covariances of low rank. With factors C = FᵀF, the eigenvalues of
C1 C2 are the squared singular values of F1 F2ᵀ, so the last trace is their sum: real, stable, and of any rank.

Not ``scipy.linalg.sqrtm``, as clean-fid has it: it is what the tests compare with, where it does not fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from synthgen.vision.metrics.value import Measured, too_few

if TYPE_CHECKING:
    from synthgen.core.types import AnyFloats


@dataclass(frozen=True)
class Gaussian:
    """The moments of a set of features.

    Attributes:
        mean: float64, shape (dim,).
        factor: F with FᵀF the unbiased covariance: float64, shape (at most dim, dim).
        count: How many images they are of.
    """

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]
    count: int

    @classmethod
    def of(cls, features: AnyFloats, *, block: int = 8192) -> Self:
        """The moments of features of shape (n, dim), n at least 2, by QR of one block of rows after another."""
        count, dim = features.shape
        mean = features.mean(0, dtype=np.float64)
        factor: NDArray[np.float64] = np.empty((0, dim))
        for start in range(0, count, block):
            rows = features[start : start + block].astype(np.float64) - mean
            factor = np.asarray(np.linalg.qr(np.concatenate([factor, rows]), mode="r"))
        return cls(mean, factor / np.sqrt(count - 1), count)


def frechet(first: Gaussian, second: Gaussian) -> Measured:
    """The squared distance d², as it is always given; in units of squared features, 0 for the same moments.

    Its bias falls as 1/n and is upward: compare only distances of equal numbers of images.
    """
    few = too_few(first.count, second.count)
    if few:
        return Measured.absent(few)
    between = float(((first.mean - second.mean) ** 2).sum())
    within = float((first.factor**2).sum() + (second.factor**2).sum())
    shared = float(np.linalg.svd(first.factor @ second.factor.T, compute_uv=False).sum())
    fewest, dim = min(first.count, second.count), len(first.mean)
    note = f"biased upward, no more images than the features' {dim} dimensions" if fewest <= dim else ""
    return Measured(max(between + within - 2 * shared, 0.0), note=note)
