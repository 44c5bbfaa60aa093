"""Rules over scores, as ``curate.keep`` writes them: comparisons of columns with numbers, parsed and never eval'ed.

Not lark or expressions of ``pyarrow.compute``: the grammar is four lines long, and its errors say what was expected
and where.
"""

from synthgen.plan.manifest.rules.grammar import parse
from synthgen.plan.manifest.rules.parts import Both, Comparison, Judgement, Not, Rule

__all__ = ["Both", "Comparison", "Judgement", "Not", "Rule", "parse"]
