"""Compares two plans of one run: which samples both have, the same, and which keys of the manifest set them apart."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from synthgen.plan import EntryPlan, Plan
from synthgen.plan.manifest import Manifest
from synthgen.plan.manifest.generate import GenerateEntry
from synthgen.plan.ordering import Slot

_ATTEMPTS = 4  # of which each may render other templates otherwise
_MOST_NAMED = 4
_COUNTS = ("per_cell", "total", "weights", "per_source", "source_pool")  # how many, and not what


def same(old: Plan, at: int, new: Plan, index: int, name: str) -> bool:
    """Whether sample ``at`` of an entry is in one plan the very image and record that ``index`` is in another."""
    return _decisive(old, old.entries[name], at, new) == _decisive(new, new.entries[name], index, old)


def content_digest(plan: Plan, entry: EntryPlan, index: int) -> str:
    """The sha256, in hex, over all that decides a sample's image and record."""
    text = json.dumps(_decisive(plan, entry, index, None), sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


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
        aside: Images that are made, and that the run would set aside.
        restored: Images that were set aside and count again, so are not to be made; not among the new ones.
    """

    entry: str
    stays: int
    new: int
    anew: int
    gone: int
    changes: tuple[str, ...]
    aside: int = 0
    restored: int = 0

    @property
    def grows(self) -> bool:
        """Whether nothing changes or is left out."""
        return not (self.anew or self.gone)


def why(old: Plan, new: Plan, name: str) -> list[str]:
    """What sets the images of an entry of two plans apart: keys of the manifest, or else its real images."""
    return changes(old.manifest, new.manifest, name) or [_of_sources(old, new)]


def changes(old: Manifest, new: Manifest, name: str, *, most: int | None = _MOST_NAMED) -> list[str]:
    """What an entry's images depend on and two manifests say differently: the key, its old value and its new one.

    Args:
        old: The older manifest.
        new: The newer one.
        name: The entry.
        most: How many are named; ``None`` for all.
    """
    before, after = dict(_said(old, name)), dict(_said(new, name))
    found = [
        f"{path}: {_text(before.get(path))} -> {_text(after.get(path))}"
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]
    return found if most is None or len(found) <= most else [*found[:most], f"{len(found) - most} more"]


def reason(old: Plan, new: Plan, name: str, place: Slot, *, gone: bool) -> str:
    """Why a plan has a sample of an older one no more, or another in its place, by the key of the manifest.

    Args:
        old: The older plan.
        new: The newer one.
        name: The entry.
        place: The sample's place in the older one.
        gone: Whether the newer plan has no sample of that key.
    """
    before, after = old.manifest.document, new.manifest.document
    if name not in new.entries:
        return f"generate.{name}: taken out"
    if place.label not in after.labels:
        return f"labels.{place.label}: {_text(before.labels[place.label])} -> nothing"
    if place.tone and place.tone not in after.skin_tones.values:
        return f"skin_tones.values: {before.skin_tones.values} -> {after.skin_tones.values}"
    excluded = (new.index.excluded if new.index else {}).get(place.source.id if place.source else "")
    if excluded:
        return f"real.exclude: {excluded}"
    said = changes(old.manifest, new.manifest, name, most=None)
    lineage = [one.name for one in _lineage(new.manifest, name)]
    counts = [one for one in said if one.startswith(tuple(f"generate.{of}.{key}" for of in lineage for key in _COUNTS))]
    chosen = counts if gone and counts else [one for one in said if one not in counts]
    return "; ".join(chosen or said) or _of_sources(old, new)


def _of_sources(old: Plan, new: Plan) -> str:
    """What has changed where the manifest says the same: the real images that its rules take out."""
    before, after = (plan.index.excluded if plan.index else {} for plan in (old, new))
    if before == after:
        return "the real images are others"
    return f"real.exclude: takes out {len(after):,} real images, {len(before):,} before"


def _decisive(plan: Plan, entry: EntryPlan, index: int, other: Plan | None) -> list[Any]:
    """All that decides a sample's image and record; where they have the same prompts one attempt stands for all."""
    output = plan.manifest.document.output
    sample = entry.sample(index)
    recipe, found = sample.recipe, list[Any]()
    equal = other is not None and plan.manifest.prompts == other.manifest.prompts
    for attempt in range(1 if equal else _ATTEMPTS):
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
        *([sample.mask_source.facts] if sample.mask_source else []),
        (output.image_format, output.quality, output.iptc, output.mask),
    ]


def _said(manifest: Manifest, name: str) -> Iterator[tuple[str, Any]]:
    """What a manifest says of an entry and of all entries, by key; lists are one value."""
    document = manifest.document
    plain: dict[str, Any] = document.model_dump(mode="json", include={"seed", "labels", "skin_tones", "output"})
    plain["finetune"] = {one.name: one.settings.model_dump(mode="json") for one in manifest.finetune}
    if manifest.real:
        exclude = manifest.real.settings.exclude
        plain["real"] = {"source": str(manifest.real.source), **manifest.real.settings.model_dump(mode="json")}
        plain["real"] |= {"exclude": exclude.model_dump(mode="json", exclude_defaults=True)} if exclude else {}
    plain["prompts"] = manifest.prompts.model_dump(mode="json")
    yield from _leaves("", plain)
    for one in _lineage(manifest, name):
        yield from _leaves(f"generate.{one.name}", _said_of(one))


def _lineage(manifest: Manifest, name: str) -> Iterator[GenerateEntry]:
    """An entry, the one whose images it starts from, the one whose images that starts from, and so on."""
    by_name = {one.name: one for one in manifest.entries}
    entry = by_name.get(name)
    while entry is not None:
        yield entry
        entry = by_name.get(entry.parent or "")


def _said_of(entry: GenerateEntry) -> dict[str, Any]:
    """What a manifest says of an entry by itself, under the manifest's own keys."""
    return {
        "strategy": str(entry.strategy),
        "model": entry.model.name,
        "revision": entry.revision,
        "accelerate": entry.accelerator.content if entry.accelerator else None,
        "vae": entry.autoencoder.content if entry.autoencoder else None,
        "controlnet": entry.controlnet.content if entry.controlnet else None,
        "ip_adapter": entry.ip_adapter.content if entry.ip_adapter else None,
        "image_encoder": entry.image_encoder.content if entry.image_encoder else None,
        "per_cell": entry.per_cell,
        "total": entry.total,
        "per_source": entry.per_source,
        "source_pool": entry.source_pool.model_dump(mode="json") if entry.source_pool else None,
        "adapter": entry.adapter.name if entry.adapter else None,
        "from": entry.parent,
        "target_label": entry.target_label,
        "source_label": entry.source_label,
        "weights": entry.weights.model_dump(mode="json"),
        "settings": entry.settings.model_dump(mode="json"),
    }


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for key, one in value.items():
        yield from _leaves(f"{path}.{key}" if path else str(key), one)


def _text(value: Any) -> str:
    said = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= 60 else f"{said[:57]}..."


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)
