"""The value of a measure, or the reason why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

MINIMUM = 20  # images on either side; with fewer, neighbours and covariances say more of chance than of the images

_ENOUGH = 3  # draws whose spread tells of an error; that of two is any number


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Attributes:
        value: The value; NaN where there is none.
        standard_error: Of the value, by repetition on disjoint images; NaN where it is not known.
        note: Why there is no value, or what biases it; empty where nothing has to be said.
    """

    value: float
    standard_error: float = math.nan
    note: str = ""

    @classmethod
    def absent(cls, note: str) -> Self:
        """No value, and why."""
        return cls(math.nan, math.nan, note)

    @classmethod
    def mean(cls, draws: Sequence[Self]) -> Self:
        """The mean over disjoint draws, its standard error from theirs, or else from the spread of three or more."""
        values, errors = (np.array([getattr(one, name) for one in draws]) for name in ("value", "standard_error"))
        error = float(np.sqrt((errors**2).sum()) / len(draws))
        if math.isnan(error) and len(draws) >= _ENOUGH:
            error = float(values.std(ddof=1) / math.sqrt(len(draws)))
        return cls(float(values.mean()), error, draws[0].note)


def too_few(queries: int, references: int) -> str:
    """Why two sets are too small to be compared; empty where they are not."""
    if min(queries, references) >= MINIMUM:
        return ""
    return f"needs {MINIMUM} images on either side, has {queries} and {references}"
