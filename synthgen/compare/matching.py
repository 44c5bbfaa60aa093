"""Which images of several runs were asked for by one prompt and one seed; refuses runs that were asked for other ones.

A seed and a prompt are a function of the manifest's seed, labels, tones and prompts, and of the sample's key. So two
manifests that agree in these ask for the same images under the same keys, whatever makes them: model, adapter,
accelerator, settings. Images of two entries of one run have other keys, and so other seeds: they have no partners.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synthgen.curate import Shard
from synthgen.curate.scorers import digest
from synthgen.errors import Fault, IncompleteError, InputError
from synthgen.plan import growth, skin_tones
from synthgen.runs import load_plan, study_layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthgen.plan import EntryPlan
    from synthgen.runs.folders import Run
    from synthgen.runs.receipts import FinishedShard

_ASKED = ("seed", "labels", "skin_tones", "prompts")  # keys of a manifest that decide what is asked for
_OF_ENTRY = ("from", "target_label", "source_label", "source_pool", "per_source", "weights")
_ADVICE = "runs that are compared differ in what makes their images alone: model, accelerate, adapter, vae, settings"
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """An image that was asked for: of the generators that made it each its own, by the same prompt and seed.

    Attributes:
        key: Its key.
        entry: The entry of ``generate`` that it is of.
        label: Its label.
        tone: Its skin tone, as the scale writes it.
        parent: What it starts from: the id of a real image or the key of a generated one; empty for neither.
    """

    key: str
    entry: str
    label: str
    tone: str
    parent: str


@dataclass(frozen=True)
class Generator:
    """A run as one of those that are compared.

    Attributes:
        name: What it is called: its study's folder.
        run: The run.
        finished: Its finished work shards, whole.
        shards: These with all images set aside that are not compared.
        planned: How many images its plan has.
        failed: How many could not be made.
        later: How many were made at a later attempt, by another seed than the first.
        differs: What its manifest says otherwise than the first one's, by key.
    """

    name: str
    run: Run
    finished: tuple[FinishedShard, ...]
    shards: tuple[Shard, ...]
    planned: int
    failed: int
    later: int
    differs: tuple[str, ...] = ()

    @property
    def made(self) -> int:
        """How many images it has made."""
        return sum(shard.count for shard in self.finished)

    @property
    def sizes(self) -> str:
        """The sizes of its images, entry by entry, each once."""
        settings = [entry.recipe.settings for entry in self.run.plan.entries.values()]
        return ", ".join(dict.fromkeys(f"{one.width} x {one.height}" for one in settings))

    @property
    def own_words(self) -> list[str]:
        """The labels that prompts call by a word that an adapter has learned, and not by the manifest's."""
        labels, entries = self.run.plan.manifest.document.labels, self.run.plan.entries.values()
        return [
            label
            for label, words in labels.items()
            if any((one := entry.adapters.get(label)) and one.word(label, words) != words for entry in entries)
        ]

    @property
    def made_by(self) -> str:
        """Its model and what is loaded on top of it, entry by entry."""
        said = dict.fromkeys(entry.made_by or str(entry.recipe.strategy) for entry in self.run.plan.entries.values())
        return "; ".join(said)


@dataclass(frozen=True)
class Matched:
    """The generators, and the images that all of them made at the same attempt.

    Attributes:
        generators: In the order they were given; the others are held against the first.
        images: In the plan's order.
        scale: The skin-tone scale of their tones.
        reals: How many usable real images there are, of all splits; the same for all.
    """

    generators: tuple[Generator, ...]
    images: tuple[Asked, ...]
    scale: str
    reals: int


