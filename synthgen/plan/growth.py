"""Compares two plans of one run: whether the newer keeps every sample that the older has, and what sets them apart."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from synthgen.plan import EntryPlan, Plan
from synthgen.plan.layout import Layout, lay_out
from synthgen.plan.manifest import Manifest

_ATTEMPTS = 4  # of which each may render other templates otherwise
_MOST_NAMED = 4


def grown(old: Plan, new: Plan, name: str) -> Layout | None:
    """The layout of an entry that has all of its old samples in their old shards, and new ones in shards of their own.

    ``None`` where a sample that the old plan has is another in the new one, lies in another order, or is not in it.
    """
    before, after = old.entries[name], new.entries[name]
    known: list[int | None] = [None] * after.samples
    last, kept = dict[int, int](), 0
    for index in range(after.samples):
        at = before.find(f"{name}-{after.places[index].name}")
        if at is None:
            continue
        if _decisive(old, before, at, new) != _decisive(new, after, index, old):
            return None
        shard = before.shard_of(at)
        if last.get(shard, -1) > at:
            return None
        last[shard], known[index], kept = at, shard, kept + 1
    if kept < before.samples:
        return None
    first = before.next_shard
    revisions = before.layout.revisions if before.layout else ((0, before.digest),)
    shards = lay_out(known, after.places.sizes, after.shard_samples, first)
    return Layout(shards, (*revisions, (first, after.digest)))


@dataclass(frozen=True, slots=True)
class Difference:
    """How many images of an entry two plans of a run have in common, and how many not.

    Attributes:
        entry: The entry's name.
        stays: Images that both plan, the same.
        new: Images that only the newer plans.
        anew: Images of one key that the two plan differently.
        gone: Images that only the older plans.
        changes: What the manifests say differently, as of :func:`changes`.
    """

    entry: str
    stays: int
    new: int
    anew: int
    gone: int
    changes: tuple[str, ...]

    @property
    def grows(self) -> bool:
        """Whether nothing changes or is left out."""
        return not (self.anew or self.gone)


def differences(old: Plan, new: Plan) -> list[Difference]:
    """The difference of each entry that one of two plans of a run has; compares every sample."""
    found = list[Difference]()
    for name in dict.fromkeys([*new.entries, *old.entries]):
        if name not in old.entries:
            found.append(Difference(name, 0, new.entries[name].samples, 0, 0, ()))
        elif name not in new.entries:
            found.append(Difference(name, 0, 0, 0, old.entries[name].samples, ("the manifest lacks it",)))
        else:
            before, after = old.entries[name], new.entries[name]
            pairs = ((before.find(f"{name}-{after.places[index].name}"), index) for index in range(after.samples))
            both = [(at, index) for at, index in pairs if at is not None]
            same = before.digest == after.digest
            stays = sum(
                same or _decisive(old, before, at, new) == _decisive(new, after, index, old) for at, index in both
            )
            found.append(
                Difference(
                    name, stays, after.samples - len(both), len(both) - stays, before.samples - len(both),
                    () if same else tuple(changes(old.manifest, new.manifest, name)),
                )
            )  # fmt: skip
    return found


def changes(old: Manifest, new: Manifest, name: str) -> list[str]:
    """What an entry's images depend on and two manifests say differently: the key, its old value and its new one."""
    before, after = dict(_said(old, name)), dict(_said(new, name))
    found = [
        f"{path}: {_text(before.get(path))} -> {_text(after.get(path))}"
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]
    return found if len(found) <= _MOST_NAMED else [*found[:_MOST_NAMED], f"{len(found) - _MOST_NAMED} more"]


def _decisive(plan: Plan, entry: EntryPlan, index: int, other: Plan) -> list[Any]:
    """All that decides a sample's image and record."""
    output = plan.manifest.document.output
    sample = entry.sample(index)
    recipe, found = sample.recipe, list[Any]()
    for attempt in range(1 if plan.manifest.prompts == other.manifest.prompts else _ATTEMPTS):
        one = entry.sample(index, attempt)
        found.append((one.seed, one.prompt, one.negative_prompt, one.attributes))
    if sample.parent and entry.parent:
        parent = plan.entries[entry.parent]
        at = parent.find(sample.parent)
        found.append(None if at is None else _decisive(plan, parent, at, other))
    return [
        *found,
        (sample.key, sample.label, sample.label_id, sample.skin_tone, sample.skin_tone_scale, sample.parent),
        (recipe.strategy, recipe.settings, recipe.model.name, recipe.revision),
        recipe.adapter.digest if recipe.adapter else "",
        {key: part.content for key, part in recipe.parts.items()},
        sample.source.facts if sample.source else [],
        sample.mask_source.facts if sample.mask_source else [],
        (output.image_format, output.quality),
    ]


def _said(manifest: Manifest, name: str) -> Iterator[tuple[str, Any]]:
    """What a manifest says of an entry and of all entries, by key; lists are one value."""
    document = manifest.document
    plain: dict[str, Any] = document.model_dump(mode="json", include={"seed", "labels", "skin_tones", "output"})
    plain["finetune"] = {one.name: one.settings.model_dump(mode="json") for one in manifest.finetune}
    plain["prompts"] = manifest.prompts.model_dump(mode="json")
    yield from _leaves("", plain)
    entry = next((one for one in manifest.entries if one.name == name), None)
    if entry is None:
        return
    values: dict[str, Any] = {
        "strategy": str(entry.strategy),
        "model": entry.model.name,
        "revision": entry.revision,
        "accelerate": entry.accelerator.content if entry.accelerator else None,
        "vae": entry.autoencoder.content if entry.autoencoder else None,
        "per_cell": entry.per_cell,
        "total": entry.total,
        "per_source": entry.per_source,
        "parent": entry.parent,
        "target_label": entry.target_label,
        "source_label": entry.source_label,
        "weights": entry.weights.model_dump(mode="json"),
        "settings": entry.settings.model_dump(mode="json"),
    }
    yield from _leaves(f"generate.{name}", values)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for key, one in value.items():
        yield from _leaves(f"{path}.{key}" if path else str(key), one)


def _text(value: Any) -> str:
    said = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= 60 else f"{said[:57]}..."
