"""What became of each address, and the table of it that a spreadsheet may open."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from synthgen.core import atomic

REPORT = "fetch.csv"
PRESENT = ("fetched", "there already")
NOT_TRIED = "not tried"
OUTCOMES = (*PRESENT, "dead link", "not an image", "wrong md5", "failed", NOT_TRIED)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Fetched(NamedTuple):
    """What became of an address: one of ``OUTCOMES``, and the reason where its file is not there."""

    address: str
    file: str
    outcome: str
    reason: str = ""


def write(path: Path, outcomes: Iterable[Fetched]) -> None:
    """Write the table: a header, and a line an address; no cell of it is a formula to a spreadsheet."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(Fetched._fields)
    table.writerows([_plain(cell) for cell in outcome] for outcome in outcomes)
    atomic.write(path, file.getvalue().encode("utf-8", "replace"))


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
