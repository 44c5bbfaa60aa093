"""One arm against another, as the report's claims are made of."""

from dataclasses import dataclass
from typing import Literal

from synthgen.evaluate import statistics
from synthgen.evaluate.predictions import Cell
from synthgen.evaluate.statistics import Estimate
from synthgen.manifest.evaluate import UNCURATED

Sort = Literal["arms", "strategies", "curation"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm against another at the same number of real images.

    Attributes:
        cell: The arm that is compared.
        against: The arm that it is compared with.
        metric: Of :class:`~synthgen.evaluate.metrics.Scores`.
        subset: ``all`` test images, those of one tone group, or the gap between light and dark.
        mean: The arm's own figure.
        mean_against: That of the arm that it is compared with.
        difference: The first less the second.
        p_holm: Corrected over the family: every comparison with the same arm in ``against``, as one of the same
            :attr:`sort`, in the same metric and kind of subset; NaN where one seed of several is left.
        family: How many comparisons are in it that have a p value.
    """

    cell: Cell
    against: Cell
    metric: str
    subset: str
    mean: float
    mean_against: float
    difference: Estimate
    p_holm: float = float("nan")
    family: int = 0

    @property
    def sort(self) -> Sort:
        """Whether two arms are compared, two strategies in one arm, or the images of one before and after curation."""
        if self.against.arm != self.cell.arm:
            return "arms"
        return "curation" if self.against.strategy.startswith(UNCURATED) else "strategies"

    @property
    def significant(self) -> bool:
        """Whether it is significant at 5 % after Holm's correction."""
        return self.p_holm < 1 - statistics.LEVEL
