"""What a rule is made of, and how it judges whole columns of scores at once.

A score that is not known makes a comparison neither true nor false, and Kleene's three-valued logic carries that on, so
``not a.b < 1`` is no way around it; an image is kept only where a rule is known to hold.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]


COMPARE: dict[str, Callable[[Any, float], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of N images, where a rule is known to hold and where it is known not to; elsewhere nothing is known."""

    holds: Mask
    fails: Mask


class Rule(Protocol):
    """What every part of a rule offers."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads, ``scorer.column`` each."""

    def judge(self, scores: Mapping[str, NDArray[np.float64]]) -> Judgement:
        """Judge N images by their scores, N of each column; NaN is a score that is not known."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with a number."""

    column: str
    sign: str
    number: float

    @property
    def columns(self) -> frozenset[str]:
        """The one column."""
        return frozenset((self.column,))

    def judge(self, scores: Mapping[str, NDArray[np.float64]]) -> Judgement:
        """Compare; what is NaN neither holds nor fails."""
        values = scores[self.column]
        found, known = COMPARE[self.sign](values, self.number), values == values  # noqa: PLR0124 - NaN alone differs
        return Judgement(found & known, ~found & known)


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary of a rule."""

    of: Rule

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the rule."""
        return self.of.columns

    def judge(self, scores: Mapping[str, NDArray[np.float64]]) -> Judgement:
        """Hold where the rule is known to fail."""
        found = self.of.judge(scores)
        return Judgement(found.fails, found.holds)


@dataclass(frozen=True, slots=True)
class Both:
    """Two rules of which one, or with ``every`` both, must hold."""

    one: Rule
    other: Rule
    every: bool

    @property
    def columns(self) -> frozenset[str]:
        """The columns of both rules."""
        return self.one.columns | self.other.columns

    def judge(self, scores: Mapping[str, NDArray[np.float64]]) -> Judgement:
        """Judge by both."""
        one, other = self.one.judge(scores), self.other.judge(scores)
        if self.every:
            return Judgement(one.holds & other.holds, one.fails | other.fails)
        return Judgement(one.holds | other.holds, one.fails & other.fails)
