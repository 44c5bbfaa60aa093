"""The plan: from a manifest to sample i and work shard k; lazy, random access, pure.

A plan holds its cells, never its samples: ten million cost no more than ten. Importing it imports neither torch nor
diffusers. An entry's digest covers everything that decides its images, so two plans of one digest make one dataset.
"""

import bisect
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from synthgen import manifest as manifests
from synthgen import skin_tones
from synthgen.doors import Doors
from synthgen.manifest import GenerateEntry, Manifest, Weights
from synthgen.prompts import PromptSet
from synthgen.sample import Recipe, Sample, seed_of

_FORMAT = 1
_KEY = re.compile(r"(?P<cell>.+)-(?P<index>\d{7,15})")


@dataclass(frozen=True, slots=True)
class Cell:
    """A label on a skin tone, and how many images of it an entry makes."""

    label: str
    words: str
    label_id: int
    tone: int
    count: int


@dataclass(frozen=True, slots=True)
class ShardRef:
    """One work shard: the entry's name and the shard's number within it."""

    entry: str
    number: int


class EntryPlan:
    """The samples of one ``generate`` entry, in order: round after round over its cells, so every shard mixes them."""

    def __init__(self, manifest: Manifest, entry: GenerateEntry) -> None:
        self._manifest = manifest
        self._prompts: PromptSet = manifest.prompts
        self._scale: skin_tones.Scale = manifest.document.skin_tones.scale
        self.name = entry.name
        self.recipe = Recipe(entry.name, entry.strategy, entry.settings, entry.model, entry.revision)
        self.cells = tuple(_cells(manifest, entry))
        self.shard_samples = manifest.document.output.shard_samples
        self.samples = sum(cell.count for cell in self.cells)
        self.shards = -(-self.samples // self.shard_samples)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Sample:
        return self.sample(index)

    def sample(self, index: int, attempt: int = 0) -> Sample:
        """Sample ``index`` (0-based within the entry), at its n-th attempt.

        Raises:
            IndexError: The entry has no such sample.
        """
        if not 0 <= index < self.samples:
            raise IndexError(f"entry `{self.name}` has {self.samples} samples, no number {index}")
        level = self._levels[bisect.bisect_right(self._starts, index) - 1]
        turn, place = divmod(index - level.start, len(level.cells))
        return self._make(index, self.cells[level.cells[place]], level.first + turn, attempt)

    def shard(self, number: int) -> list[Sample]:
        """The samples of one work shard, each at its first attempt."""
        first = number * self.shard_samples
        return [self.sample(i) for i in range(first, min(first + self.shard_samples, self.samples))]

    def shard_of(self, index: int) -> int:
        """The number of the work shard that holds a sample."""
        return index // self.shard_samples

    def find(self, key: str) -> int | None:
        """The index of the sample with that key, without looking through them; ``None`` if none has it."""
        match = _KEY.fullmatch(key)
        place = self._by_prefix.get(match["cell"]) if match else None
        if match is None or place is None:
            return None
        nth = int(match["index"])
        if nth >= self.cells[place].count or key != f"{match['cell']}-{nth:07d}":
            return None
        level = next(level for level in reversed(self._levels) if level.first <= nth)
        return level.start + (nth - level.first) * len(level.cells) + level.cells.index(place)

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, over everything in the manifest that decides this entry's images."""
        document = self._manifest.document
        content = {
            "format": _FORMAT,
            "seed": document.seed,
            "entry": self.name,
            "strategy": self.recipe.strategy,
            "settings": self.recipe.settings.model_dump(mode="json"),
            "model": [self.recipe.model.name, self.recipe.revision],
            "adapter": self.recipe.adapter,
            "skin_tone_scale": self._scale,
            "cells": [[c.label, c.words, c.label_id, c.tone, c.count] for c in self.cells],
            "prompts": self._prompts.model_dump(mode="json"),
            "output": document.output.model_dump(mode="json"),
        }
        return _sha256(content)

    @cached_property
    def _levels(self) -> list["_Level"]:
        """Runs of rounds in which the same cells still have images to make."""
        counts = [cell.count for cell in self.cells]
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
        return {self._prefix(cell): place for place, cell in enumerate(self.cells)}

    def _prefix(self, cell: Cell) -> str:
        return f"{self.name}-{cell.label}-{cell.tone}"

    def _make(self, index: int, cell: Cell, nth: int, attempt: int) -> Sample:
        key = f"{self._prefix(cell)}-{nth:07d}"
        seed = seed_of(self._manifest.document.seed, key, attempt)
        written = skin_tones.name(self._scale, cell.tone)
        prompt = self._prompts.render(cell.label, cell.words, (self._scale, cell.tone, written), seed)
        return Sample(
            key=key,
            index=index,
            recipe=self.recipe,
            label=cell.label,
            label_id=cell.label_id,
            skin_tone=written,
            skin_tone_scale=self._scale,
            fitzpatrick=skin_tones.fitzpatrick(self._scale, cell.tone),
            prompt=prompt.text,
            negative_prompt=prompt.negative,
            attributes=prompt.attributes,
            seed=seed,
            attempt=attempt,
        )


@dataclass(frozen=True, slots=True)
class _Level:
    """From sample ``start`` and each cell's image ``first`` on, these cells take turns."""

    start: int
    first: int
    cells: tuple[int, ...]


class Plan:
    """All entries of a manifest, planned."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.entries = {entry.name: EntryPlan(manifest, entry) for entry in manifest.entries}

    @property
    def samples(self) -> int:
        """How many images in all."""
        return sum(entry.samples for entry in self.entries.values())

    @property
    def shards(self) -> int:
        """How many work shards in all."""
        return sum(entry.shards for entry in self.entries.values())

    def refs(self) -> Iterator[ShardRef]:
        """Every work shard, entry after entry."""
        for entry in self.entries.values():
            for number in range(entry.shards):
                yield ShardRef(entry.name, number)

    def find(self, key: str) -> Sample | None:
        """The sample with that key at its first attempt; ``None`` if the plan has none."""
        for entry in self.entries.values():
            index = entry.find(key)
            if index is not None:
                return entry.sample(index)
        return None

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, over the digests of all entries: the name of the whole plan."""
        return _sha256({name: entry.digest for name, entry in self.entries.items()})


def read(path: Path, doors: Doors) -> Plan:
    """Read a manifest file and plan it.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
    """
    return Plan(manifests.read(path, doors))


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


def _cells(manifest: Manifest, entry: GenerateEntry) -> list[Cell]:
    document = manifest.document
    names = list(document.labels)
    places = list(itertools.product(names, document.skin_tones.values))
    if entry.total is None:
        counts = [entry.per_cell or 0] * len(places)
    else:
        counts = apportion(entry.total, [_weight(entry.weights, *place) for place in places])
    return [
        Cell(label, document.labels[label], names.index(label), tone, count)
        for (label, tone), count in zip(places, counts, strict=True)
        if count
    ]


def _weight(weights: Weights, label: str, tone: int) -> Fraction:
    return Fraction(weights.label.get(label, 1.0)) * Fraction(weights.skin_tone.get(tone, 1.0))


def _sha256(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