def match(runs: Sequence[Run], progress: Callable[[int, int], None] | None = None) -> Matched:
    """The images that several runs have of the same prompts and seeds.

    Args:
        runs: Two or more.
        progress: Told of real images as they are indexed, where a run has no index of them yet.

    Raises:
        InputError: A run is given twice, or was asked for other images: the key of the manifest that says so.
        IncompleteError: A run holds no image yet, or no image was made by all of them.
    """
    if len(runs) < 2:
        raise InputError("compare: give two runs or more, one for each generator")
    _refuse_twice(runs)
    for run in runs[1:]:
        _refuse_other(runs[0], run)
    reals = _same_reals(runs, progress)
    finished = [tuple(run.finished_shards()) for run in runs]
    for run, shards in zip(runs, finished, strict=True):
        if not any(shard.count for shard in shards):
            raise IncompleteError(f"{run.root}: the run holds no image yet; run `synthgen generate` first")
    attempts = [dict(_attempts(shards)) for shards in finished]
    images = tuple(_common(runs, finished[0], attempts))
    if not images:
        raise IncompleteError(f"{runs[0].root}: no image of it was made by all the others; make all runs whole first")
    keys, names = frozenset(image.key for image in images), _names(runs)
    return Matched(
        tuple(
            Generator(
                name,
                run,
                shards,
                tuple(_only(shards, keys)),
                run.plan.samples,
                sum(shard.failed for shard in shards),
                sum(attempt > 0 for attempt in made.values()),
                tuple(_differs(runs[0], run)),
            )
            for name, run, shards, made in zip(names, runs, finished, attempts, strict=True)
        ),
        images,
        runs[0].plan.manifest.document.skin_tones.scale,
        reals,
    )


def _refuse_twice(runs: Sequence[Run]) -> None:
    for root, times in Counter(run.root.resolve() for run in runs).items():
        if times > 1:
            raise InputError(f"{root}: given {times} times; give each run once")


def _names(runs: Sequence[Run]) -> list[str]:
    """The names of the studies' folders; the whole path of those that share one."""
    short = [study_layout.home_of(run.root).resolve().name for run in runs]
    return [name if short.count(name) == 1 else str(run.root) for name, run in zip(short, runs, strict=True)]


def _refuse_other(first: Run, run: Run) -> None:
    """Refuse a run whose manifest asks for other images than the first one's, by the keys that say so."""
    entries, others = first.plan.entries, run.plan.entries
    shared = [name for name in entries if name in others]
    if not shared:
        named = f"{', '.join(others)} here, {', '.join(entries)} in {first.root}"
        said = f"{run.root}: no entry has the same name: {named}; name them alike: a key, and so a seed, begins with it"
        raise InputError(Fault(said, path="generate", kind="conflict"))
    before, after = first.plan.manifest.document, run.plan.manifest.document
    found = [
        line for name in shared for line in growth.changes(first.plan.manifest, run.plan.manifest, name, most=None)
    ]
    asked = [line for line in dict.fromkeys(found) if _is_of(line, _ASKED)]
    if not asked and list(before.labels) != list(after.labels):
        asked = ["labels: in another order"]
    if asked:
        raise InputError(Fault(_refusal(first, run, asked), path=asked[0].partition(":")[0], kind="conflict"))


def _same_reals(runs: Sequence[Run], progress: Callable[[int, int], None] | None) -> int:
    """How many usable real images the runs have, once it is sure that they are the same.

    Raises:
        InputError: They are not.
    """
    counts, digests = list[int](), list[str]()
    for run in runs:
        read = run.plan.manifest
        index = load_plan.index(read, read.real, run.root, progress) if read.real else None
        usable = [one for split in ("train", "validation", "test") for one in (index.usable(split) if index else ())]
        counts.append(len(usable))
        digests.append(digest(sorted(usable, key=lambda one: one.id)))
        if digests[-1] != digests[0]:
            name = next(iter(set(run.plan.entries) & set(runs[0].plan.entries)))
            said = [
                one for one in growth.changes(runs[0].plan.manifest, read, name, most=None) if _is_of(one, ("real",))
            ]
            why = said or [f"real: {counts[-1]:,} usable images, {counts[0]:,} there, and not the same"]
            raise InputError(Fault(_refusal(runs[0], run, why), path="real", kind="conflict"))
    return counts[0]


