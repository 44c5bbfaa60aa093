"""Several generators side by side: what each made of the same prompts and seeds, as a sheet and a league table.

CheXGenBench (arXiv 2505.10496) sets generators of chest x-rays side by side like that. It measures with the scorers of
``curate`` and the fidelity report's measures, and has none of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.compare import league as leagues
from synthgen.compare import matching, notes, page, pairs, scores, sheet
from synthgen.compare.league import League, Row
from synthgen.compare.page import SHEET, summary_lines
from synthgen.compare.pairs import Pairing
from synthgen.core import atomic, checksums
from synthgen.core import report as synthgen_report
from synthgen.curate import fidelity
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.runs.folders import Run

__all__ = [
    "BACKBONE",
    "LIMIT",
    "PAGE",
    "ROWS",
    "SHEET",
    "TABLE",
    "TEXT",
    "Comparison",
    "League",
    "compare",
    "summary_lines",
]

BACKBONE, LIMIT = fidelity.BACKBONE, fidelity.LIMIT
ROWS = 24
PAGE, TEXT, TABLE = "compare.html", "compare.md", "compare.csv"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Comparison:
    """What was found of several generators, and the folder it was written to.

    Attributes:
        out: Its folder.
        images: How many images of each were compared.
        league: Every measure of every generator, of all images and by lightness of skin.
        pairs: Each generator but the first beside the first, image by image.
        notes: Sentences that a reader must know.
    """

    out: Path
    images: int
    league: League
    pairs: Sequence[Pairing]
    notes: Sequence[str]

    @property
    def rows(self) -> Sequence[Row]:
        """The rows of the league table, as the CSV has them."""
        return self.league.rows


def compare(
    runs: Sequence[Run],
    out: Path,
    *,
    price: float | None = None,
    rows: int = ROWS,
    backbone: str = BACKBONE,
    device: str = "auto",
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Comparison:
    """Compare runs of the same prompts and seeds; writes ``compare.html``, ``.md``, ``.csv`` and ``sheet.png``.

    Args:
        runs: Two or more; the others are held against the first, image by image.
        out: The folder that it is written to; new, empty, or that of an earlier comparison.
        price: What an hour of one device costs.
        rows: How many rows the sheet has at the most.
        backbone: What gives the features of fidelity, as of :func:`synthgen.curate.fidelity.report`.
        device: What networks of scorers compute on.
        limit: Images of each kind that fidelity is measured of at the most.
        progress: Told what is done, how much of it, and how much there is; may raise to stop.

    Raises:
        InputError: The runs can't be compared, or ``out`` is not ours.
        IncompleteError: A run holds no image yet.
        UnavailableError: A scorer or a backbone can't be had here.
        DamagedError: A shard can't be read.
    """
    tell = progress or _silent
    _check_ours(out)
    matched = matching.match(runs, partial(tell, "indexing real images"))
    scorers, rules = scores.settings(matched.generators), scores.same_rules(matched.generators)
    of = leagues.groups(matched.images, matched.scale)
    scored = [
        scores.measure(one, matched.images, scorers, rules=rules, device=device, progress=tell)
        for one in matched.generators
    ]
    only = frozenset(image.key for image in matched.images)
    measured = [
        fidelity.measurements(one.run, of, backbone=backbone, only=only, limit=limit, progress=tell)
        if matched.reals else []
        for one in matched.generators
    ]  # fmt: skip
    found = leagues.league(matched, of, scored, measured, price)
    paired = list(pairs.pairings(matched, of, scored))
    shown = sheet.rows(matched, rows)
    picture = sheet.draw(shown, found.generators)
    said = list(notes.sentences(matched, scored, limit, price))
    blocks = list(page.blocks(matched, found, paired, shown, picture, notes=said, price=price))
    title = f"{', '.join(found.generators)}: {len(matched.images):,} images of the same prompts and seeds"
    _write(out, title, blocks, leagues.to_csv(found), picture)
    return Comparison(out, len(matched.images), found, paired, said)


def _check_ours(out: Path) -> None:
    """Refuse a folder that holds something else.

    Raises:
        InputError: It does.
    """
    if out.exists() and any(not one.name.startswith(".") for one in out.iterdir()) and not (out / TABLE).exists():
        raise InputError(f"{out} is not empty and no comparison (no {TABLE}); choose another folder")


def _write(out: Path, title: str, blocks: Sequence[synthgen_report.Block], table: bytes, picture: bytes) -> None:
    out.mkdir(parents=True, exist_ok=True)
    atomic.sweep(out)
    checksums.clear(out)
    atomic.write(out / TABLE, table)
    atomic.write(out / SHEET, picture)
    atomic.write(out / TEXT, synthgen_report.markdown(title, blocks).encode())
    atomic.write(out / PAGE, synthgen_report.html(title, blocks, "synthgen compare").encode())
    checksums.write(out, [TABLE, SHEET, TEXT, PAGE])


def _silent(_what: str, _done: int, _total: int) -> None:
    return
