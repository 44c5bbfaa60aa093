"""What a report tests and what it only describes, and how p values are corrected so that all of it errs at 5 %.

One primary family is named beforehand and corrected by Holm's method. The questions behind it are tested only where
every comparison in it is significant, all of them in one family by Holm's method: serial gatekeeping (P. H. Westfall
and A. Krishen, J Statist Plann Inference 2001, 99:25), so that 5 % hold for both together, whatever is true. All else
is described. Not `statsmodels.stats.multitest`, which corrects one family and knows no gate.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from synthgen.evaluate.analysis import metrics, statistics
from synthgen.evaluate.analysis.comparison import ALL, GAP, Comparison
from synthgen.plan.manifest.primary import CONTROLS, UNCURATED, Primary

_TONE_GROUPS = (metrics.LIGHT, "medium", metrics.DARK)
Training = Callable[[Comparison], Hashable]


def corrected(found: Sequence[Comparison], primary: Primary, training: Training) -> tuple[Comparison, ...]:
    """The comparisons with their p values corrected, a family after another, the primary one first.

    Args:
        found: Every comparison of a study.
        primary: The family that is named beforehand.
        training: What tells two comparisons of the same predictions from others; they count once.
    """
    families: dict[tuple[Hashable, ...], list[Comparison]] = {("primary",): []}
    for one in found:
        named = _named(one, primary)
        subsets = "group" if one.subset in _TONE_GROUPS else one.subset
        key = ("primary",) if named.primary else (one.against.name, one.kind, one.metric, subsets)
        families.setdefault(key, []).append(named)
    first, *rest = (_holm(family, training) for family in families.values())
    return (
        *(replace(one, p_report=one.p_holm, tests=one.family) for one in first),
        *_behind(first, rest, primary, training),
    )


def gate(family: Sequence[Comparison]) -> float:
    """The greatest corrected p of the primary family: below 5 % what stands behind it is tested.

    1 without any, or where one of the family could not be tested, so that not all of it can be significant.
    """
    ps = [one.p_holm for one in family if one.primary]
    return 1.0 if any(map(math.isnan, ps)) else max(ps, default=1.0)


def _named(one: Comparison, primary: Primary) -> Comparison:
    """A comparison with its hypothesis and the p value of that."""
    if not _is_primary(one, primary):
        return replace(one, p_hypothesis=statistics.p_of(one.difference, "difference"))
    margin = math.nan if primary.margin is None else primary.margin
    p = statistics.p_of(one.difference, primary.hypothesis, margin)
    return replace(one, primary=True, hypothesis=primary.hypothesis, margin=margin, p_hypothesis=p)


def _is_primary(one: Comparison, primary: Primary) -> bool:
    arm, strategy = one.arm, one.arm.strategy
    return (
        has_control(one, primary.against)
        and (one.metric, one.subset) == (primary.metric, _subset(primary))
        and arm.name in primary.arms
        and strategy.curated
        and (primary.strategies is None or not strategy or strategy.name in primary.strategies)
        and (primary.n_real is None or arm.n_real in primary.n_real)
        and (primary.ratios is None or not arm.ratio or arm.ratio in primary.ratios)
    )


def has_control(one: Comparison, against: str) -> bool:
    """Whether a comparison is with a control arm, with the same images uncurated, or with another strategy."""
    if against in CONTROLS:
        return one.kind == "arms" and one.against.name == against
    if against == UNCURATED:
        return one.kind == "curation"
    return one.kind == "strategies" and one.against.strategy.name == against


def _subset(primary: Primary) -> str:
    return GAP if primary.subset == "gap" else primary.subset


def _is_behind(one: Comparison, primary: Primary) -> bool:
    """Whether it is a question behind the primary family: its metric, on all images or as an interaction with tone."""
    if one.primary or one.metric != primary.metric or not one.arm.strategy.curated:
        return False
    same = one.arm.name in primary.arms and has_control(one, primary.against)
    return one.subset == ALL or (one.subset == GAP and same)


def _behind(
    first: Sequence[Comparison], rest: Sequence[Sequence[Comparison]], primary: Primary, training: Training
) -> list[Comparison]:
    flat = [one for family in rest for one in family]
    highest = gate(first)
    asked = [place for place, one in enumerate(flat) if _is_behind(one, primary)]
    if highest < 1 - statistics.LEVEL:
        for place, one in zip(asked, _holm([flat[place] for place in asked], training), strict=True):
            if not math.isnan(one.p_holm):
                flat[place] = replace(flat[place], p_report=max(highest, one.p_holm), tests=one.family)
    return flat


def _holm(family: Sequence[Comparison], training: Training) -> list[Comparison]:
    """A family with Holm's p, comparisons of the same predictions by the same figure counted once."""
    distinct: dict[Hashable, float] = {}
    keys = [(one.metric, one.subset, training(one)) for one in family]
    for key, one in zip(keys, family, strict=True):
        distinct.setdefault(key, one.p_hypothesis)
    adjusted = dict(zip(distinct, statistics.holm([*distinct.values()]), strict=True))
    tested = sum(not math.isnan(p) for p in adjusted.values())
    return [replace(one, p_holm=adjusted[key], family=tested) for key, one in zip(keys, family, strict=True)]
