"""What a report begins with: one sentence of verdict, and the table of the comparisons that it is made from."""

import math
from collections.abc import Sequence

from synthgen.core.report import Table
from synthgen.evaluate.analysis.comparisons import ADDED, Analysis, Comparison
from synthgen.evaluate.report import conclusions, formatting
from synthgen.evaluate.report.verdicts import detectable

_WORDS = {"difference": ("better", "worse"), "gap": ("wider", "narrower")}


def verdict(analysis: Analysis) -> str:
    """The sentence: what is claimed and what is not, the smallest that was shown beside the largest that was not."""
    named, family = analysis.primary_family, analysis.primary
    tested = [one for one in family if one.tested]
    what = "Adding synthetic images" if named.arms == [ADDED] else formatting.enumerated(named.arms)
    against = f"{conclusions.control(named)} in {conclusions.metric_in_words(named)}"
    if not tested:
        why = "three seeds or more are needed" if family else "no arm could be compared"
        return f"Nothing was shown: {what[0].lower() + what[1:]} against {against} was not tested, since {why}."
    if tested[0].hypothesis != "difference":
        return _within_margin(what, against, tested)
    return _differs(what, against, tested, _WORDS["gap" if named.subset == "gap" else "difference"])


def comparisons(analysis: Analysis) -> Table | None:
    """The table of the primary family; ``None`` where nothing could be compared."""
    family = analysis.primary
    if not family:
        return None
    differs = family[0].hypothesis == "difference"
    caption = (
        "The primary comparisons, percent and points, with 95 % intervals of one comparison each; p is corrected over "
        "the family by Holm's method. The last column is the smallest "
        + ("difference that could have been found" if differs else "margin that could have been shown")
        + " with 80 % power."
    )
    header = ("arm", "strategy", "shown", "n", "ratio", "seeds", family[0].against.name, "arm, %")
    return Table(caption, (*header, "difference", "p", "smallest"), [_row(one) for one in family], names=3)


def _row(one: Comparison) -> tuple[str, ...]:
    arm, known = one.arm, one.difference
    means = (formatting.number(100 * one.mean_against), formatting.number(100 * one.mean))
    return (
        arm.name,
        str(arm.strategy) or formatting.NONE,
        _shown(one),
        str(arm.n_real),
        f"{arm.ratio:g}" if arm.ratio else formatting.NONE,
        str(known.seeds),
        *means,
        formatting.points(known),
        formatting.p_value(one.p_report),
        detectable([one]).removesuffix(" points") or formatting.NONE,
    )


def _shown(one: Comparison) -> str:
    """What the report claims of a comparison, in a word or two."""
    if not one.tested:
        return "not tested"
    if not one.significant:
        return "no"
    if one.hypothesis != "difference":
        return one.hypothesis
    higher, lower = _WORDS["difference"] if one.subset == "all" or "gap" not in one.subset else _WORDS["gap"]
    return higher if one.difference.value > 0 else lower


def _differs(what: str, against: str, tested: Sequence[Comparison], words: tuple[str, str]) -> str:
    shown = [one for one in tested if one.significant]
    open_ = [one for one in tested if not one.significant]
    of = formatting.counted(len(tested), "comparison")
    if not shown:
        return (
            f"{what} was not shown to make a difference to {against}, in {of}: the largest seen was "
            f"{_largest(open_)}, and {_least(open_)}."
        )
    counts = [(word, sum(_shown(one) == word for one in shown)) for word in words]
    said = formatting.enumerated([f"{word} in {count}" for word, count in counts if count])
    smallest = min(shown, key=lambda one: abs(one.difference.value))
    sentence = (
        f"{what}, against {against}, was shown to be {said} of {of}, by {_points(shown)}; the smallest that was shown "
        f"is {formatting.points(smallest.difference)} points"
    )
    if not open_:
        return sentence + "."
    return sentence + f", the largest that was not is {_largest(open_)} ({_least(open_)})."


def _within_margin(what: str, against: str, tested: Sequence[Comparison]) -> str:
    one, shown = tested[0], [each for each in tested if each.significant]
    of = formatting.counted(len(tested), "comparison")
    asked = f"{one.hypothesis} to {against} by a margin of {100 * one.margin:g} points"
    worst = min(tested, key=lambda each: each.difference.low)
    seen = f"the least favourable interval is {formatting.points(worst.difference)} points"
    if not shown:
        return f"{what}: {asked} was not shown in {of}; {seen}."
    return f"{what}: {asked} was shown in {len(shown)} of {of}; {seen}."


def _points(shown: Sequence[Comparison]) -> str:
    values = sorted(100 * one.difference.value for one in shown)
    low, high = f"{values[0]:+.1f}", f"{values[-1]:+.1f}"
    return f"{low} points" if low == high else f"{low} to {high} points"


def _largest(found: Sequence[Comparison]) -> str:
    one = max(found, key=lambda each: abs(each.difference.value))
    return f"{formatting.points(one.difference)} points"


def _least(found: Sequence[Comparison]) -> str:
    known = [one for one in found if not math.isnan(one.smallest_detectable)]
    if not known:
        return "what could have been found is not known"
    return f"the smallest that could have been found with 80 % power is {detectable(known)}"
