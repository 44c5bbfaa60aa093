"""Checks ``croissant.json`` before a venue does: the fields that it asks for, and the files that the dataset has.

Not by `mlcroissant`, which would bring pandas and rdflib along and says nothing of the fields for responsible AI; the
tests show that it reads what this lets through.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from synthgen.runs import croissant as standard


def faults(content: bytes, provenance: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the file, one line each.

    Args:
        content: Its bytes.
        provenance: The dataset's provenance, which says its files.
    """
    try:
        document = json.loads(content)
        conforms, distribution = document.get("conformsTo"), document.get("distribution")
        listed = {one["@id"]: one for one in distribution if one["@type"] == "cr:FileObject"}
    except (ValueError, AttributeError, KeyError, TypeError):
        yield "not Croissant: no JSON object with a `distribution` of objects that have `@id` and `@type`; pack again"
        return
    if standard.VERSION not in (conforms if isinstance(conforms, list) else [conforms]):
        yield f"does not say that it conforms to {standard.VERSION}; pack again"
    missing = [name for name in standard.RESPONSIBLE_AI if document.get(name) in (None, "", [], {})]
    if missing:
        yield f"has no {', '.join(missing)}, which venues ask for; pack again"
    if not document.get("recordSet"):
        yield "has no recordSet, so nobody can read records by it; pack again"
    yield from _differing(listed, provenance["files"])


def _differing(listed: Mapping[str, Any], files: Mapping[str, Any]) -> Iterator[str]:
    """The files that it says other things of than the provenance does, and shards that it leaves out."""
    for name, facts in files.items():
        said = listed.get(name)
        if said is None and "samples" in facts and name.startswith("data/") and not name.endswith("/metadata.parquet"):
            yield f"leaves out {name}; pack again"
        elif said is not None and said.get("sha256") != facts.get("sha256"):
            yield f"says another sha256 of {name} than provenance.json; pack again"
    for name in listed.keys() - files.keys() - {"repo"}:
        yield f"names {name}, which is no file of this dataset; pack again"
