"""One arm against another: what was found, and whether the report may claim it."""

import math
from dataclasses import dataclass
from typing import Literal

from synthgen.evaluate.analysis import statistics
from synthgen.evaluate.analysis.predictions import ArmKey
from synthgen.evaluate.analysis.statistics import Estimate
from synthgen.plan.manifest.primary import Hypothesis

Kind = Literal["arms", "strategies", "curation", "doses"]

REAL, AUGMENT, ADDED = "real", "real+augment", "real+synthetic"
MATCHED, MORE = "real-step-matched", "real-more"  # controls of one ratio
PERMUTED = "permuted-labels"  # of one ratio and strategy
PRIMARY = "top1"
ALL, GAP = "all", "light-dark gap"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm against another at the same number of real images.

    Attributes:
        arm: The arm that is compared.
        against: The arm that it is compared with.
        metric: Of :class:`~synthgen.evaluate.analysis.metrics.Scores`.
        subset: ``all`` test images, those of one tone group, or the gap between light and dark.
        mean: The arm's own figure.
        mean_against: That of the arm that it is compared with.
        difference: The first less the second.
        primary: Whether it is in the primary family.
        hypothesis: What is to be shown.
        margin: What non-inferiority and equivalence are to; NaN where a difference is to be shown.
        p_hypothesis: That of what is to be shown, as it is corrected (:func:`~statistics.p_of`); NaN below three seeds.
            It is never below that of the difference, which goes with the interval. Of non-inferiority, which is
            tested on one side at 2.5 %, and of equivalence, which is so on both, it is twice the greatest one-sided p.
        p_holm: Corrected by Holm's method over its family.
        family: How many comparisons are in it that have a p value, those of one and the same training counted once.
            The primary family is one; others are all comparisons with the same arm in ``against``, as one of the same
            :attr:`kind`, in the same metric and kind of subset.
        p_report: Corrected over all that the report tests: of the primary family :attr:`p_holm`; of the questions
            behind it by Holm's method over all of them, and never below any of the primary family. NaN where the
            comparison is described and not tested.
        tests: How many p values are corrected together with its own, itself counted; 0 where it is not tested.
    """

    arm: ArmKey
    against: ArmKey
    metric: str
    subset: str
    mean: float
    mean_against: float
    difference: Estimate
    primary: bool = False
    hypothesis: Hypothesis = "difference"
    margin: float = math.nan
    p_hypothesis: float = math.nan
    p_holm: float = math.nan
    family: int = 0
    p_report: float = math.nan
    tests: int = 0

    @property
    def kind(self) -> Kind:
        """Whether two arms are compared, two strategies in one, one before and after curation, or one at two ratios."""
        if self.against.name != self.arm.name:
            return "arms"
        if self.against.ratio != self.arm.ratio:
            return "doses"
        return "strategies" if self.against.strategy.curated else "curation"

    @property
    def tested(self) -> bool:
        """Whether the report tests it; what it does not test it describes, and claims nothing of."""
        return not math.isnan(self.p_report)

    @property
    def smallest_detectable(self) -> float:
        """The smallest true difference that it could have found with 80 % power, corrected as it is; NaN where unknown.

        Of non-inferiority and equivalence it is the smallest margin that could have been shown of arms that do not
        differ in truth.
        """
        power = (1 + statistics.POWER) / 2 if self.hypothesis == "equivalence" else statistics.POWER
        return statistics.smallest_detectable(self.difference, max(self.tests, 1), power)

    @property
    def significant(self) -> bool:
        """Whether the report claims it: significant at 5 % over all that the report tests."""
        return self.p_report < 1 - statistics.LEVEL
