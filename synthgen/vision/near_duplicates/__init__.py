"""Near-duplicates of images by a fixed descriptor: copies, also flipped, cropped, recoloured or stored again.

A signature is a small grey image of unit norm. Two of them are compared by the cosine of their weighted cosine
transforms, the perceptual hash of Zauner 2010 kept as real numbers, at the best of four flips and of all crops of the
reference down to half its side. ``benchmarks/copies.py`` measures what that finds, and how the threshold was chosen.

Why not imagehash or imagededup: their 64 bits leave few steps between copy and not, and find no crop. Why not SSCD, or
the embeddings of CLIP or DINO: their weights have to be downloaded, their numbers differ by device and version, and
two images of one disease may be alike to them because they show the same thing. faiss is used above 100,000 images
(:mod:`synthgen.vision.near_duplicates.faiss_index`). In YAML, tables and columns the same thing is called near-copy.

>>> import numpy as np
>>> image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
>>> found = nearest(signatures(image[:, :, ::-1]), signatures(image))
>>> bool(found.similarity[0] > THRESHOLD), int(found.index[0])
(True, 0)
"""

from synthgen.vision.near_duplicates.calibration import CHANCE, ENOUGH, Calibration
from synthgen.vision.near_duplicates.matching import FOUND, METHOD, Matcher, Matches
from synthgen.vision.near_duplicates.search import Nearest, References, method, nearest
from synthgen.vision.near_duplicates.signature import signatures
from synthgen.vision.near_duplicates.spectrum import VERSION

THRESHOLD: float = 0.86  # between what unrelated phantoms of one condition and type reach and what copies keep

__all__ = [
    "CHANCE",
    "ENOUGH",
    "FOUND",
    "METHOD",
    "THRESHOLD",
    "VERSION",
    "Calibration",
    "Matcher",
    "Matches",
    "Nearest",
    "References",
    "method",
    "nearest",
    "signatures",
]
