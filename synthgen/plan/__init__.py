"""The plan: from a manifest to sample i and work shard k; lazy, random access, pure.

A plan holds its cells and real images, never its samples: ten million cost no more than ten. Importing it imports
neither torch nor diffusers. An entry's digest covers everything that decides its images, so two plans of one digest
make one dataset.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from synthgen.core.adapter_folder import Adapter
from synthgen.core.model_folder import LEARNED, ModelFacts
from synthgen.errors import InputError
from synthgen.plan import adapters, real_account
from synthgen.plan.entry import Cell, EntryPlan, sha256
from synthgen.plan.layout import Layout
from synthgen.plan.manifest import GenerateEntry, Manifest, SourcePool
from synthgen.plan.mask_pool import MaskPool
from synthgen.plan.ordering import (
    ByCell,
    ByParent,
    BySource,
    ExtendableOrdering,
    GroupedByLabel,
    Ordering,
    extended,
    rounds_of,
    weigh,
)
from synthgen.plan.real_index import Index, Source
from synthgen.plan.sample import Sample
from synthgen.plan.top_ups import Round

__all__ = ["Cell", "EntryPlan", "Plan", "ShardRef"]


@dataclass(frozen=True, slots=True)
class ShardRef:
    """One work shard: the entry's name and the shard's number within it."""

    entry: str
    number: int


class Plan:
    """All entries of a manifest, planned.

    Args:
        manifest: The manifest.
        index: The real images that its entries may start from, and its adapters be trained on.
        rounds: What a run makes beyond the manifest, as of :func:`synthgen.plan.top_ups.read`.
        layouts: Where the samples of entries lie that have grown in a run, by the entry's name.

    Attributes:
        manifest: The manifest.
        index: The real images; ``None`` where the manifest has none.
        entries: The plan of each entry, by its name.

    Raises:
        InputError: An entry or an adapter needs real images and there are none, or two images would have one key.
    """

    manifest: Manifest
    index: Index | None

    def __init__(
        self,
        manifest: Manifest,
        index: Index | None = None,
        rounds: Sequence[Round] = (),
        layouts: Mapping[str, Layout] | None = None,
    ) -> None:
        self.manifest = manifest
        self.index = index
        self.rounds = rounds
        self.adapter_plans = adapters.plan(manifest, index)
        self.entries: dict[str, EntryPlan] = {}
        for entry in manifest.entries:
            by_label = entry.adapter is not None and entry.adapter.by_label
            parts: list[Ordering] = [GroupedByLabel(part) if by_label else part for part in self._parts(entry)]
            places = extended(parts[0], parts[1:])
            layout = (layouts or {}).get(entry.name)
            masks = self._masks(entry, places) if entry.settings.draws_mask else None
            self.entries[entry.name] = EntryPlan(manifest, entry, places, self.adapter_plans, layout, masks=masks)
        _check_keys(self.entries)
        _check_prompts(self)
        if index and index.excluded:
            _check_seen(self.entries, index.excluded)

    def _parts(self, entry: GenerateEntry) -> list[Ordering]:
        """The ordering of an entry that the manifest asks for, and one for each round beyond it."""
        if entry.parent is not None:
            parent = self.entries[entry.parent]
            return [ByParent(parent.name, part, parent.digest, entry.target_label) for part in parent.places.parts]
        whole = self._places(entry)
        return [whole, *rounds_of(whole, [one.get(entry.name, {}) for one in self.rounds])]

    def _places(self, entry: GenerateEntry) -> ExtendableOrdering:
        document = self.manifest.document
        if entry.per_source is not None:
            pool, label = self._sources(entry.source_pool), entry.source_label
            sources = [one for one in pool if label in (None, one.label)]
            if not sources:
                of = f" of `{label}`" if label and pool else ""
                raise InputError(
                    f"entry `{entry.name}`: `real:` gives no usable image{of} in the training split"
                    f"{_why_not(self.index)}"
                )
            return BySource(sources, entry.per_source, entry.target_label, document.seed)
        labels, tones = document.labels, document.skin_tones.values
        if entry.total is None:
            return ByCell(dict.fromkeys(itertools.product(labels, tones), entry.per_cell or 0))
        return ByCell(weigh(labels, tones, entry.total, entry.weights))

    def _masks(self, entry: GenerateEntry, places: Ordering) -> MaskPool:
        """The real images whose masks an entry's samples are painted in: of those that it may start from."""
        root = entry
        while root.parent is not None:
            root = next(one for one in self.manifest.entries if one.name == root.parent)
        sources = self._sources(root.source_pool)
        found, starts = MaskPool(sources), sources if root.per_source is not None else ()
        for label in sorted({label for (label, _), count in places.cells.items() if count}):
            if found.lacks(label, starts):
                raise InputError(
                    f"entry `{entry.name}`: settings.mask.from: `real:` gives no mask of another image of `{label}` in "
                    f"the training split{_why_not(self.index)}"
                )
        return found

    def _sources(self, pool: SourcePool | None) -> Sequence[Source]:
        """The real training images, or those of them that some draws of a study have."""
        sources = self.index.usable("train") if self.index else ()
        return adapters.pool(self.manifest, sources, pool.n, range(pool.draws)) if pool else sources

    @cached_property
    def adapters(self) -> dict[str, Adapter]:
        """Every adapter that images are made with, by what records call it."""
        found = (one for entry in self.entries.values() for one in entry.adapters.values() if one)
        return {str(one): one for one in found}

    @property
    def models(self) -> dict[str, ModelFacts]:
        """Every model that images are made with, its parts too, by name, sorted; none of strategies that use none."""
        found = (entry.recipe for entry in self.entries.values())
        used = {
            part.model.name: part.model
            for one in found
            if one.settings.uses_model
            for part in (one, *one.parts.values())
        }
        return dict(sorted(used.items()))

    @property
    def without_model(self) -> list[str]:
        """The entries whose strategy has no use for a model."""
        return [name for name, entry in self.entries.items() if not entry.recipe.settings.uses_model]

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

    @property
    def cut_captions(self) -> list[Source]:
        """The real training images of which prompts say less than the caption."""
        prompts = self.manifest.prompts
        sources = self.index.usable("train") if self.index and prompts.max_caption_words else ()
        return [one for one in sources if prompts.caption_is_cut(one.caption)]

    def refs(self) -> Iterator[ShardRef]:
        """Every work shard, entry after entry."""
        for entry in self.entries.values():
            for number in entry.numbers:
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
        return sha256({name: entry.digest for name, entry in self.entries.items()})


