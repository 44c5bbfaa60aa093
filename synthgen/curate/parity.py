"""How often a filter rejects dark skin beside light skin: overall, by label, and whether labels differ in it.

Dark and light images may have other shares of labels and entries, and a filter may treat labels unlike: over all of
them it can seem to spare dark skin while it rejects more of it in some label (E. H. Simpson, J R Stat Soc B 1951). So
the ratio of the rates is pooled over entries and labels as N. Mantel and W. Haenszel do (J Natl Cancer Inst 1959,
22:719), with the variance of S. Greenland and J. M. Robins (Biometrics 1985, 41:55), and the worst label is named.
Not `statsmodels.stats.contingency_tables.StratifiedTable`: it has an interval of the odds ratio alone, and is a large
package for two sums; tests hold the ratio against it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthgen.plan import skin_tones
from synthgen.runs.verdicts import Ratio

if TYPE_CHECKING:
    from synthgen.curate.rules import Verdicts

Mask = NDArray[np.bool_]
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class LabelParity:
    """How often a filter rejects dark skin beside light skin once labels are told apart.

    It is counted anew each time, and no part of the verdicts: a dataset's digest covers those.

    Attributes:
        reason: The filter's reason; empty for all rules together.
        ratio: Of the rates, dark to light, pooled over entries and labels; ``None`` where no light skin was rejected.
        low: Of its 95 % interval, the lower end.
        high: The upper end.
        worst_label: The label whose interval begins highest.
        worst: Its ratio; ``None`` as for ``ratio``.
        worst_low: Of its interval, which is corrected for the number of labels, the lower end.
        worst_high: The upper end.
        labels_differ: Whether labels have other ratios than each other (Cochran's Q at 5 %).
    """

    reason: str
    ratio: float | None
    low: float
    high: float
    worst_label: str
    worst: float | None
    worst_low: float
    worst_high: float
    labels_differ: bool

    def uneven(self, most: float) -> bool:
        """Whether dark skin is known to be rejected more often than that ratio: over all labels, or in one of them."""
        return self.low > most or self.worst_low > most


class Counts(NamedTuple):
    """The images of one entry and label: dark and light ones, and how many of each a filter rejects."""

    dark_rejected: int
    dark: int
    light_rejected: int
    light: int


def ratios(verdicts: Verdicts, scale: str) -> list[Ratio]:
    """How often each rule, and all rules together where there are several, reject dark skin beside light skin.

    None where a group has no image.

    Reasons that count images (``best``, ``balance_skin_tones``) are left out: they cut what the rules left too many of.
    """
    return [_ratio(reason, cells) for reason, cells in _filters(verdicts, scale).items()]


def by_label(verdicts: Verdicts, scale: str) -> list[LabelParity]:
    """The same with labels and entries told apart; none where there are no two labels with light and dark images."""
    strata: dict[str, dict[str, list[int]]] = {}
    for number, (entry, label, _) in enumerate(verdicts.images.cells):
        strata.setdefault(label, {}).setdefault(entry, []).append(number)
    found = (_by_label(reason, cells, strata) for reason, cells in _filters(verdicts, scale).items())
    return [one for one in found if one is not None]


def _filters(verdicts: Verdicts, scale: str) -> dict[str, _Cells]:
    """What each rule, and all together as an empty text, reject of every cell; empty where a group has no image."""
    groups, images = skin_tones.GROUPS.get(scale, {}), verdicts.images
    tones = np.array([tone for _, _, tone in images.cells], np.int64)
    light, dark = (np.isin(tones, groups.get(name, ())) for name in ("light", "dark"))
    counted = images.count()
    if not counted[light].any() or not counted[dark].any():
        return {}
    masks = {reason: mask for reason, mask in verdicts.rejected.items() if reason in verdicts.by_rule}
    if len(masks) > 1:
        masks[""] = np.logical_or.reduce(list(masks.values()))
    return {reason: _Cells(images.count(mask), counted, light, dark) for reason, mask in masks.items()}


class _Cells(NamedTuple):
    """Of every cell, how many images a filter rejects, how many there are, and whether they are light or dark."""

    rejected: NDArray[np.int64]
    counted: NDArray[np.int64]
    light: Mask
    dark: Mask

    def among(self, cells: Sequence[int] | slice) -> Counts:
        """The counts of some cells together."""
        sides = (mask[cells] for mask in (self.dark, self.light))
        parts = [values[cells][side].sum() for side in sides for values in (self.rejected, self.counted)]
        return Counts(*map(int, parts))


def _ratio(reason: str, cells: _Cells) -> Ratio:
    whole = cells.among(slice(None))
    ratio = None
    if whole.light_rejected:
        ratio = (whole.dark_rejected / whole.dark) / (whole.light_rejected / whole.light)
    counts = whole.light, whole.light_rejected, whole.dark, whole.dark_rejected
    return Ratio(reason, *counts, ratio, *interval(*whole))


def _by_label(reason: str, cells: _Cells, strata: Mapping[str, Mapping[str, Sequence[int]]]) -> LabelParity | None:
    counts = {label: list(map(cells.among, entries.values())) for label, entries in strata.items()}
    known = {label: both for label, found in counts.items() if (both := list(filter(_both, found)))}
    if len(known) < 2:
        return None
    pooled = pooled_ratio([one for found in known.values() for one in found])
    level = 1 - (1 - LEVEL) / len(known)  # Bonferroni's: the worst of several is worse than it is by chance
    each = {label: pooled_ratio(found, level) for label, found in known.items()}
    worst = max(each, key=lambda label: each[label][1])
    differ = heterogeneity([_summed(found) for found in known.values()]) < 1 - LEVEL
    return LabelParity(reason, *pooled, worst, *each[worst], differ)


def pooled_ratio(strata: Sequence[Counts], level: float = LEVEL) -> tuple[float | None, float, float]:
    """The ratio of two rejection rates, dark to light, pooled over strata, with its interval.

    ``None`` where no image of light skin was rejected; the interval is then that of all strata together with half a
    case added, as it is of one stratum and where no image of dark skin was rejected.
    """
    a, n, b, m = (np.array(column, np.float64) for column in zip(*strata, strict=True))
    total = n + m
    above, below = float((a * m / total).sum()), float((b * n / total).sum())
    ratio = above / below if below else None
    if not above or not below or len(strata) == 1:
        return ratio, *interval(*_summed(strata), level)
    variance = float(((a + b) * n * m / total**2 - a * b / total).sum()) / (above * below)
    half = _quantile(level) * math.sqrt(max(variance, 0.0))
    return ratio, math.exp(math.log(above / below) - half), math.exp(math.log(above / below) + half)


def heterogeneity(strata: Sequence[Counts]) -> float:
    """The p value of strata having one ratio: W. G. Cochran's Q (Biometrics 1954, 10:101) of log ratios."""
    from scipy.special import chdtrc

    found = [_log_ratio(*one) for one in strata]
    weights = np.array([1 / variance for _, variance in found])
    logs = np.array([value for value, _ in found])
    mean = (weights * logs).sum() / weights.sum()
    return float(chdtrc(len(strata) - 1, float((weights * (logs - mean) ** 2).sum())))


def interval(
    cases: int, total: int, control_cases: int, control_total: int, level: float = LEVEL
) -> tuple[float, float]:
    """The interval of a ratio of two rates, lower and upper end, by the adjusted log method.

    Half a case is added to each count (S. D. Walter, Biometrika 1975, 62:371), so that it exists where a count is 0;
    else it is the log method of D. Katz et al. (Biometrics 1978, 34:469). That is what
    ``scipy.stats.contingency.relative_risk`` has, without the half case.
    """
    centre, variance = _log_ratio(cases, total, control_cases, control_total)
    half = _quantile(level) * math.sqrt(variance)
    return math.exp(centre - half), math.exp(centre + half)


def _log_ratio(cases: int, total: int, control_cases: int, control_total: int) -> tuple[float, float]:
    """The logarithm of a ratio of two rates and its variance, with half a case added to each count."""
    a, n, b, m = cases + 0.5, total + 0.5, control_cases + 0.5, control_total + 0.5
    return math.log(a / n) - math.log(b / m), max(1 / a - 1 / n + 1 / b - 1 / m, 1e-12)


def _quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def _summed(strata: Sequence[Counts]) -> Counts:
    return Counts(*(sum(column) for column in zip(*strata, strict=True)))


def _both(one: Counts) -> bool:
    return bool(one.dark and one.light)
