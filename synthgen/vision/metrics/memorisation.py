"""The memorisation rate: the share of generated images that lie closer to a training image than real images do.

A model that does not copy gives images that are as far from the training set as held-out real images are: the null
hypothesis of Meehan, Chaudhuri and Dasgupta 2020 (arXiv 2004.05675), whose test C_T compares the same two sets of
distances. Here they are compared in their lowest part, where copies are. The threshold is the k-th smallest distance
of n held-out real images, k = ⌊(n + 1) / 20⌋, so that another real image is below it with probability k / (n + 1), at
most 5 %, whatever the distances' distribution (the rank of a new one among exchangeable ones is uniform).

The threshold is itself drawn: of m images that copy nothing, the number below it is beta-binomial with k and n + 1 - k,
which is wider than binomial by as much as m is large beside n. So the rate's error has both parts.
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
        rate: The share of generated images below the threshold. Its standard error has the binomial part of Agresti and
            Coull 1998, which adds two images on either side of the threshold, so it is not 0 where none is found; and
            the threshold's: half of what the rate is at a rank higher and lower by one standard deviation of k.
        expected: The share that real images would have; its standard error is the spread of sets of as many images.
        threshold: The distance in feature space below which an image counts; NaN where there is none.
        by_chance: Between which rates 95 % of sets of as many images lie that copy nothing (beta-binomial); NaN where
            there is no threshold.
    """

    rate: Measured
    expected: Measured
    threshold: float
    by_chance: tuple[float, float] = (math.nan, math.nan)


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
    from scipy.stats import betabinom

    count, known = len(generated), np.sort(held_out)
    threshold = float(known[rank - 1])
    rate = float((generated < threshold).mean())
    added = (rate * count + 2) / (count + 4)
    error = math.hypot(math.sqrt(added * (1 - added) / (count + 4)), _of_threshold(generated, known, rank))
    chance = betabinom(count, rank, len(known) + 1 - rank)
    low, high = (float(end) / count for end in chance.ppf((0.025, 0.975)))
    expected = Measured(rank / (len(known) + 1), float(chance.std()) / count)
    return Memorisation(Measured(rate, error), expected, threshold, (low, high))


def _of_threshold(generated: NDArray[np.float64], known: NDArray[np.float64], rank: int) -> float:
    """The standard error that the threshold brings: its rank varies as a binomial count of ``rank`` among n."""
    spread = max(1, round(math.sqrt(rank * (1 - rank / (len(known) + 1)))))
    low = (generated < known[rank - 1 - spread]).mean() if rank > spread else 0.0
    high = (generated < known[min(rank - 1 + spread, len(known) - 1)]).mean()
    return float(high - low) / 2
