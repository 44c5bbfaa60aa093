"""How like real images generated ones are: measures of two sets of image features, each in a file of its own.

Every measure takes features, shape (n, dim), of any vision model, and computes in float64, a block at a time. The draws
of :func:`compare` take a set's images in the order given, which must therefore say nothing of them; no measure changes
with the order.

Not torchmetrics, torch-fidelity or clean-fid: they bring Inception and the reading of images along, where these take
features of any model. Nor prdc (last of 2020), which holds every distance at once.
"""

from synthgen.vision.metrics.neighbours import Cloud, nearest
from synthgen.vision.metrics.profile import MEASURES, Profile, compare
from synthgen.vision.metrics.value import MINIMUM, Measured
from synthgen.vision.metrics.vendi import vendi_score

__all__ = ["MEASURES", "MINIMUM", "Cloud", "Measured", "Profile", "compare", "nearest", "vendi_score"]
