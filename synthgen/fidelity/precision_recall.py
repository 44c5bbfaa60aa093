"""Improved precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991).

A set's manifold is the union of balls about its images, each as wide as the distance to its third nearest neighbour::

    precision = share of generated images inside the real manifold
    recall    = share of real images inside the generated manifold
"""

import numpy as np

from synthgen.fidelity.measured import Measured, too_few
from synthgen.fidelity.neighbours import Cloud, Floats, squared_distances

K = 3  # the paper's


def precision_recall(queries: Cloud, references: Cloud) -> tuple[Measured, Measured]:
    """Precision and recall of queries (generated) against references (real), each from 0 to 1."""
    few = too_few(len(queries), len(references))
    if few:
        return Measured.absent(few), Measured.absent(few)
    return Measured(inside(queries.features, references)), Measured(inside(references.features, queries))


def inside(features: Floats, manifold: Cloud) -> float:
    """The share of features within any ball of a manifold, its surface included."""
    radii, found = manifold.radii(K), 0
    for _, squared in squared_distances(features, manifold.features):
        found += int(np.count_nonzero((squared <= radii).any(1)))
    return found / len(features)
