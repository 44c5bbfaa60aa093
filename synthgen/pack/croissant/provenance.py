"""What a dataset was derived from and by which activities, in PROV-O (https://www.w3.org/TR/prov-o/).

One activity an entry, with the model and revision that it used, one for the filters, and one for the packing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthgen.core.model_folder import ModelFacts
from synthgen.core.releases import __version__
from synthgen.pack.card.facts import CardFacts, Summary
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
    revisions = {
        entry.recipe.model.name: facts.entries.get(name, Summary()).environment.get("model_revision", "")
        for name, entry in facts.plan.entries.items()
    }
    for name, model in facts.plan.models.items():
        said = f"diffusion model {_called(model)}"
        yield _entity(_model_id(model), said, revision=str(revisions.get(name) or ""))


def _called(model: ModelFacts) -> str:
    """Its name; of a folder here the last part of it, since a path can name a person."""
    return Path(model.name).name if model.kind == "folder" else model.name


def _model_id(model: ModelFacts) -> str:
    return f"{_HUB}/{model.name}" if model.kind == "hub" else f"urn:synthgen:model:{_called(model)}"


def _adapters(facts: CardFacts) -> Iterator[dict[str, Any]]:
    for name, adapter in sorted(facts.plan.adapters.items()):
        seen = "an unknown number of" if adapter.pool is None else len(adapter.pool)
        yield _entity(f"urn:synthgen:adapter:{name}", f"{adapter.method} adapter {name}, tuned on {seen} real images")


def _real(facts: CardFacts) -> Iterator[dict[str, Any]]:
    for number, (dataset, licence) in enumerate(facts.sources):
        said = f"real images: {dataset or 'unnamed'}, licence {licence or 'unknown'}"
        yield _entity(f"urn:synthgen:real:{number}", said)


def _made(facts: CardFacts) -> Iterator[dict[str, Any]]:
    for name, entry in facts.plan.entries.items():
        summary = facts.entries.get(name, Summary())
        found = _activity(f"urn:synthgen:generate:{name}", f"generate: {name}", _how(facts, entry, summary))
        if entry.recipe.settings.uses_model:
            parts = (entry.recipe, *entry.recipe.parts.values())
            found["prov:used"] = [{"@id": one} for one in dict.fromkeys(_model_id(part.model) for part in parts)]
        yield found


def _how(facts: CardFacts, entry: EntryPlan, summary: Summary) -> str:
    settings = ", ".join(f"{key} {value}" for key, value in entry.recipe.settings.model_dump(mode="json").items())
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
