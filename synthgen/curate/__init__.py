"""Scores every image of a run, and judges by rule which are kept; nothing is ever deleted."""

from synthgen.curate.chart import draw, write_table
from synthgen.curate.job import Job, check, prepare, score
from synthgen.curate.judge import curation_of, judge
from synthgen.curate.outcome import Outcome, Survivors
from synthgen.curate.quota import next_round
from synthgen.curate.scoring import Scored

__all__ = [
    "Job",
    "Outcome",
    "Scored",
    "Survivors",
    "check",
    "curation_of",
    "draw",
    "judge",
    "next_round",
    "prepare",
    "score",
    "write_table",
]
