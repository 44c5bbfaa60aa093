"""Small classifiers: a linear head on frozen features, or a network trained from pixels.

Each is handed its batches and returns a :class:`~synthgen.vision.classifiers.fit_result.FitResult`.
"""

from synthgen.vision.augmentation import AUGMENTATIONS
from synthgen.vision.classifiers.batches import batches
from synthgen.vision.classifiers.fit_result import FitResult
from synthgen.vision.classifiers.probing import ProbeSettings, probe
from synthgen.vision.classifiers.train_loop import FinetuneSettings, finetune

__all__ = ["AUGMENTATIONS", "FinetuneSettings", "FitResult", "ProbeSettings", "batches", "finetune", "probe"]
