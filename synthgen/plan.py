"""The plan: from a manifest to sample i and work shard k; lazy, random access, pure.

A plan holds its cells and real images, never its samples: ten million cost no more than ten. Importing it imports
neither torch nor diffusers. An entry's digest covers everything that decides its images, so two plans of one digest
make one dataset.
"""

import bisect
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from synthgen import skin_tones
from synthgen import tunings as tunings_of
from synthgen.adapters import Adapter
from synthgen.by_label import ByLabel
from synthgen.draws import draw
from synthgen.errors import InputError
from synthgen.manifest import GenerateEntry, Manifest, SourcePool
from synthgen.models import LEARNED
from synthgen.prompts import PromptSet
from synthgen.real import Index, Source
from synthgen.sample import Recipe, Sample, seed_of
from synthgen.sequence import ByCell, ByParent, BySource, Place, Places, weigh
from synthgen.top_ups import Round
from synthgen.topped_up import Extended, extended, rounds_of
from synthgen.tunings import Tuning

_FORMAT = 1
_NONE: Mapping[str, Tuning] = {}


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
    """The samples of one ``generate`` entry, in the order of its sequence of places.

    Args:
        manifest: The manifest.
        entry: The entry.
        places: In which order its samples come.
        tunings: The adapters that the manifest trains, by name.
    """

    def __init__(
        self, manifest: Manifest, entry: GenerateEntry, places: Places, tunings: Mapping[str, Tuning] = _NONE
    ) -> None:
        self._manifest = manifest
        self._prompts: PromptSet = manifest.prompts
        self._scale: skin_tones.Scale = manifest.document.skin_tones.scale
        self._labels = list(manifest.document.labels)
        self.name = entry.name
        self.parent = entry.parent
        self.target_label = entry.target_label
        self.places = places
        self.base = places.base if isinstance(places, Extended) else places
        self.recipe = Recipe(entry.name, entry.strategy, entry.settings, entry.model, entry.revision)
        self.adapters = {label: tunings_of.adapter_of(entry.adapter, label, tunings) for label in self._labels}
        self._recipes = {label: replace(self.recipe, adapter=one) for label, one in self.adapters.items()}
        self.shard_samples = manifest.document.output.shard_samples
        self.samples = places.samples
        self._cuts = list(itertools.accumulate((-(-size // self.shard_samples) for size in places.sizes), initial=0))
        self._starts = list(itertools.accumulate(places.sizes, initial=0))
        self.shards = self._cuts[-1]

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """How many samples each label and tone has."""
        return self._cells(self.places)

    def _cells(self, places: Places) -> tuple[Cell, ...]:
        words = self._manifest.document.labels
        return tuple(
            Cell(label, words[label], self._labels.index(label), tone, count)
            for (label, tone), count in places.cells.items()
        )

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
        return self._make(index, self.places[index], attempt)

    def shard(self, number: int) -> list[Sample]:
        """The samples of one work shard, each at its first attempt; all are made with one adapter, or with none."""
        return [self.sample(index) for index in self.places_of(number)]

    def places_of(self, number: int) -> range:
        """The indices of the samples of one work shard."""
        run = bisect.bisect_right(self._cuts, number) - 1
        first = self._starts[run] + (number - self._cuts[run]) * self.shard_samples
        return range(first, min(first + self.shard_samples, self._starts[run + 1]))

    def shard_of(self, index: int) -> int:
        """The number of the work shard that holds a sample."""
        run = bisect.bisect_right(self._starts, index) - 1
        return self._cuts[run] + (index - self._starts[run]) // self.shard_samples

    def starts_from(self, number: int, parent: "EntryPlan") -> set[int]:
        """The numbers of the work shards of another entry that one of this entry's starts from."""
        if self.places.sizes == parent.places.sizes:
            return {number}
        found = (parent.find(self.places[index].parent) for index in self.places_of(number))
        return {parent.shard_of(index) for index in found if index is not None}

    def find(self, key: str) -> int | None:
        """The index of the sample with that key, without looking through them; ``None`` if none has it."""
        prefix = f"{self.name}-"
        return self.places.find(key.removeprefix(prefix)) if key.startswith(prefix) else None

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, over everything in the manifest that decides this entry's images, topped up or not."""
        document = self._manifest.document
        content = {
            "format": _FORMAT,
            "seed": document.seed,
            "entry": self.name,
            "strategy": self.recipe.strategy,
            "settings": self.recipe.settings.model_dump(mode="json"),
            "model": [self.recipe.model.name, self.recipe.revision],
            "adapter": self._adapter_digests(),
            "skin_tone_scale": self._scale,
            "cells": [[c.label, c.words, c.label_id, c.tone, c.count] for c in self._cells(self.base)],
            "prompts": self._prompts.model_dump(mode="json"),
            "output": document.output.model_dump(mode="json"),
            **self.places.content(),
        }
        return _sha256(content)

    def _adapter_digests(self) -> dict[str, list[str]] | str:
        """What is loaded on top of the model for each label; empty where nothing is."""
        found = {label: [one.name, one.digest] for label, one in self.adapters.items() if one}
        return found or ""

    def _make(self, index: int, place: Place, attempt: int) -> Sample:
        key = f"{self.name}-{place.name}"
        seed = seed_of(self._manifest.document.seed, key, attempt)
        written = skin_tones.name(self._scale, place.tone)
        words = self._manifest.document.labels[place.label]
        adapter = self.adapters[place.label]
        words = adapter.word(place.label, words) if adapter else words
        prompt = self._prompts.render(place.label, words, (self._scale, place.tone, written), seed)
        return Sample(
            key=key,
            index=index,
            recipe=self._recipes[place.label],
            label=place.label,
            label_id=self._labels.index(place.label),
            skin_tone=written,
            skin_tone_scale=self._scale,
            fitzpatrick=skin_tones.fitzpatrick(self._scale, place.tone),
            prompt=prompt.text,
            negative_prompt=prompt.negative,
            attributes=prompt.attributes,
            seed=seed,
            attempt=attempt,
            source=place.source,
            parent=place.parent,
        )


class Plan:
    """All entries of a manifest, planned.

    Args:
        manifest: The manifest.
        index: The real images that its entries may start from, and its adapters be trained on.
        rounds: What a run makes beyond the manifest, as of :func:`synthgen.top_ups.read`.

    Raises:
        InputError: An entry or an adapter needs real images and there are none, or two images would have one key.
    """

    def __init__(self, manifest: Manifest, index: Index | None = None, rounds: Sequence[Round] = ()) -> None:
        self.manifest = manifest
        self.index = index
        self.rounds = rounds
        self.tunings = tunings_of.plan(manifest, index)
        self.entries: dict[str, EntryPlan] = {}
        for entry in manifest.entries:
            by_label = entry.adapter is not None and entry.adapter.by_label
            parts: list[Places] = [ByLabel(part) if by_label else part for part in self._parts(entry)]
            places = extended(parts[0], parts[1:])
            self.entries[entry.name] = EntryPlan(manifest, entry, places, self.tunings)
        _check_keys(self.entries)

    def _parts(self, entry: GenerateEntry) -> list[Places]:
        """The sequence of an entry that the manifest asks for, and one for each round beyond it."""
        if entry.parent is not None:
            parent = self.entries[entry.parent]
            followed = parent.places.parts if isinstance(parent.places, Extended) else [parent.places]
            return [ByParent(parent.name, part, parent.digest, entry.target_label) for part in followed]
        whole = self._places(entry)
        return [whole, *rounds_of(whole, [one.get(entry.name, {}) for one in self.rounds])]

    def _places(self, entry: GenerateEntry) -> ByCell | BySource:
        document = self.manifest.document
        if entry.per_source is not None:
            sources = self._pool(entry.source_pool)
            if not sources:
                raise InputError(
                    f"entry `{entry.name}`: `real:` gives no usable image in the training split{_why_not(self.index)}"
                )
            return BySource(sources, entry.per_source, entry.target_label, document.seed)
        labels, tones = document.labels, document.skin_tones.values
        if entry.total is None:
            return ByCell(dict.fromkeys(itertools.product(labels, tones), entry.per_cell or 0))
        return ByCell(weigh(labels, tones, entry.total, entry.weights))

    def _pool(self, pool: SourcePool | None) -> Sequence[Source]:
        """The real training images, or those of them that some draws of a study have."""
        sources = self.index.usable("train") if self.index else ()
        if pool is None:
            return sources
        document = self.manifest.document
        drawn = [draw(sources, list(document.labels), document.seed, number) for number in range(pool.draws)]
        ids = set[str]().union(*(one.first(pool.n) for one in drawn))
        return [source for source in sources if source.id in ids]

    @cached_property
    def adapters(self) -> dict[str, Adapter]:
        """Every adapter that images are made with, by what records call it."""
        found = (one for entry in self.entries.values() for one in entry.adapters.values() if one)
        return {str(one): one for one in found}

    @property
    def samples(self) -> int:
        """How many images in all."""
        return sum(entry.samples for entry in self.entries.values())

    @property
    def shards(self) -> int:
        """How many work shards in all."""
        return sum(entry.shards for entry in self.entries.values())

    @property
    def strange_words(self) -> list[str]:
        """The words of labels that the bundled model has not learned and is asked for as it ships, each once."""
        asked = (
            words
            for entry in self.entries.values()
            for label, words in self.manifest.document.labels.items()
            if label in {cell.label for cell in entry.cells if cell.count}
            if entry.recipe.model.kind == "bundled" and entry.recipe.settings.reads_prompt and not entry.adapters[label]
        )
        return [words for words in dict.fromkeys(asked) if not any(known in words.casefold() for known in LEARNED)]

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


def _why_not(index: Index | None) -> str:
    """What has become of the real images instead, as far as there are any."""
    counts = {**index.left_out, **index.faults} if index else {}
    return f" ({', '.join(f'{count:,} {reason}' for reason, count in counts.items())})" if counts else ""


def _check_keys(entries: Mapping[str, EntryPlan]) -> None:
    """Refuse a source's id that makes a key which another entry's image has, as `b-1` in `a` and `1` in `a-b`."""
    for one, other in itertools.permutations(entries.values(), 2):
        places = one.base.whole if isinstance(one.base, ByLabel) else one.base
        if not other.name.startswith(f"{one.name}-") or not isinstance(places, BySource):
            continue
        rest = other.name.removeprefix(f"{one.name}-")
        clash = next((name for name in places.names(rest) if other.find(f"{one.name}-{name}") is not None), None)
        if clash:
            raise InputError(f"entries `{one.name}` and `{other.name}` both make `{one.name}-{clash}`; rename one")


def _sha256(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