def _why_not(index: Index | None) -> str:
    """What has become of the real images instead, as far as there are any."""
    if not index or not (counts := {**index.left_out, **index.faults}):
        return ""
    met = real_account.examples(index)
    notes = "".join(f"; {note}" for note in index.notes)
    return f" ({', '.join(real_account.shown(reason, count, met) for reason, count in counts.items())}){notes}"


def _check_seen(entries: Mapping[str, EntryPlan], excluded: Mapping[str, str]) -> None:
    """Refuse an adapter from elsewhere that was trained on a real image that is taken out: nobody can undo it here."""
    for name, entry in entries.items():
        for one in dict.fromkeys(one for one in entry.adapters.values() if one and one.folder):
            seen = sorted(excluded.keys() & set(one.pool or ()))
            if seen:
                raise InputError(
                    f"entry `{name}`: adapter {one.folder} has seen {len(seen):,} real images that `real.exclude` "
                    f"takes out (`{seen[0]}`{' ...' if seen[1:] else ''}): train it again without them, or take the "
                    "entry out"
                )


def _check_prompts(plan: Plan) -> None:
    """Refuse prompts that can't be filled in: they name what is not known of a real image, or of no image at all."""
    faults = []
    for name, entry in plan.entries.items():
        for needed, images in entry.unfilled().items():
            if images[0] is None:
                why = "which is known of real images alone"
            else:
                first = min(one.id for one in images if one)
                why = f"which is not known of {len(images):,} real images (`{first}` is one)"
            faults.append(f"entry `{name}`: its templates need {needed}, {why}; add a template without it")
    prompts = plan.manifest.prompts
    for name, adapter in plan.adapter_plans.items():
        bare = [(one, needed) for one in adapter.pool if (needed := prompts.lacks(one.label, one.about))]
        if bare:
            image, needed = bare[0]
            faults.append(
                f"finetune `{name}`: its templates need {needed}, which is not known of {len(bare):,} real images "
                f"(`{image.id}` is one); add a template without it"
            )
    if faults:
        raise InputError(*faults)


def _check_keys(entries: Mapping[str, EntryPlan]) -> None:
    """Refuse a source's id that makes a key which another entry's image has, as `b-1` in `a` and `1` in `a-b`."""
    for one, other in itertools.permutations(entries.values(), 2):
        if not other.name.startswith(f"{one.name}-"):
            continue
        rest = other.name.removeprefix(f"{one.name}-")
        names = one.base.names_after(rest)
        clash = next((name for name in names if other.find(f"{one.name}-{name}") is not None), None)
        if clash:
            raise InputError(f"entries `{one.name}` and `{other.name}` both make `{one.name}-{clash}`; rename one")
