"""Puts what a study found into the card of a packed dataset, between the two marks that the card's template has.

The images come first and the study of them after, so the card is filled in later; no image, shard or digest changes.
"""

import hashlib
from pathlib import Path

from synthgen.core import atomic, checksums, locks, seal
from synthgen.core.hashing import sha256_file
from synthgen.errors import DamagedError, InputError
from synthgen.runs import dataset_folder, signature

BEGIN, END = "<!-- augmentation results -->", "<!-- /augmentation results -->"
_REPORT = "card.md"
_UNMEASURED = "no report of `synthgen classifier-eval` came with this dataset"  # as the template that ships says it


def add_report(dataset: Path, report: Path) -> bool:
    """Put a report's block into a dataset's card, in place of what stood there; whether the card has a place for it.

    The card's size and sha256 in ``provenance.json`` follow, and a signature of what that said before goes. Done again
    with the same report, it changes nothing. The new card is on disk before ``provenance.json`` promises it, so that
    one that was broken off is brought to its end by :func:`finish`, and until then `verify` finds the card to be
    another than promised.

    Raises:
        InputError: The folder is no packed dataset, or the report no report of `synthgen classifier-eval`, or another
            process puts one into this card.
        DamagedError: The report's block, the card or the dataset's provenance is not what was written; a card that is
            not is never promised anew.
    """
    dataset_folder.read_provenance(dataset)
    busy = f"{dataset}: another process puts a report into its card; wait until it is done, then run this again"
    block = _block(report)
    with locks.held(dataset / ".lock", busy, passing=True):
        finish(dataset)
        provenance = dataset_folder.read_provenance(dataset)
        dataset_folder.check_seal(dataset)
        path = dataset / dataset_folder.CARD
        if not path.is_file() or sha256_file(path) != provenance["files"].get(dataset_folder.CARD, {}).get("sha256"):
            raise DamagedError(f"{path}: not what provenance.json says; put a copy back, or pack the run again")
        before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            return False
        content = f"{before}{BEGIN}\n{block}\n{END}{after}".encode()
        facts = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        if provenance["files"][dataset_folder.CARD] != facts:
            provenance["files"][dataset_folder.CARD] = facts
            signature.remove(dataset)
            atomic.write(dataset / dataset_folder.NEXT_CARD, content)
            atomic.write(dataset / dataset_folder.PROVENANCE, seal.dumps(provenance))
            finish(dataset)
        return True


def finish(dataset: Path) -> None:
    """Bring a report's way into a card to its end where it was broken off, or take away what is left of one."""
    atomic.sweep(dataset)
    card = dataset / dataset_folder.NEXT_CARD
    if dataset_folder.has_next_card(dataset):
        atomic.publish(card, dataset / dataset_folder.CARD)
    elif card.is_file():
        card.unlink()


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
