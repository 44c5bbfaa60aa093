"""Round after round over real images."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from synthgen.core.hashing import stable_hash
from synthgen.plan.ordering.protocol import Slot
from synthgen.plan.real_index import Source

_NAME = re.compile(r"(?P<source>.+)-(?P<nth>\d{3,6})")


class BySource:
    """So many images of each real image; label and tone are its own, or the label is the one to turn it into.

    Args:
        sources: The real images.
        per_source: Images a real image.
        target_label: The label to turn every one into; ``None`` for its own.
        seed: The manifest's seed, which shuffles the sources.
    """

    def __init__(self, sources: Iterable[Source], per_source: int, target_label: str | None, seed: int) -> None:
        self._sources = sorted(sources, key=lambda source: stable_hash(seed, "order", source.id))
        self._per_source, self._target, self._seed = per_source, target_label, seed
        self.samples = len(self._sources) * per_source
        self.sizes = [self.samples]

    @property
    def parts(self) -> "list[BySource]":
        """Itself: no round makes anything beyond it."""
        return [self]

    def __getitem__(self, index: int) -> Slot:
        """The place of sample ``index``."""
        nth, number = divmod(index, len(self._sources))
        source = self._sources[number]
        return Slot(f"{source.id}-{nth:03d}", self._target or source.label, source.tone, source)

    @cached_property
    def cells(self) -> Mapping[tuple[str, int], int]:
        """How many samples each label and tone has."""
        counts = Counter((self._target or source.label, source.tone) for source in self._sources)
        return {cell: count * self._per_source for cell, count in sorted(counts.items())}

    def find(self, name: str) -> int | None:
        """The index of the place with that name; ``None`` if there is none."""
        match = _NAME.fullmatch(name)
        number = self._numbers.get(match["source"]) if match else None
        if match is None or number is None:
            return None
        nth = int(match["nth"])
        if nth >= self._per_source or name != f"{match['source']}-{nth:03d}":
            return None
        return nth * len(self._sources) + number

    def part(self, label: str) -> "BySource":
        """The places of one label."""
        sources = [source for source in self._sources if (self._target or source.label) == label]
        return BySource(sources, self._per_source, self._target, self._seed)

    def nth(self, cell: tuple[str, int], number: int) -> Slot:
        """The place of a cell's image of that number, also of one beyond the last: its sources take turns."""
        turn, place = divmod(number, len(self._by_cell[cell]))
        source = self._by_cell[cell][place]
        return Slot(f"{source.id}-{turn:03d}", self._target or source.label, source.tone, source)

    def number(self, name: str) -> tuple[tuple[str, int], int] | None:
        """The cell of a name and its number there, also beyond the last; ``None`` if no source has such a name."""
        match = _NAME.fullmatch(name)
        place = self._numbers.get(match["source"]) if match else None
        if match is None or place is None or name != f"{match['source']}-{int(match['nth']):03d}":
            return None
        source = self._sources[place]
        cell = self._target or source.label, source.tone
        return cell, int(match["nth"]) * len(self._by_cell[cell]) + self._by_cell[cell].index(source)

    @cached_property
    def _by_cell(self) -> dict[tuple[str, int], list[Source]]:
        found: dict[tuple[str, int], list[Source]] = {}
        for source in self._sources:
            found.setdefault((self._target or source.label, source.tone), []).append(source)
        return found

    def names_after(self, prefix: str) -> Iterator[str]:
        """The names of places that begin with a prefix and a hyphen."""
        for source in self._sources:
            if source.id.startswith(f"{prefix}-"):
                yield from (f"{source.id}-{nth:03d}" for nth in range(self._per_source))

    def content(self) -> dict[str, Any]:
        """The sources, by all that decides their images and records, and how many of each."""
        facts = [source.facts for source in sorted(self._sources, key=lambda source: source.id)]
        return {"sources": facts, "per_source": self._per_source, "target_label": self._target}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {source.id: number for number, source in enumerate(self._sources)}
