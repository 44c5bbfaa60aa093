"""The memorisation rate: the share of generated images that lie closer to a training image than real images do.

A model that does not copy gives images that are as far from the training set as held-out real images are: the null
hypothesis of Meehan, Chaudhuri and Dasgupta 2020 (arXiv 2004.05675), whose test C_T compares the same two sets of
distances. Here they are compared in their lowest part, where copies are. The threshold is the k-th smallest distance
of n held-out real images, k = ⌊(n + 1) / 20⌋, so that another real image is below it with probability k / (n + 1), at
most 5 %, whatever the distances' distribution (the rank of a new one among exchangeable ones is uniform).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgen.vision.metrics.value import Measured

EXPECTED = 0.05  # at most, of images that copy nothing
FEWEST = 19  # held-out images that the lowest 5 % can be told of


@dataclass(frozen=True, slots=True)
class Memorisation:
    """A memorisation rate, and what it is held against.

    Attributes:
        rate: The share of generated images below the threshold; its standard error is the binomial one of Agresti and
            Coull 1998, which adds two images on either side of the threshold, so it is not 0 where none is found.
        expected: The share that real images would have.
        threshold: The distance in feature space below which an image counts; NaN where there is none.
    """

    rate: Measured
    expected: Measured
    threshold: float


def memorisation(generated: NDArray[np.float64], held_out: NDArray[np.float64]) -> Memorisation:
    """The memorisation rate.

    Args:
        generated: The distance of each generated image to its nearest training image; shape (m,).
        held_out: The same of each held-out real image, of groups that no training image is of; shape (n,).
    """
    if len(held_out) < FEWEST or not len(generated):
        few = f"needs {FEWEST} held-out real images, has {len(held_out)}" if len(generated) else "no generated image"
        return Memorisation(Measured.absent(few), Measured.absent(few), math.nan)
    rank = math.floor((len(held_out) + 1) * EXPECTED + 1e-9)
    threshold = float(np.sort(held_out)[rank - 1])
    rate = float((generated < threshold).mean())
    added = (rate * len(generated) + 2) / (len(generated) + 4)
    error = math.sqrt(added * (1 - added) / (len(generated) + 4))
    return Memorisation(Measured(rate, error), Measured(rank / (len(held_out) + 1)), threshold)
