"""Density and coverage (Naeem et al. 2020, arXiv 2002.09797): precision and recall that one outlier does not move.

With N real and M generated images and balls about real images as wide as the distance to the fifth nearest real one::

    density  = number of (ball, generated image in it) / (5 M)
    coverage = share of real images whose ball holds a generated image
"""

import numpy as np

from synthgen.fidelity.measured import Measured, too_few
from synthgen.fidelity.neighbours import Cloud, squared_distances

K = 5  # the paper's


def density_coverage(queries: Cloud, references: Cloud) -> tuple[Measured, Measured]:
    """Density (about 1 for one distribution, more where images crowd) and coverage (from 0 to 1) of generated queries.

    Expected of M images of the references' own distribution is a coverage of about 1 - (1/2)^5 where M = N, less where
    M is smaller: compare only coverages of equal numbers of images.
    """
    few = too_few(len(queries), len(references))
    if few:
        return Measured.absent(few), Measured.absent(few)
    radii, pairs = references.radii(K), 0
    covered = np.zeros(len(references), bool)
    for _, squared in squared_distances(queries.features, references.features):
        within = squared <= radii
        pairs += int(np.count_nonzero(within))
        covered |= within.any(0)
    return Measured(pairs / (K * len(queries))), Measured(float(covered.mean()))
