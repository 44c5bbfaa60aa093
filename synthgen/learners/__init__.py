"""Learners are small classifiers: a linear head on frozen features, or a network trained from pixels.

Every learner is handed its batches and answers with a :class:`~synthgen.learners.outcome.Learned`.
"""

from synthgen.learners.augmentation import augment
from synthgen.learners.draws import batches
from synthgen.learners.finetuning import finetune
from synthgen.learners.outcome import Learned
from synthgen.learners.probing import Probe, probe
from synthgen.learners.training import Finetune

__all__ = ["Finetune", "Learned", "Probe", "augment", "batches", "finetune", "probe"]
