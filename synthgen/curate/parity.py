"""Parity: whether rules reject dark skin more often than light, as a ratio with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# The darker and the lighter half of each scale, as records write them; the middle of an odd scale would be in neither.
_DARK = frozenset({"IV", "V", "VI", "56", *map(str, range(6, 11))})
_LIGHT = frozenset({"I", "II", "III", "12", *map(str, range(1, 6))})
_Z = 1.959964  # of a two-sided interval of 95 %


@dataclass(frozen=True, slots=True)
class Parity:
    """How often images of dark and of light skin are rejected.

    Attributes:
        dark: Images of dark skin that are rejected, and all of them.
        light: The same of light skin.
        ratio: The share of dark ones rejected over that of light ones; NaN where a half has no image.
        low: The lower end of its 95 % interval, by the log method of Katz et al. 1978, half an image added to each
            count so that none is 0.
        high: The upper end.
    """

    dark: tuple[int, int]
    light: tuple[int, int]
    ratio: float
    low: float
    high: float

    def missed(self, least: float) -> bool:
        """Whether a half keeps, of its images, less than ``least`` times the share that the other keeps."""
        kept = [1 - rejected / total for rejected, total in (self.dark, self.light) if total]
        return len(kept) == 2 and max(kept) > 0 and min(kept) / max(kept) < least


def parity(rejected: Mapping[str, int], totals: Mapping[str, int]) -> Parity:
    """The parity of counts by skin tone, as records write tones; tones that are unknown count for neither half."""
    dark, light = (
        (sum(rejected.get(tone, 0) for tone in half & set(totals)), sum(totals[tone] for tone in half & set(totals)))
        for half in (_DARK, _LIGHT)
    )
    if not dark[1] or not light[1]:
        return Parity(dark, light, math.nan, math.nan, math.nan)
    shares = [((count + 0.5) / (total + 0.5), count + 0.5, total + 0.5) for count, total in (dark, light)]
    ratio = shares[0][0] / shares[1][0]
    spread = math.sqrt(sum(1 / count - 1 / total for _, count, total in shares))
    return Parity(dark, light, ratio, ratio * math.exp(-_Z * spread), ratio * math.exp(_Z * spread))
