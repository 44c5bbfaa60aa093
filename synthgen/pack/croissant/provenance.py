"""What a dataset was derived from and by which activities, in PROV-O (https://www.w3.org/TR/prov-o/).

One activity an entry, with the model and revision that it used, one for the filters, and one for the packing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthgen.core.model_folder import ModelFacts
from synthgen.core.releases import __version__
from synthgen.pack.card.facts import CardFacts, Summary
from synthgen.pack.published_manifest import without_paths
from synthgen.plan import EntryPlan

_HUB = "https://huggingface.co"


def fields(facts: CardFacts) -> dict[str, Any]:
    """``prov:wasDerivedFrom``, ``prov:wasGeneratedBy`` and ``prov:wasAttributedTo``."""
    derived = [*_models(facts), *_adapters(facts), *_real(facts)]
    return {
        "prov:wasDerivedFrom": derived or [_entity("urn:synthgen:drawn", "drawn by code, from no other data")],
        "prov:wasGeneratedBy": [*_made(facts), *_filtered(facts), _packed(facts)],
        "prov:wasAttributedTo": [_synthgen()],
    }


def _models(facts: CardFacts) -> Iterator[dict[str, Any]]:
    """Each model once for every revision of it that images were made with; without one where none is known."""
    revisions = _revisions(facts)
    for name, model in facts.plan.models.items():
        for revision in revisions[name] or [""]:
            identity = _model_id(model, revision if len(revisions[name]) > 1 else "")
            yield _entity(identity, f"diffusion model {_called(model)}", revision=revision)


def _revisions(facts: CardFacts) -> dict[str, list[str]]:
    """The revisions of each model that images were made with, sorted."""
    used = {one for name, entry in facts.plan.entries.items() for one in _used(facts, name, entry)}
    return {name: sorted(revision for one, revision in used if one == name and revision) for name in facts.plan.models}


def _used(facts: CardFacts, name: str, entry: EntryPlan) -> Iterator[tuple[str, str]]:
    """The models of an entry and of its parts by name, each with the revision that its images were made with."""
    if entry.recipe.settings.uses_model:
        environment = facts.entries.get(name, Summary()).environment
        yield entry.recipe.model.name, str(environment.get("model_revision") or "")
        for key, part in entry.recipe.parts.items():
            yield part.model.name, str(environment.get("parts", {}).get(key) or "")


def _called(model: ModelFacts) -> str:
    """Its name; of a folder here the last part of it, since a path can name a person."""
    return Path(model.name).name if model.kind == "folder" else model.name


def _model_id(model: ModelFacts, revision: str = "") -> str:
    """Its address, or name; with the revision where images were made with several of it."""
    if model.kind == "hub":
        return f"{_HUB}/{model.name}/tree/{revision}" if revision else f"{_HUB}/{model.name}"
    return f"urn:synthgen:model:{_called(model)}{f':{revision}' if revision else ''}"


def _adapters(facts: CardFacts) -> Iterator[dict[str, Any]]:
    for name, adapter in sorted(facts.plan.adapters.items()):
        seen = "an unknown number of" if adapter.pool is None else len(adapter.pool)
        yield _entity(f"urn:synthgen:adapter:{name}", f"{adapter.method} adapter {name}, tuned on {seen} real images")


def _real(facts: CardFacts) -> Iterator[dict[str, Any]]:
    for number, (dataset, licence) in enumerate(facts.sources):
        said = f"real images: {dataset or 'unnamed'}, licence {licence or 'unknown'}"
        yield _entity(f"urn:synthgen:real:{number}", said)


def _made(facts: CardFacts) -> Iterator[dict[str, Any]]:
    models, revisions = facts.plan.models, _revisions(facts)
    for name, entry in facts.plan.entries.items():
        summary = facts.entries.get(name, Summary())
        found = _activity(f"urn:synthgen:generate:{name}", f"generate: {name}", _how(facts, entry, summary))
        used = {
            _model_id(models[model], revision if len(revisions[model]) > 1 else ""): None
            for model, revision in _used(facts, name, entry)
            if revision or len(revisions[model]) < 2  # of which of several is not known before the first image
        }
        if used:
            found["prov:used"] = [{"@id": one} for one in used]
        yield found


def _how(facts: CardFacts, entry: EntryPlan, summary: Summary) -> str:
    written = without_paths(entry.recipe.settings.model_dump(mode="json"))
    settings = ", ".join(f"{key} {value}" for key, value in written.items())
    environment = summary.environment
    where = f"{environment['device_name']}, {environment['dtype']}" if "dtype" in environment else ""
    parts = (
        f"strategy {entry.recipe.strategy}",
        settings,
        f"manifest seed {facts.plan.manifest.document.seed}",
        where,
        f"{entry.samples} planned, {summary.images} made, {summary.failed} failed",
    )
    return "; ".join(filter(None, parts))


def _filtered(facts: CardFacts) -> Iterator[dict[str, Any]]:
    if facts.judged is None:
        return
    said = "; ".join(f"{one.reason}: {one.rejected} rejected" for one in facts.judged.filters)
    kept = f"{facts.judged.accepted} of {facts.judged.judged} images kept"
    yield _activity("urn:synthgen:curate", "curate", "; ".join(filter(None, (said, kept))))


def _packed(facts: CardFacts) -> dict[str, Any]:
    sizes = ", ".join(f"{name} {size.images}" for name, size in facts.splits.items())
    said = f"{facts.layout}; images by split: {sizes}; plan {facts.plan.digest}; dataset {facts.digest}"
    return _activity("urn:synthgen:pack", "pack", said)


def _entity(identity: str, said: str, *, revision: str = "") -> dict[str, Any]:
    found = {"@type": "prov:Entity", "@id": identity, "prov:label": said}
    return found | ({"version": revision} if revision else {})


def _activity(identity: str, name: str, said: str) -> dict[str, Any]:
    found = {"@type": "prov:Activity", "@id": identity, "prov:label": name, "description": said}
    return found | {"prov:wasAssociatedWith": {"@id": _synthgen()["@id"]}}


def _synthgen() -> dict[str, Any]:
    said = f"synthgen {__version__}"
    return {"@type": "prov:SoftwareAgent", "@id": "urn:synthgen:software", "prov:label": said}
