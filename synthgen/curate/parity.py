"""How often a filter rejects dark skin beside light skin: the ratio of two rates, with its interval."""

import math

import numpy as np
from numpy.typing import NDArray

from synthgen import skin_tones
from synthgen.curate.judging import Mask, Verdicts
from synthgen.verdicts import Ratio

_Z = 1.959963984540054  # the normal distribution's 97.5 % point


def ratios(verdicts: Verdicts, scale: str) -> list[Ratio]:
    """The ratio of each rule, and where there are several of all of them; none where a group has no image.

    Reasons that count images (``best``, ``balance_skin_tones``) are left out: they cut what the rules left too many of.
    """
    groups, samples = skin_tones.GROUPS.get(scale, {}), verdicts.samples
    tones = np.array([tone for _, _, tone in samples.cells], np.int64)[samples.cell]
    light, dark = np.isin(tones, groups.get("light", ())), np.isin(tones, groups.get("dark", ()))
    if not light.any() or not dark.any():
        return []
    masks = {reason: mask for reason, mask in verdicts.rejected.items() if reason in verdicts.by_rule}
    if len(masks) > 1:
        masks[""] = np.logical_or.reduce(list(masks.values()))
    return [_ratio(reason, mask, light, dark) for reason, mask in masks.items()]


def _ratio(reason: str, mask: Mask, light: Mask, dark: Mask) -> Ratio:
    def count(one: NDArray[np.bool_]) -> int:
        return int(one.sum())

    counts = count(light), count(mask & light), count(dark), count(mask & dark)
    ratio = None if not counts[1] else (counts[3] / counts[2]) / (counts[1] / counts[0])
    return Ratio(reason, *counts, ratio, *interval(counts[3], counts[2], counts[1], counts[0]))


def interval(cases: int, total: int, control_cases: int, control_total: int) -> tuple[float, float]:
    """The 95 % interval of a ratio of two rates, by the adjusted log method.

    Half a case is added to each count (S. D. Walter, Biometrika 1975, 62:371), so that it exists where a count is 0;
    else it is the log method of D. Katz et al. (Biometrics 1978, 34:469).
    """
    a, n, b, m = cases + 0.5, total + 0.5, control_cases + 0.5, control_total + 0.5
    centre = math.log(a / n) - math.log(b / m)
    half = _Z * math.sqrt(1 / a - 1 / n + 1 / b - 1 / m)
    return math.exp(centre - half), math.exp(centre + half)
