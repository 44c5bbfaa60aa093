"""Precision, recall, density and coverage of generated images against real ones, by balls about images.

Improved precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991): a set's manifold is the union of balls about
its images, each as wide as the distance to its third nearest neighbour::

    precision = share of generated images inside the real manifold
    recall    = share of real images inside the generated manifold

Density and coverage (Naeem et al. 2020, arXiv 2002.09797) are what one outlier does not move. With N real and M
generated images and balls about real images as wide as the distance to the fifth nearest real one::

    density  = number of (ball, generated image in it) / (5 M)
    coverage = share of real images whose ball holds a generated image
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthgen.vision.metrics.neighbours import Cloud, squared_distances
from synthgen.vision.metrics.value import Measured, too_few

if TYPE_CHECKING:
    from synthgen.core.types import AnyFloats

PRECISION_K = 3  # neighbours, as in Kynkäänniemi et al. 2019
DENSITY_K = 5  # neighbours, as in Naeem et al. 2020
INSIDE = 1 - 1e-9  # of a squared radius: an image on the surface stays there, however sums are rounded


def precision_recall(queries: Cloud, references: Cloud) -> tuple[Measured, Measured]:
    """Precision and recall of queries (generated) against references (real), each from 0 to 1."""
    few = too_few(len(queries), len(references))
    if few:
        return Measured.absent(few), Measured.absent(few)
    return Measured(inside(queries.features, references)), Measured(inside(references.features, queries))


def inside(features: AnyFloats, manifold: Cloud) -> float:
    """The share of features within any ball of a manifold, its surface included."""
    radii, found = manifold.radii(PRECISION_K), 0
    for _, squared in squared_distances(features, manifold.features):
        found += int(np.count_nonzero((squared <= radii).any(1)))
    return found / len(features)


def density_coverage(queries: Cloud, references: Cloud) -> tuple[Measured, Measured]:
    """Density (about 1 for one distribution, more where images crowd) and coverage (from 0 to 1) of generated queries.

    Expected of M images of the references' own distribution is a coverage of about 1 - (1/2)^5 where M = N, less where
    M is smaller: compare only coverages of equal numbers of images.
    """
    few = too_few(len(queries), len(references))
    if few:
        return Measured.absent(few), Measured.absent(few)
    radii, pairs = references.radii(DENSITY_K), 0
    covered = np.zeros(len(references), bool)
    for _, squared in squared_distances(queries.features, references.features):
        within = squared < radii * INSIDE  # the paper's balls are open: a set against itself has a density of 1
        pairs += int(np.count_nonzero(within))
        covered |= within.any(0)
    return Measured(pairs / (DENSITY_K * len(queries))), Measured(float(covered.mean()))
