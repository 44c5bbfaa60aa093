"""An entry's samples label after label, each label's work shards its own, so that its adapter is loaded once."""

import bisect
import itertools
from typing import Any

from synthgen.sequence import ByCell, Place, Places


class ByLabel:
    """Another sequence's places, label after label.

    Args:
        whole: The other sequence.
    """

    def __init__(self, whole: Places) -> None:
        self.whole, self.cells = whole, whole.cells
        self._parts = {label: whole.part(label) for label in dict.fromkeys(label for label, _ in whole.cells)}
        self._order = list(self._parts.values())
        self.sizes = [part.samples for part in self._order]
        self.samples = sum(self.sizes)
        self._starts = list(itertools.accumulate(self.sizes, initial=0))

    def __getitem__(self, index: int) -> Place:
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
        """What the other sequence says, and that labels follow one another."""
        return self.whole.content() | {"order": "label"}

    def part(self, label: str) -> Places:
        """The places of one label."""
        return self._parts.get(label, ByCell({}))
