"""In which order an entry's samples come: round after round over cells or real images, so every work shard mixes them.

Each sequence is a pure function of the manifest and the frozen index of real images, gives any place by its number, and
holds its cells or sources, never its samples.
"""

import bisect
import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

from synthgen.manifest import Weights
from synthgen.real import Source

_BY_CELL = re.compile(r"(?P<cell>.+)-(?P<nth>\d{7,15})")
_BY_SOURCE = re.compile(r"(?P<source>.+)-(?P<nth>\d{3,6})")


@dataclass(frozen=True, slots=True)
class Place:
    """One place in a sequence.

    Attributes:
        name: What a sample's key says after its entry's name.
        label: The label of the image to make.
        tone: Its tone on the manifest's scale; 0 is unknown.
        source: The real image that it starts from in the end; ``None`` for none.
        parent: The key of the generated image that it starts from; empty for none.
    """

    name: str
    label: str
    tone: int
    source: Source | None = None
    parent: str = ""


class Places(Protocol):
    """What every sequence offers."""

    @property
    def samples(self) -> int:
        """How many samples there are."""

    @property
    def sizes(self) -> list[int]:
        """How many samples each run of them has that no work shard may straddle; they add up to all."""

    @property
    def cells(self) -> Mapping[tuple[str, int], int]:
        """How many samples each label and tone has."""

    def __getitem__(self, index: int) -> Place:
        """The place of sample ``index``."""

    def find(self, name: str) -> int | None:
        """The index of the place with that name, without looking through them; ``None`` if there is none."""

    def content(self) -> dict[str, Any]:
        """What decides images beside the cells, as plain values for a digest."""

    def part(self, label: str) -> "Places":
        """The places of one label, in the same order, under the same names."""


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

    def __getitem__(self, index: int) -> Place:
        """The place of sample ``index``."""
        return self.nth(*self.turn(index))

    def turn(self, index: int) -> tuple[tuple[str, int], int]:
        """Which cell's turn it is, and for its how-manieth image, from 0."""
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

    def nth(self, cell: tuple[str, int], number: int) -> Place:
        """The place of a cell's image of that number, also of one beyond the last."""
        label, tone = cell
        return Place(f"{label}-{tone}-{number:07d}", label, tone)

    def number(self, name: str) -> tuple[tuple[str, int], int] | None:
        """The cell of a name and its number there, also beyond the last; ``None`` if no cell has such a name."""
        match = _BY_CELL.fullmatch(name)
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

    def part(self, label: str) -> "ByCell":
        """The places of one label."""
        return ByCell({cell: count for cell, count in self.cells.items() if cell[0] == label})

    @cached_property
    def _levels(self) -> list["_Level"]:
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


@dataclass(frozen=True, slots=True)
class _Level:
    """From sample ``start`` and each cell's image ``first`` on, these cells take turns."""

    start: int
    first: int
    cells: tuple[int, ...]


class BySource:
    """So many images of each real image; label and tone are its own, or the label is the one to turn it into.

    Args:
        sources: The real images.
        per_source: Images a real image.
        target_label: The label to turn every one into; ``None`` for its own.
        seed: The manifest's seed, which shuffles the sources.
    """

    def __init__(self, sources: Iterable[Source], per_source: int, target_label: str | None, seed: int) -> None:
        self._sources = sorted(sources, key=lambda source: _shuffled(seed, source.id))
        self._per_source, self._target, self._seed = per_source, target_label, seed
        self.samples = len(self._sources) * per_source
        self.sizes = [self.samples]

    def __getitem__(self, index: int) -> Place:
        """The place of sample ``index``."""
        nth, number = divmod(index, len(self._sources))
        source = self._sources[number]
        return Place(f"{source.id}-{nth:03d}", self._target or source.label, source.tone, source)

    @cached_property
    def cells(self) -> Mapping[tuple[str, int], int]:
        """How many samples each label and tone has."""
        counts = Counter((self._target or source.label, source.tone) for source in self._sources)
        return {cell: count * self._per_source for cell, count in sorted(counts.items())}

    def find(self, name: str) -> int | None:
        """The index of the place with that name; ``None`` if there is none."""
        match = _BY_SOURCE.fullmatch(name)
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

    def nth(self, cell: tuple[str, int], number: int) -> Place:
        """The place of a cell's image of that number, also of one beyond the last: its sources take turns."""
        turn, place = divmod(number, len(self._by_cell[cell]))
        source = self._by_cell[cell][place]
        return Place(f"{source.id}-{turn:03d}", self._target or source.label, source.tone, source)

    def number(self, name: str) -> tuple[tuple[str, int], int] | None:
        """The cell of a name and its number there, also beyond the last; ``None`` if no source has such a name."""
        match = _BY_SOURCE.fullmatch(name)
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

    def names(self, prefix: str) -> Iterator[str]:
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


class ByParent:
    """One image for each image of another entry, in that entry's order.

    Args:
        parent: The other entry's name.
        places: Its sequence.
        digest: Its digest.
        target_label: The label to turn every one into; ``None`` for its own.
    """

    def __init__(self, parent: str, places: Places, digest: str, target_label: str | None) -> None:
        self._parent, self._places, self._digest, self._target = parent, places, digest, target_label
        self.samples, self.sizes = places.samples, places.sizes

    def __getitem__(self, index: int) -> Place:
        """The place of sample ``index``."""
        place = self._places[index]
        label = self._target or place.label
        return Place(place.name, label, place.tone, place.source, f"{self._parent}-{place.name}")

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

    def part(self, label: str) -> "Places":
        """The places of one label."""
        if self._target is None:
            return ByParent(self._parent, self._places.part(label), self._digest, None)
        return self if label == self._target else ByCell({})


def apportion(total: int, weights: Sequence[float | Fraction]) -> list[int]:
    """Share a total out in proportion to weights by the largest-remainder (Hamilton) method.

    Ties go to the earlier cell. The shares add up to ``total`` exactly.
    """
    whole = sum(Fraction(weight) for weight in weights)
    quotas = [total * Fraction(weight) / whole for weight in weights]
    shares = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda i: (shares[i] - quotas[i], i))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares


def weigh(labels: Iterable[str], tones: Iterable[int], total: int, weights: Weights) -> dict[tuple[str, int], int]:
    """Share a total out over the cells of labels and tones in proportion to their weights."""
    cells = list(itertools.product(labels, tones))
    shares = [
        Fraction(weights.label.get(cell[0], 1.0)) * Fraction(weights.skin_tone.get(cell[1], 1.0)) for cell in cells
    ]
    return dict(zip(cells, apportion(total, shares), strict=True))


def _shuffled(seed: int, source: str) -> bytes:
    """Where a source comes in the order: a hash, so that rows added or moved shuffle no others."""
    return hashlib.blake2b(f"{seed}\0order\0{source}".encode(), digest_size=8).digest()
