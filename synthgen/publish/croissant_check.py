"""Checks ``croissant.json`` before a venue does: the fields that it asks for, and the files that the dataset has.

Not by `mlcroissant`, which would bring pandas and rdflib along and says nothing of the fields for responsible AI; the
tests show that it reads what this lets through.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from synthgen.runs import croissant as standard

_MAIN = "main"  # the branch that its addresses name


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


def elsewhere(content: bytes, repo: str, branch: str) -> str:
    """What to say of files that it has on the Hub at another address than they are published at; empty for none.

    Args:
        content: Its bytes, in which :func:`faults` finds nothing.
        repo: The repository.
        branch: The branch of it.
    """
    distribution = json.loads(content)["distribution"]
    named = [(one["@id"], one["contentUrl"]) for one in distribution if one["@type"] == "cr:FileObject"]
    there = [(name, url) for name, url in named if name != "repo" and url.startswith("https://")]
    if not there:
        return ""
    name, url = there[0]
    if url != standard.address(repo, name):
        advice = f"set `publish.repo: {repo}` in the manifest and pack again, or leave --repo out"
    elif branch != _MAIN:
        advice = f"read them on {branch} by a copy of it, or merge {branch} into {_MAIN}"
    else:
        return ""
    return (
        f"says that its files are at {url.removesuffix(f'/{name}')}, which are not those that are published; {advice}"
    )


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
