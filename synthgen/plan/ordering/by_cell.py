"""Round after round over labels and tones."""

import bisect
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from synthgen.plan.ordering.protocol import Slot

_NAME = re.compile(r"(?P<cell>.+)-(?P<nth>\d{7,15})")


@dataclass(frozen=True, slots=True)
class _Level:
    """From sample ``start`` and each cell's image ``first`` on, these cells take turns."""

    start: int
    first: int
    cells: tuple[int, ...]


class ByCell:
    """So many images of each label on each tone, the cells taking turns.

    Args:
        cells: How many images each label and tone has, in the manifest's order.
    """

    def __init__(self, cells: Mapping[tuple[str, int], int]) -> None:
        self.cells = {cell: count for cell, count in cells.items() if count}
        self.samples = sum(self.cells.values())
        self.sizes = [self.samples]
        self._order = list(self.cells)

    @property
    def parts(self) -> "list[ByCell]":
        """Itself: no round makes anything beyond it."""
        return [self]

    def __getitem__(self, index: int) -> Slot:
        """The place of sample ``index``."""
        return self.nth(*self.turn(index))

    def turn(self, index: int) -> tuple[tuple[str, int], int]:
        """The cell of sample ``index``, and the sample's number within that cell, from 0."""
        level = self._levels[bisect.bisect_right(self._starts, index) - 1]
        turn, number = divmod(index - level.start, len(level.cells))
        return self._order[level.cells[number]], level.first + turn

    def index(self, cell: tuple[str, int], nth: int) -> int | None:
        """The index of a cell's image, as of :meth:`turn`; ``None`` if it has no such image."""
        if not 0 <= nth < self.cells.get(cell, 0):
            return None
        number = self._order.index(cell)
        level = next(level for level in reversed(self._levels) if level.first <= nth)
        return level.start + (nth - level.first) * len(level.cells) + level.cells.index(number)

    def nth(self, cell: tuple[str, int], number: int) -> Slot:
        """The place of a cell's image of that number, also of one beyond the last."""
        label, tone = cell
        return Slot(f"{label}-{tone}-{number:07d}", label, tone)

    def number(self, name: str) -> tuple[tuple[str, int], int] | None:
        """The cell of a name and its number there, also beyond the last; ``None`` if no cell has such a name."""
        match = _NAME.fullmatch(name)
        place = self._by_prefix.get(match["cell"]) if match else None
        if match is None or place is None or name != f"{match['cell']}-{int(match['nth']):07d}":
            return None
        return self._order[place], int(match["nth"])

    def find(self, name: str) -> int | None:
        """The index of the place with that name; ``None`` if there is none."""
        found = self.number(name)
        return self.index(*found) if found else None

    def content(self) -> dict[str, Any]:
        """Nothing beside the cells."""
        return {}

    def names_after(self, prefix: str) -> Iterator[str]:
        """None: its names follow from labels and tones, which the manifest's own check has compared."""
        yield from ()

    def part(self, label: str) -> "ByCell":
        """The places of one label."""
        return ByCell({cell: count for cell, count in self.cells.items() if cell[0] == label})

    @cached_property
    def _levels(self) -> list[_Level]:
        """Runs of rounds in which the same cells still have images to make."""
        counts = list(self.cells.values())
        levels, start = [], 0
        for first, last in itertools.pairwise(sorted({0, *counts})):
            cells = tuple(place for place, count in enumerate(counts) if count > first)
            levels.append(_Level(start, first, cells))
            start += (last - first) * len(cells)
        return levels

    @cached_property
    def _starts(self) -> list[int]:
        return [level.start for level in self._levels]

    @cached_property
    def _by_prefix(self) -> dict[str, int]:
        return {f"{label}-{tone}": number for number, (label, tone) in enumerate(self._order)}
