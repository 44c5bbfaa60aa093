"""Which adapters a manifest trains, and which real images each is shown; pure, and known before any is trained."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthgen.core.adapter_folder import Adapter
from synthgen.errors import InputError
from synthgen.plan import real_pools
from synthgen.plan.manifest import AdapterChoice, FinetuneEntry, Manifest
from synthgen.plan.real_index import Index, Source

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """One adapter to train.

    Attributes:
        entry: The entry of ``finetune`` that asks for it.
        labels: The labels that it is shown, and the words that a prompt uses for each.
        pool: The real images that it is shown, sorted by id.
        adapter: What a plan knows of it.
        seed_digest: What all random numbers of its training follow from: the adapter's digest, or where it may be
            trained longer the digest of the same recipe without its length.
    """

    entry: FinetuneEntry
    labels: Mapping[str, str]
    pool: tuple[Source, ...]
    adapter: Adapter
    seed_digest: str


def plan(manifest: Manifest, index: Index | None) -> dict[str, AdapterPlan]:
    """Every adapter of a manifest, by name, in the manifest's order.

    Raises:
        InputError: The training split has no usable image for one of them; one line each.
    """
    sources = index.usable("train") if index else ()
    words, found, faults = manifest.document.labels, dict[str, AdapterPlan](), list[str]()
    for entry in manifest.finetune:
        seen = pool(manifest, sources, entry.pool.n, [entry.pool.draw]) if entry.pool else sources
        for name, labels in entry.names(list(words)).items():
            images = tuple(one for one in seen if one.label in labels)
            if not images:
                faults.append(f"finetune `{name}`: `real:` gives no usable training image of {', '.join(labels)}")
            shown = {label: words[label] for label in labels}
            found[name] = _planned(manifest, entry, name, shown, images)
    if faults:
        raise InputError(*faults)
    return found


def adapter_of(choice: AdapterChoice | None, label: str, adapter_plans: Mapping[str, AdapterPlan]) -> Adapter | None:
    """The adapter that images of a label are made with; ``None`` for none."""
    if choice is None:
        return None
    if choice.entry is None:
        return choice.folders[label]
    return adapter_plans[choice.name.replace("{label}", label)].adapter


def pool(manifest: Manifest, sources: Sequence[Source], n: int, draws: Iterable[int]) -> tuple[Source, ...]:
    """The real images that some of a study's draws have among the first ``n`` of each label, in the order given."""
    document = manifest.document
    drawn = (real_pools.draw(sources, list(document.labels), document.seed, number) for number in draws)
    ids = set[str]().union(*(one.first(n) for one in drawn))
    return tuple(source for source in sources if source.id in ids)


def _planned(
    manifest: Manifest, entry: FinetuneEntry, name: str, labels: Mapping[str, str], pool: tuple[Source, ...]
) -> AdapterPlan:
    document = manifest.document
    content: dict[str, Any] = {
        "format": _FORMAT,
        "seed": document.seed,
        "name": name,
        "method": entry.method,
        "strategy": entry.strategy,
        "model": [entry.model.name, entry.revision],
        "settings": entry.settings.model_dump(mode="json"),
        "labels": labels,
        "skin_tone_scale": document.skin_tones.scale,
        "prompts": manifest.prompts.model_dump(mode="json"),
        "pool": [one.facts for one in pool],
    }
    new = {label: entry.settings.words(label) for label in labels}
    words = tuple((label, word) for label, word in new.items() if word is not None)
    ids = tuple(one.id for one in pool)
    adapter = Adapter(name, _digest(content), entry.method, ids, words)
    return AdapterPlan(entry, labels, pool, adapter, _digest(content | {"settings": entry.settings.seeding()}))


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
