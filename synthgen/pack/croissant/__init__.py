"""``croissant.json``: what a dataset is, how its records are read, what is known of its risks, and how it was made.

Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html) with its vocabulary for responsible AI
(https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html) and with PROV-O. Not written by `mlcroissant`, which
builds the same JSON from objects, but drops what it does not know, PROV-O among it, and would bring pandas and rdflib
along; the tests read every file back with it.
"""

import json
from collections.abc import Mapping
from typing import Any

from synthgen.core.releases import __version__
from synthgen.pack.card.facts import CardFacts
from synthgen.pack.card.values import without_markup
from synthgen.pack.croissant import licences, provenance, resources, responsible_ai
from synthgen.runs import croissant as standard

__all__ = ["CardFacts", "write"]


def write(facts: CardFacts, files: Mapping[str, Mapping[str, Any]], *, identifiers: str) -> bytes:
    """The file's bytes, which follow from the dataset alone: no time and no place of this machine is in them.

    Args:
        facts: What the card is filled from.
        files: The size and sha256 of each file of the dataset, by its path.
        identifiers: ``pseudonym`` or ``original``, as real images are named; empty where no name could be a person's.
    """
    publish = facts.plan.manifest.document.publish
    title = publish.pretty_name or facts.plan.manifest.document.name
    document: dict[str, Any] = {
        "@context": standard.CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(standard.CONFORMS_TO),
        "name": title,
        "description": _description(facts),
        "license": licences.address(publish.license, publish.license_link),
        "keywords": list(dict.fromkeys(["synthetic", "image classification", *publish.tags])),
        "version": f"1.0.0+{facts.digest[:16]}",
        "citeAs": _citation(facts),
        "isLiveDataset": False,
    }
    if publish.repo:
        document["url"] = standard.page(publish.repo)
    if publish.creators:
        document["creator"] = [{"@type": "sc:Person", "name": name} for name in publish.creators]
    if publish.date_published:
        document["datePublished"] = publish.date_published.isoformat()
    document |= responsible_ai.fields(facts, identifiers=identifiers)
    document |= provenance.fields(facts)
    document |= resources.fields(facts, files)
    text = json.dumps(document, indent=1, ensure_ascii=False).replace("<", "\\u003c")  # it may stand in a web page
    return text.encode() + b"\n"


def _description(facts: CardFacts) -> str:
    labels = ", ".join(facts.plan.manifest.document.labels.values())
    return (
        f"{facts.images} synthetic images of {len(facts.plan.manifest.document.labels)} classes ({labels}), made with "
        f"synthgen {__version__}, with class, prompt, seed and model of each. Not for clinical use."
    )


def _citation(facts: CardFacts) -> str:
    """The BibTeX entry that the card has."""
    document = facts.plan.manifest.document
    where = rf"\url{{{standard.page(document.publish.repo)}}}" if document.publish.repo else "Synthetic image dataset"
    note = f"{facts.images} synthetic images made with synthgen {__version__}, dataset {facts.digest[:16]}"
    title = without_markup(document.publish.pretty_name or document.name)
    return f"@misc{{{document.name}, title = {{{title}}}, howpublished = {{{where}}}, note = {{{note}}}}}"