def _refusal(first: Run, run: Run, said: Sequence[str]) -> str:
    more = f"; {len(said) - _MOST_NAMED} more" if len(said) > _MOST_NAMED else ""
    return f"{run.root}: can't be compared with {first.root}: {'; '.join(said[:_MOST_NAMED])}{more}; {_ADVICE}"


def _is_of(line: str, keys: Sequence[str]) -> bool:
    """Whether a difference of two manifests is one of these keys, or lies below one."""
    path = line.partition(":")[0]
    return any(path == key or path.startswith(f"{key}.") for key in keys)


def _differs(first: Run, run: Run) -> Iterator[str]:
    """What the manifest of a run says otherwise than the first one's, and is no matter of what is asked for."""
    if run is first:
        return
    one, other = first.plan.entries, run.plan.entries
    found = (
        line for name in one if name in other
        for line in growth.changes(first.plan.manifest, run.plan.manifest, name, most=None)
    )  # fmt: skip
    yield from (line for line in dict.fromkeys(found) if not _is_of(line, ("real",)))
    yield from (f"generate.{name}: not there" for name in one if name not in other)
    yield from (f"generate.{name}: there alone" for name in other if name not in one)


def _attempts(shards: Sequence[FinishedShard]) -> Iterator[tuple[str, int]]:
    """The key of each image that was made, and at which attempt."""
    for shard in shards:
        yield from ((one.key, one.attempt) for one in shard.samples if one.status == "made")


def _common(
    runs: Sequence[Run], shards: Sequence[FinishedShard], attempts: Sequence[Mapping[str, int]]
) -> Iterator[Asked]:
    """The images that all runs made at the same attempt, as the first one's plan has them.

    Raises:
        InputError: One key is of another label, tone or image to start from in another run.
    """
    scale = runs[0].plan.manifest.document.skin_tones.scale
    for shard in shards:
        others = [run.plan.entries.get(shard.entry.name) for run in runs[1:]]
        for sample in shard.samples:
            if sample.status != "made" or any(one.get(sample.key) != sample.attempt for one in attempts):
                continue
            facts = _facts(shard.entry, sample.key, scale)
            for run, entry in zip(runs[1:], others, strict=True):
                if entry is not None and (found := _facts(entry, sample.key, scale)) != facts:
                    raise _of_key(runs[0], run, facts, found)
            yield facts


def _facts(entry: EntryPlan, key: str, scale: str) -> Asked:
    place = entry.places[_index(entry, key)]
    parent = place.parent or (place.source.id if place.source else "")
    return Asked(key, entry.name, place.label, skin_tones.name(scale, place.tone), parent)


def _index(entry: EntryPlan, key: str) -> int:
    index = entry.find(key)
    if index is None:
        raise InputError(f"{key}: the plan has no such image any more; run `synthgen generate` again")
    return index


def _of_key(first: Run, run: Run, facts: Asked, found: Asked) -> InputError:
    """What a key is of in two runs, and the keys of their manifests that may have it so."""
    field = next(name for name in ("label", "tone", "parent") if getattr(facts, name) != getattr(found, name))
    changed = growth.changes(first.plan.manifest, run.plan.manifest, facts.entry, most=None)
    keys = [f"generate.{facts.entry}.{key}" for key in _OF_ENTRY]
    why = [line for line in changed if _is_of(line, keys)] or changed
    what = {"label": "label", "tone": "skin tone", "parent": "image to start from"}[field]
    said = f"`{facts.key}` has the {what} `{getattr(found, field)}`, and `{getattr(facts, field)}` there"
    return InputError(Fault(_refusal(first, run, [said, *why]), path=f"generate.{facts.entry}", kind="conflict"))


def _only(shards: Sequence[FinishedShard], keys: frozenset[str]) -> Iterator[Shard]:
    """The shards with every image set aside that is not among some keys; none that has no other."""
    for shard in shards:
        aside = shard.aside | (frozenset(one.key for one in shard.samples) - keys)
        chosen = shard if aside == shard.aside else replace(shard, aside=aside)
        if chosen.count:
            yield Shard(chosen)
