"""Rules over scores, as ``curate.keep`` writes them: comparisons of columns with numbers, parsed and never eval'ed."""

from synthgen.rules.grammar import parse
from synthgen.rules.parts import Both, Comparison, Judgement, Not, Rule

__all__ = ["Both", "Comparison", "Judgement", "Not", "Rule", "parse"]
