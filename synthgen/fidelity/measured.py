"""The value of a measure, or the reason why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

MINIMUM = 20  # images on either side; with fewer, neighbours and covariances say more of chance than of the images


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
        """The mean over disjoint draws, and the standard error that their spread shows; of one draw, that draw."""
        if len(draws) == 1:
            return draws[0]
        values = np.array([one.value for one in draws])
        error = float(values.std(ddof=1) / math.sqrt(len(values)))
        return cls(float(values.mean()), error, draws[0].note)


def too_few(queries: int, references: int) -> str:
    """Why two sets are too small to be compared; empty where they are not."""
    if min(queries, references) >= MINIMUM:
        return ""
    return f"needs {MINIMUM} images on either side, has {queries} and {references}"
