"""Scores every image of a run, and judges by rule which are kept; nothing is ever deleted."""

from synthgen.curate.job import CurateJob, check, prepare, scoring_job
from synthgen.curate.judge import curation_of, judge
from synthgen.curate.quota import next_round
from synthgen.curate.scoring import Scored, Shard
from synthgen.curate.scoring_workers import score
from synthgen.curate.survivors import CellSurvivors, Survivors
from synthgen.curate.survivors_chart import draw, write_table

__all__ = [
    "CellSurvivors",
    "CurateJob",
    "Scored",
    "Shard",
    "Survivors",
    "check",
    "curation_of",
    "draw",
    "judge",
    "next_round",
    "prepare",
    "score",
    "scoring_job",
    "write_table",
]
