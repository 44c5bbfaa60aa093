"""The table of all questions beside the primary family: a row where sentences would repeat themselves by arm."""

from collections.abc import Sequence

from synthgen.core.report import Table
from synthgen.evaluate.analysis.comparisons import ALL, GAP, Analysis, Comparison
from synthgen.evaluate.report import formatting
from synthgen.evaluate.report.verdicts import detectable

_ASKED = {
    "arms": "is it more than {}?",
    "strategies": "is it more than as many of {}?",
    "curation": "is it more than uncurated?",
    "doses": "does the greatest ratio add to the one before?",
}


def table(analysis: Analysis) -> Table | None:
    """A row a question; ``None`` where the primary family is all that was compared.

    A question is what comparisons of the primary family's metric have in common that differ in size and ratio alone.
    """
    asked: dict[tuple[str, ...], list[Comparison]] = {}
    metric = analysis.primary_family.metric
    for one in analysis.comparisons:
        if one.primary or one.metric != metric or one.subset not in (ALL, GAP) or not one.arm.strategy.curated:
            continue
        against = str(one.against.strategy) if one.kind == "strategies" else one.against.name
        question = _ASKED[one.kind].format(against)
        of_gap = "gap between light and dark" if one.subset == GAP else "all images"
        asked.setdefault((question, one.arm.name, str(one.arm.strategy) or formatting.NONE, of_gap), []).append(one)
    if not asked:
        return None
    caption = (
        "Every other question, as the comparisons at each size and ratio answer it: how many are higher, lower and "
        "undecided by tests that are corrected over all that the report tests; where none is tested, figures are "
        "described. Differences are the lowest and the highest, in points; the smallest is what could have been found "
        "with 80 % power."
    )
    header = ("question", "arm", "strategy", "of", "compared", "higher", "lower", "undecided", "differences")
    return Table(caption, (*header, "smallest"), [(*name, *_answers(found)) for name, found in asked.items()], names=4)


def _answers(found: Sequence[Comparison]) -> tuple[str, ...]:
    """The cells of a question's row after its names."""
    values = sorted(100 * one.difference.value for one in found)
    tested = [one for one in found if one.tested]
    higher = sum(one.significant and one.difference.value > 0 for one in tested)
    lower = sum(one.significant and one.difference.value < 0 for one in tested)
    counts = (str(higher), str(lower), str(len(tested) - higher - lower)) if tested else ("not tested", "", "")
    low, high = f"{values[0]:+.1f}", f"{values[-1]:+.1f}"
    least = detectable(tested).removesuffix(" points") if tested else ""
    return (str(len(found)), *counts, low if low == high else f"{low} to {high}", least or formatting.NONE)
