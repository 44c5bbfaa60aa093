"""Orderings made of others: label after label, and with what a run makes beyond its plan after the planned samples."""

import bisect
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from synthgen.plan.ordering.by_cell import ByCell
from synthgen.plan.ordering.protocol import Cell, ExtendableOrdering, Ordering, Slot


class GroupedByLabel:
    """Another ordering's places, label after label.

    Args:
        whole: The other ordering.
    """

    def __init__(self, whole: Ordering) -> None:
        self.whole, self.cells = whole, whole.cells
        self._parts = {label: whole.part(label) for label in dict.fromkeys(label for label, _ in whole.cells)}
        self._order = list(self._parts.values())
        self.sizes = [part.samples for part in self._order]
        self.samples = sum(self.sizes)
        self._starts = list(itertools.accumulate(self.sizes, initial=0))

    @property
    def parts(self) -> "list[GroupedByLabel]":
        """Itself: no round makes anything beyond it."""
        return [self]

    def __getitem__(self, index: int) -> Slot:
        """The place of sample ``index``."""
        number = bisect.bisect_right(self._starts, index) - 1
        return self._order[number][index - self._starts[number]]

    def find(self, name: str) -> int | None:
        """The index of the place with that name; ``None`` if there is none."""
        for start, part in zip(self._starts, self._order, strict=False):
            found = part.find(name)
            if found is not None:
                return start + found
        return None

    def content(self) -> dict[str, Any]:
        """What the other ordering says, and that labels follow one another."""
        return self.whole.content() | {"order": "label"}

    def names_after(self, prefix: str) -> Iterator[str]:
        """Those of the other ordering."""
        return self.whole.names_after(prefix)

    def part(self, label: str) -> Ordering:
        """The places of one label."""
        return self._parts.get(label, ByCell({}))


class TopUpRound:
    """So many more images of some cells, the cells taking turns; each cell's numbers go on where they ended.

    Args:
        whole: The planned ordering.
        cells: How many more images each label and tone gets; one that the plan does not have gets none.
        before: How many images each label and tone has had so far.
    """

    def __init__(self, whole: ExtendableOrdering, cells: Mapping[Cell, int], before: Mapping[Cell, int]) -> None:
        self._whole, self._before = whole, before
        self._turns = ByCell({cell: count for cell, count in cells.items() if cell in whole.cells})
        self.cells, self.samples, self.sizes = self._turns.cells, self._turns.samples, self._turns.sizes

    @property
    def parts(self) -> "list[TopUpRound]":
        """Itself: no round makes anything beyond it."""
        return [self]

    def __getitem__(self, index: int) -> Slot:
        """The place of sample ``index``."""
        cell, nth = self._turns.turn(index)
        return self._whole.nth(cell, self._before[cell] + nth)

    def find(self, name: str) -> int | None:
        """The index of the place with that name; ``None`` if there is none."""
        found = self._whole.number(name)
        return None if found is None else self._turns.index(found[0], found[1] - self._before[found[0]])

    def content(self) -> dict[str, Any]:
        """What the planned ordering says."""
        return self._whole.content()

    def names_after(self, prefix: str) -> Iterator[str]:
        """Those of them that are real images' and made in this round."""
        return (name for name in self._whole.names_after(prefix) if self.find(name) is not None)

    def part(self, label: str) -> "TopUpRound":
        """The places of one label."""
        return TopUpRound(self._whole, {cell: n for cell, n in self.cells.items() if cell[0] == label}, self._before)


class WithTopUps:
    """A planned ordering and those that go on where it ends; no work shard straddles two of them.

    Args:
        parts: The planned ordering, and one a round.
    """

    def __init__(self, parts: Sequence[Ordering]) -> None:
        self.parts = parts
        self.sizes = [size for part in parts for size in part.sizes]
        self.samples = sum(self.sizes)
        self._starts = list(itertools.accumulate((part.samples for part in parts), initial=0))
        self.cells: Mapping[Cell, int] = _added(part.cells for part in parts)

    def __getitem__(self, index: int) -> Slot:
        """The place of sample ``index``."""
        number = bisect.bisect_right(self._starts, index, hi=len(self.parts)) - 1
        return self.parts[number][index - self._starts[number]]

    def find(self, name: str) -> int | None:
        """The index of the place with that name; ``None`` if there is none."""
        for start, part in zip(self._starts, self.parts, strict=False):
            found = part.find(name)
            if found is not None:
                return start + found
        return None

    def content(self) -> dict[str, Any]:
        """What the planned ordering says: what is made beyond it changes none of its images."""
        return self.parts[0].content()

    def names_after(self, prefix: str) -> Iterator[str]:
        """Those of the planned ordering."""
        return self.parts[0].names_after(prefix)

    def part(self, label: str) -> "WithTopUps":
        """The places of one label."""
        return WithTopUps([part.part(label) for part in self.parts])


def extended(planned: Ordering, rounds: Sequence[Ordering]) -> Ordering:
    """A planned ordering with what goes on where it ends, if anything does."""
    return WithTopUps([planned, *rounds]) if rounds else planned


def rounds_of(whole: ExtendableOrdering, rounds: Sequence[Mapping[Cell, int]]) -> list[TopUpRound]:
    """The ordering of each round, its numbers going on where those of the one before end."""
    found, before = list[TopUpRound](), Counter(dict(whole.cells))
    for cells in rounds:
        found.append(TopUpRound(whole, cells, dict(before)))
        before.update(found[-1].cells)
    return found


def _added(counts: Any) -> dict[Cell, int]:
    total = Counter[Cell]()
    for one in counts:
        total.update(one)
    return dict(total)
