"""The next round of images where a quota lacks some: a pure function of the plan and of its survivors."""

from collections.abc import Mapping

from synthgen.curate.survivors import CellSurvivors, Survivors
from synthgen.plan import EntryPlan, Plan
from synthgen.plan.ordering import apportion
from synthgen.plan.top_ups import Round
from synthgen.runs.cell import Cell

_MOST_FOR_ONE = 4  # images made for one that lacks, at the most, in one round


def next_round(plan: Plan, outcome: Survivors) -> Round:
    """How many more images of each cell to make; empty where none lacks any, or no round is left.

    A cell of which half are kept gets twice what it lacks, but never more than four times. An entry that starts from
    another's images gets one for each of that one's, so what it lacks is asked of that one.
    """
    curation = plan.manifest.curation
    if curation is None or len(plan.rounds) >= curation.written.top_up_rounds:
        return {}
    needs = {Cell(one.entry, one.label, one.tone): _images_to_make(one) for one in outcome.lacking}
    for name, entry in reversed(plan.entries.items()):  # one that others start from comes before them
        if entry.parent:
            of_entry = {cell: needs.pop(cell) for cell in [*needs] if cell.entry == name}
            for cell, count in _needed_of_parent(plan.entries[entry.parent], entry, of_entry).items():
                needs[cell] = max(count, needs.get(cell, 0))
    more: dict[str, dict[tuple[str, int], int]] = {name: {} for name in plan.entries}
    for (name, label, tone), count in sorted(needs.items()):
        more[name][label, tone] = count
    return {name: cells for name, cells in more.items() if cells}


def _images_to_make(cell: CellSurvivors) -> int:
    """How many images to make of a cell so that as many as it lacks may be kept, by the share kept so far."""
    if not cell.kept:
        return cell.lacking * _MOST_FOR_ONE
    return min(cell.lacking * _MOST_FOR_ONE, -(-cell.lacking * cell.planned // cell.kept))


def _needed_of_parent(parent: EntryPlan, entry: EntryPlan, needs: Mapping[Cell[int], int]) -> dict[Cell[int], int]:
    """How many images of each cell of another entry this one needs to start from."""
    asked: dict[Cell[int], int] = {}
    for (_, label, tone), count in needs.items():
        cells = [cell for cell in parent.cells if cell.tone == tone and label in (cell.label, entry.target_label)]
        for one, share in zip(cells, apportion(count, [one.count for one in cells]), strict=True):
            if share:
                cell = Cell(parent.name, one.label, one.tone)
                asked[cell] = asked.get(cell, 0) + share
    return asked
