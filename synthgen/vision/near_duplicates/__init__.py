"""Near-copies of images, found by a fixed descriptor without weights: exact, flipped, cropped, recoloured, re-encoded.

A signature is a small grey picture of unit norm. Two of them are compared by the cosine of their weighted cosine
transforms, the perceptual hash of Zauner 2010 kept as real numbers, at the best of four flips and of all crops of the
reference down to half its side. ``benchmarks/copies.py`` measures what that finds, and how the threshold was chosen.

>>> import numpy as np
>>> image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
>>> found = nearest(signatures(image[:, :, ::-1]), signatures(image))
>>> bool(found.similarity[0] > THRESHOLD), int(found.index[0])
(True, 0)
"""

from synthgen.vision.near_duplicates.search import Nearest, References, method, nearest
from synthgen.vision.near_duplicates.signature import signatures
from synthgen.vision.near_duplicates.spectrum import VERSION

THRESHOLD: float = 0.86  # between what unrelated phantoms of one condition and type reach and what copies keep

__all__ = ["THRESHOLD", "VERSION", "Nearest", "References", "method", "nearest", "signatures"]
