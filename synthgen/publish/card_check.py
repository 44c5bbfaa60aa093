"""Checks the card before the Hub does: its YAML header, its licence, and what it says of the near-duplicate audit."""

import re
from collections.abc import Iterator
from typing import Any

from synthgen.core import yaml_documents
from synthgen.errors import ManifestError
from synthgen.runs import audit

_HEADER = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_SAYS_NOT_DONE = re.compile(r"near-copy audit\b[^.]{0,80}\bnot (?:been )?done|\bno near-copy audit", re.IGNORECASE)


def faults(text: str, provenance: dict[str, Any], *, real_sources: bool) -> Iterator[str]:
    """What is wrong with a card, one line each.

    Args:
        text: The card, README.md.
        provenance: The dataset's provenance, whose ``near_copy_audit`` says what was done.
        real_sources: Whether any image was made from real ones.
    """
    header = _HEADER.match(text)
    if header is None:
        yield "has no YAML header (a first line `---`, keys, a line `---`)"
    else:
        yield from _header_faults(header[1])
    audited = audit.from_provenance(provenance.get("near_copy_audit"))
    if real_sources and not audited and not _SAYS_NOT_DONE.search(text):
        yield "real images were used and no near-copy audit is on record; do it, or let the card say it was not done"


def _header_faults(header: str) -> Iterator[str]:
    try:
        document = yaml_documents.parse(header, "header", kept=True)
    except ManifestError as error:
        yield from error.faults
        return
    licence = document.get("license")
    names = licence if isinstance(licence, list) else [licence]
    if not names or any(not isinstance(name, str) or name.strip().lower() in ("", "unknown") for name in names):
        yield ("no licence; set `publish.license` in the manifest, and pack into a new folder with `--manifest` of it")
    elif "other" in names and not (document.get("license_link") and document.get("license_name")):
        yield (
            "the licence is `other`, of which the Hub wants a name and an address; set `publish.license_name` and "
            "`publish.license_link` in the manifest, and pack again with `--manifest` of it"
        )
