"""One entry of a plan: its samples, its work shards, its digest."""

import bisect
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from synthgen.core.adapter_folder import Adapter
from synthgen.plan import adapters, skin_tones
from synthgen.plan.adapters import AdapterPlan
from synthgen.plan.layout import Layout, lay_out
from synthgen.plan.manifest import GenerateEntry, Manifest
from synthgen.plan.manifest.prompts import Prompt, PromptSet
from synthgen.plan.mask_pool import MaskPool
from synthgen.plan.ordering import Ordering, Slot
from synthgen.plan.real_index import Source
from synthgen.plan.sample import Recipe, Sample
from synthgen.plan.seeding import seed_of

_FORMAT = 1
_NONE: Mapping[str, AdapterPlan] = {}


@dataclass(frozen=True, slots=True)
class Cell:
    """A label on a skin tone, and how many images of it an entry makes."""

    label: str
    words: str
    label_id: int
    tone: int
    count: int


class EntryPlan:
    """The samples of one ``generate`` entry, in their order.

    Args:
        manifest: The manifest.
        entry: The entry.
        places: In which order its samples come.
        adapter_plans: The adapters that the manifest trains, by name.
        layout: Where its samples lie in a run that has changed; what is of another plan does not count.
        masks: The real images whose masks its samples are painted in; ``None`` where each has its own, or a drawn one.
    """

    def __init__(
        self,
        manifest: Manifest,
        entry: GenerateEntry,
        places: Ordering,
        adapter_plans: Mapping[str, AdapterPlan] = _NONE,
        layout: Layout | None = None,
        *,
        masks: MaskPool | None = None,
    ) -> None:
        self._manifest, self._masks = manifest, masks
        self._prompts: PromptSet = manifest.prompts
        self._scale: skin_tones.Scale = manifest.document.skin_tones.scale
        self._labels = list(manifest.document.labels)
        self.name = entry.name
        self.parent = entry.parent
        self.target_label = entry.target_label
        self.places = places
        self.base = places.parts[0]
        self.recipe = Recipe(
            entry.name,
            entry.strategy,
            entry.settings,
            entry.model,
            entry.revision,
            accelerator=entry.accelerator,
            autoencoder=entry.autoencoder,
            controlnet=entry.controlnet,
            ip_adapter=entry.ip_adapter,
            image_encoder=entry.image_encoder,
        )
        self.adapters = {label: adapters.adapter_of(entry.adapter, label, adapter_plans) for label in self._labels}
        self._recipes = {label: replace(self.recipe, adapter=one) for label, one in self.adapters.items()}
        self.shard_samples = manifest.document.output.shard_samples
        self.samples = places.samples
        self._columns = manifest.real.settings.columns.about if manifest.real else ()
        self._from_real = bool(self.samples and places[0].source)
        self._cuts = list(itertools.accumulate((-(-size // self.shard_samples) for size in places.sizes), initial=0))
        self._starts = list(itertools.accumulate(places.sizes, initial=0))
        self.layout = layout if layout and layout.digest == self.digest else None
        self.shards = self._cuts[-1] if self.layout is None else len(self._laid_out)

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of its work shards, in order."""
        return range(self.shards) if self.layout is None else list(self._laid_out)

    @property
    def next_shard(self) -> int:
        """The first number that no work shard has, or had before the entry changed."""
        return max(max(self.numbers, default=-1) + 1, self.layout.next_shard if self.layout else 0)

    def digest_of(self, number: int) -> str:
        """The digest that the receipt of a work shard names: that of the plan which laid it out."""
        return self.digest if self.layout is None else self.layout.digest_of(number)

    @cached_property
    def _shard_of(self) -> tuple[int, ...]:
        """The shard of each sample of a changed entry; what was topped up since follows in shards of its own."""
        held = self.layout.shards if self.layout else ()
        known = (held[index] if index < len(held) else None for index in range(self.samples))
        return lay_out(known, self.places.sizes, self.shard_samples, self.layout.next_shard if self.layout else 0)

    @cached_property
    def _laid_out(self) -> dict[int, list[int]]:
        """The samples of each shard of a changed entry, both in order."""
        found: dict[int, list[int]] = {}
        for index, shard in enumerate(self._shard_of):
            found.setdefault(shard, []).append(index)
        return dict(sorted(found.items()))

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """How many samples each label and tone has."""
        return self._cells(self.places)

    def _cells(self, places: Ordering) -> tuple[Cell, ...]:
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

    def places_of(self, number: int) -> Sequence[int]:
        """The indices of the samples of one work shard."""
        if self.layout is not None:
            return self._laid_out[number]
        run = bisect.bisect_right(self._cuts, number) - 1
        first = self._starts[run] + (number - self._cuts[run]) * self.shard_samples
        return range(first, min(first + self.shard_samples, self._starts[run + 1]))

    def keys_of(self, number: int) -> list[str]:
        """The keys of the samples of one work shard."""
        return [f"{self.name}-{self.places[index].name}" for index in self.places_of(number)]

    def shard_of(self, index: int) -> int:
        """The number of the work shard that holds a sample."""
        if self.layout is not None:
            return self._shard_of[index]
        run = bisect.bisect_right(self._starts, index) - 1
        return self._cuts[run] + (index - self._starts[run]) // self.shard_samples

    def starts_from(self, number: int, parent: "EntryPlan") -> set[int]:
        """The numbers of the work shards of another entry that one of this entry's starts from."""
        if self.layout is parent.layout is None and self.places.sizes == parent.places.sizes:
            return {number}
        found = (parent.find(self.places[index].parent) for index in self.places_of(number))
        return {parent.shard_of(index) for index in found if index is not None}

    def find(self, key: str) -> int | None:
        """The index of the sample with that key, without looking through them; ``None`` if none has it."""
        prefix = f"{self.name}-"
        return self.places.find(key.removeprefix(prefix)) if key.startswith(prefix) else None

    @property
    def made_by(self) -> str:
        """The model, and the adapters on top of it, in words; empty for a strategy that has no use for a model."""
        model = self.recipe.made_with if self.recipe.settings.uses_model else ""
        names = ", ".join(dict.fromkeys(one.name for one in self.adapters.values() if one))
        return (", " if self.recipe.parts else " with ").join(filter(None, (model, names)))

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
            "output": document.output.content(),
            **self.places.content(),
            **{key: part.content for key, part in self.recipe.parts.items()},
            **({"masks": self._masks.content(cell.label for cell in self.cells)} if self._masks else {}),
        }
        return sha256(content)

    def _adapter_digests(self) -> dict[str, list[str]] | str:
        """What is loaded on top of the model for each label; empty where nothing is."""
        found = {label: [one.name, one.digest] for label, one in self.adapters.items() if one}
        return found or ""

    def _mask_source(self, key: str, place: Slot) -> Source | None:
        """The real image whose mask a sample is painted in, the same at every attempt."""
        seed = seed_of(self._manifest.document.seed, key, 0)
        return self._masks.draw(place.label, seed, place.source) if self._masks else None

    def prompts_with(self, adapter: Adapter | None) -> Iterator[Prompt]:
        """Every prompt that its samples of one adapter have at their first attempt, more than once or not.

        Of a label with more samples than prompts it is what can be drawn, in place of what is: all but all of it is,
        and millions of samples need not be looked at.

        Args:
            adapter: The adapter; ``None`` for samples without one.
        """
        for label in [label for label, own in self.adapters.items() if own == adapter]:
            tones = {tone: count for (of, tone), count in self.places.cells.items() if of == label and count}
            of_each = self._from_real and self._prompts.says_any(label, self._columns)
            if not of_each and self._prompts.possible(label) * len(tones) <= sum(tones.values()):
                for tone in tones:
                    yield from self._prompts.every(label, self._words(label), self._tone(tone))
                continue
            for place in self._slots(label):
                seed = seed_of(self._manifest.document.seed, f"{self.name}-{place.name}", 0)
                yield self._rendered(place, seed)

    def unfilled(self) -> dict[str, list[Source | None]]:
        """The real images for which no template can be filled in, by what these need; ``None`` stands for no image."""
        found: dict[str, dict[tuple[str, str], Source | None]] = {}
        if not any(self._prompts.says_any(label, self._columns) for label in self._labels):
            return {}
        for index in range(self.samples if self._from_real else 0):
            place = self.places[index]
            needed = self._prompts.lacks(place.label, place.source.about if place.source else {})
            if needed:
                found.setdefault(needed, {})[place.label, place.source.id if place.source else ""] = place.source
        for label in self._labels if not self._from_real else ():
            if needed := self._prompts.lacks(label, {}):
                found.setdefault(needed, {})[label, ""] = None
        return {needed: [*images.values()] for needed, images in found.items()}

    def _rendered(self, place: Slot, seed: int) -> Prompt:
        """The prompt of a place: with what is known of the real image that it starts from."""
        about = place.source.about if place.source else {}
        return self._prompts.render(place.label, self._words(place.label), self._tone(place.tone), seed, about)

    def _slots(self, label: str) -> Iterator[Slot]:
        """The places of one label."""
        part = self.places.part(label)
        return (part[index] for index in range(part.samples))

    def _words(self, label: str) -> str:
        """The words that prompts use for a label."""
        words, adapter = self._manifest.document.labels[label], self.adapters[label]
        return adapter.word(label, words) if adapter else words

    def _tone(self, tone: int) -> tuple[skin_tones.Scale, int, str]:
        """A tone as prompts are rendered for it."""
        return self._scale, tone, skin_tones.name(self._scale, tone)

    def _make(self, index: int, place: Slot, attempt: int) -> Sample:
        key = f"{self.name}-{place.name}"
        seed = seed_of(self._manifest.document.seed, key, attempt)
        written = skin_tones.name(self._scale, place.tone)
        prompt = self._rendered(place, seed)
        known = place.source.known_attributes if place.source else {}
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
            attributes=(*prompt.attributes, *known.items()),
            seed=seed,
            attempt=attempt,
            source=place.source,
            parent=place.parent,
            mask_source=self._mask_source(key, place),
        )


def sha256(content: Any) -> str:
    """The sha256, in hex, of plain values."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
