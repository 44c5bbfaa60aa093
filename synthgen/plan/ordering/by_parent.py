"""One for one, in another entry's order."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from synthgen.plan.ordering.by_cell import ByCell
from synthgen.plan.ordering.protocol import Ordering, Slot


class ByParent:
    """One image for each image of another entry, in that entry's order.

    Args:
        parent: The other entry's name.
        places: Its ordering.
        digest: Its digest.
        target_label: The label to turn every one into; ``None`` for its own.
    """

    def __init__(self, parent: str, places: Ordering, digest: str, target_label: str | None) -> None:
        self._parent, self._places, self._digest, self._target = parent, places, digest, target_label
        self.samples, self.sizes = places.samples, places.sizes

    @property
    def parts(self) -> "list[ByParent]":
        """Itself: no round makes anything beyond it."""
        return [self]

    def __getitem__(self, index: int) -> Slot:
        """The place of sample ``index``."""
        place = self._places[index]
        label = self._target or place.label
        return Slot(place.name, label, place.tone, place.source, f"{self._parent}-{place.name}")

    @cached_property
    def cells(self) -> Mapping[tuple[str, int], int]:
        """How many samples each label and tone has."""
        counts = Counter[tuple[str, int]]()
        for (label, tone), count in self._places.cells.items():
            counts[self._target or label, tone] += count
        return counts

    def find(self, name: str) -> int | None:
        """The index of the place with that name; ``None`` if there is none."""
        return self._places.find(name)

    def content(self) -> dict[str, Any]:
        """The other entry's digest, and the label to turn its images into."""
        return {"from": self._parent, "digest": self._digest, "target_label": self._target}

    def names_after(self, prefix: str) -> Iterator[str]:
        """The names of the other entry's places, which are its own too."""
        return self._places.names_after(prefix)

    def part(self, label: str) -> Ordering:
        """The places of one label."""
        if self._target is None:
            return ByParent(self._parent, self._places.part(label), self._digest, None)
        return self if label == self._target else ByCell({})
