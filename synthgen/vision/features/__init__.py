"""Image features by any vision model, computed once an image and cached by content hash and model.

>>> gabor = backbone("gabor")
>>> gabor.dim
348
"""

from synthgen.vision.features.backbones import GABOR, Backbone, backbone
from synthgen.vision.features.cache import extract

__all__ = ["GABOR", "Backbone", "backbone", "extract"]
