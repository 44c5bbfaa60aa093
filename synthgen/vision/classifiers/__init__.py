"""Small classifiers: a linear head on frozen features, or a network trained from pixels.

Each is handed its batches and returns a :class:`~synthgen.vision.classifiers.fit_result.Learned`.
"""

from synthgen.vision.augmentation import augment
from synthgen.vision.classifiers.batches import batches
from synthgen.vision.classifiers.finetuning import finetune
from synthgen.vision.classifiers.fit_result import Learned
from synthgen.vision.classifiers.probing import Probe, probe
from synthgen.vision.classifiers.train_loop import Finetune

__all__ = ["Finetune", "Learned", "Probe", "augment", "batches", "finetune", "probe"]
