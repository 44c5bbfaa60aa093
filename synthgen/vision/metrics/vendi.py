"""The Vendi score: how many different images a set has in effect (Friedman and Dieng 2023, arXiv 2210.02410).

With the cosine kernel K of n images, and λ the eigenvalues of K / n::

    exp(-Σ λ log λ)

It is 1 for n equal images and n for n images at right angles; real images need not be there.

Features that have much in common in all images, as those of fixed filters do, make every cosine nearly 1, and the score
blind: so they are first taken in standard deviations about the mean of the reference.

Not the package vendi-score (last of 2022), which takes all features at once, not a block at a time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgen.vision.metrics.value import MINIMUM, Measured


def vendi_score(features: NDArray[np.floating[Any]], reference: NDArray[np.floating[Any]] | None = None) -> Measured:
    """The Vendi score of features of shape (n, dim), with the cosine kernel; grows with n: compare equal numbers.

    Args:
        features: Shape (n, dim).
        reference: The features whose mean and standard deviations they are standardised by, shape (m, dim); themselves
            where there are fewer than two, which the note says.
    """
    count = len(features)
    if count < MINIMUM:
        return Measured.absent(f"needs {MINIMUM} images, has {count}")
    known = features if reference is None or len(reference) < 2 else reference
    note = "standardised by itself, without real images" if known is features else ""
    mean, spread = known.mean(0, dtype=np.float64), known.std(0, dtype=np.float64)
    tiny = spread <= 1e-9 * max(float(spread.max()), 1e-300)  # what is the same in all of the reference tells nothing
    return Measured(score((features - mean) / np.where(tiny, np.inf, spread)), note=note)


def score(features: NDArray[np.floating[Any]], *, block: int = 8192) -> float:
    """The score itself, of any number of images, in blocks of so many rows.

    The eigenvalues of K / n are the squared singular values of the unit rows over √n: those of the smaller one of
    the two Gram matrices.
    """
    count, dim = features.shape
    if count <= dim:
        rows = _unit(features)
        gram = rows @ rows.T
    else:
        gram = np.zeros((dim, dim))
        for start in range(0, count, block):
            rows = _unit(features[start : start + block])
            gram += rows.T @ rows
    values = np.linalg.eigvalsh(gram / count)
    values = values[values > 0]
    return float(np.exp(-(values * np.log(values)).sum()))


def _unit(features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    rows = features.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float64] = rows / np.where(lengths > 0, lengths, 1)
    return unit
