"""Puts what a study found into the card of a packed dataset, between the two marks that the card's template has.

The images come first and the study of them after, so the card is filled in later; no image, shard or digest changes.
"""

import hashlib
from pathlib import Path

from synthgen.core import atomic, checksums, seal
from synthgen.errors import InputError
from synthgen.runs import dataset_folder

BEGIN, END = "<!-- augmentation results -->", "<!-- /augmentation results -->"
_REPORT = "card.md"
_UNMEASURED = "no report of `synthgen classifier-eval` came with this dataset"  # as the template that ships says it


def add_report(dataset: Path, report: Path) -> bool:
    """Put a report's block into a dataset's card, in place of what stood there; whether the card has a place for it.

    The card's size and sha256 in ``provenance.json`` follow. Done again with the same report, it changes nothing.

    Raises:
        InputError: The folder is no packed dataset, or the report no report of `synthgen classifier-eval`.
        DamagedError: The report's block is not what was written, or the dataset's provenance, which is not sealed anew.
    """
    provenance = dataset_folder.read_provenance(dataset)
    dataset_folder.check_seal(dataset)
    block = _block(report)
    path = dataset / dataset_folder.CARD
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return False
    content = f"{before}{BEGIN}\n{block}\n{END}{after}".encode()
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    if provenance["files"][dataset_folder.CARD] != facts or path.read_bytes() != content:
        provenance["files"][dataset_folder.CARD] = facts
        atomic.write(path, content)
        atomic.write(dataset / dataset_folder.PROVENANCE, seal.dumps(provenance))
    return True


def findings(dataset: Path) -> str:
    """What a study found, as a dataset's card says it; empty where it says nothing, or there is no dataset."""
    path = dataset / dataset_folder.CARD
    if not dataset_folder.is_dataset(dataset) or not path.is_file():
        return ""
    block = path.read_text(encoding="utf-8", errors="replace").partition(BEGIN)[2].partition(END)[0].strip()
    return "" if _UNMEASURED in block else block


def _block(report: Path) -> str:
    path = report / _REPORT
    if not path.is_file():
        raise InputError(f"{report}: no report here (no {_REPORT}); give the folder that `classifier-eval` wrote")
    checksums.check(path, "run `synthgen classifier-eval` again")
    return path.read_text(encoding="utf-8").strip()
