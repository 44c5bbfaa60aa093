"""Scores every image of a run, and judges by rule which are kept; nothing is ever deleted."""

from synthgen.curate.judge import judge
from synthgen.curate.outcome import Outcome, Survivors

__all__ = ["Outcome", "Survivors", "judge"]
