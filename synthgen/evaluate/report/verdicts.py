"""The sentence on several comparisons: what is claimed of them, what was not shown, or how they came out untested."""

import math
from collections.abc import Iterator, Sequence

from synthgen.evaluate.analysis.comparison import Comparison
from synthgen.evaluate.report import formatting

_MOST = 100  # points: two figures can differ by no more
_SHOWN = {"non-inferiority": "non-inferior to", "equivalence": "equivalent to"}


def verdict(
    what: str,
    found: Sequence[Comparison],
    with_what: str = "real images alone",
    adjectives: tuple[str, str] = ("better", "worse"),
) -> Iterator[str]:
    """The sentence, if there is anything to say: with "significantly" of what the report tests and claims alone.

    Args:
        what: What is compared.
        found: The comparisons, all of one hypothesis.
        with_what: What it is compared with.
        adjectives: What a higher and a lower figure are called.
    """
    tested = [one for one in found if one.tested]
    if not tested:
        yield from _described(what, found, with_what)
    elif tested[0].hypothesis != "difference":
        yield _within_margin(what, tested, with_what)
    else:
        yield _differs(what, tested, with_what, adjectives)


def detectable(found: Sequence[Comparison]) -> str:
    """The smallest differences that comparisons could have found with 80 % power, in points, corrected as they were."""
    sizes = [100 * one.smallest_detectable for one in found]
    known = sorted(size for size in sizes if not math.isnan(size))
    if not known:
        return ""
    low, high = (f"{size:.1f}" if size <= _MOST else f"more than {_MOST}" for size in (known[0], known[-1]))
    return f"{low} points" if low == high else f"{low} to {high} points"


def _differs(what: str, found: Sequence[Comparison], with_what: str, adjectives: tuple[str, str]) -> str:
    higher = [one for one in found if one.significant and one.difference.value > 0]
    lower = [one for one in found if one.significant and one.difference.value < 0]
    open_ = [one for one in found if one not in higher and one not in lower]
    of = formatting.counted(len(found), "comparison")
    least = f"the smallest difference that could have been found (80 % power) is {detectable(open_)}" if open_ else ""
    if not higher and not lower:
        return f"{what}: no difference from {with_what} was shown in {of}; {least}."
    parts = [(f"significantly {adjectives[0]}", len(higher)), (f"significantly {adjectives[1]}", len(lower))]
    shares = formatting.enumerated(
        [f"{word} in {count}" for word, count in [*parts, ("undecided", len(open_))] if count]
    )
    extreme = max([*higher, *lower], key=lambda one: abs(one.difference.value))
    undecided = f" Of those undecided {least}." if open_ else ""
    return (
        f"{what}, against {with_what}: {shares} of {of}; the greatest significant difference, which chance favours, "
        f"was {formatting.points(extreme.difference)} points, in {formatting.arm_name(extreme.arm)}.{undecided}"
    )


def _within_margin(what: str, found: Sequence[Comparison], with_what: str) -> str:
    hypothesis, margin = found[0].hypothesis, f"{100 * found[0].margin:g} points"
    shown, of = sum(one.significant for one in found), formatting.counted(len(found), "comparison")
    ends = {one: one.difference.low if hypothesis == "non-inferiority" else -_reach(one) for one in found}
    worst = min(found, key=ends.__getitem__)
    seen = f"the least favourable was {formatting.points(worst.difference)} points, in {formatting.arm_name(worst.arm)}"
    if shown:
        return (
            f"{what}: shown to be {_SHOWN[hypothesis]} {with_what} by a margin of {margin} in {shown} of {of}; {seen}."
        )
    return (
        f"{what}: {hypothesis} to {with_what} by a margin of {margin} was not shown in {of}; {seen}. Of arms that do "
        f"not differ in truth it could have been shown (80 % power) to a margin of {detectable(found)}."
    )


def _reach(one: Comparison) -> float:
    """How far the interval of a difference reaches from none."""
    return max(abs(one.difference.low), abs(one.difference.high))


def _described(what: str, found: Sequence[Comparison], with_what: str) -> Iterator[str]:
    values = sorted(found, key=lambda one: one.difference.value)
    if not values:
        return
    if len(values) == 1:
        yield f"{what}, against {with_what}: {formatting.points(values[0].difference)} points, not tested."
        return
    low, high = (f"{100 * values[end].difference.value:+.1f}" for end in (0, -1))
    points = f"{low} to {high}" if low != high else low
    yield f"{what}, against {with_what}: {points} points in {len(values)} comparisons, not tested."
