"""Rules over scores, as ``curate.keep`` writes them: comparisons of columns with numbers, parsed and never eval'ed."""

from synthgen.plan.manifest.rules.grammar import parse
from synthgen.plan.manifest.rules.parts import Both, Comparison, Judgement, Not, Rule

__all__ = ["Both", "Comparison", "Judgement", "Not", "Rule", "parse"]
