"""The rules of a manifest, applied to scores: who is kept, and every reason why not.

All of it is pure: arrays in, arrays out; no file is read and no image is looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgen.curate.image_table import ImageTable
from synthgen.plan.manifest import Curation
from synthgen.runs.verdicts import Filter

Mask = NDArray[np.bool_]
Scores = Mapping[str, NDArray[np.float64]]
BALANCE = "more than the skin tone that has the fewest"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What becomes of N images by a manifest's rules.

    Attributes:
        images: The images.
        rejected: The images that each reason rejects, N truth values each, in the order they are looked at.
        kept: The images that the rules and ``best`` keep; a quota is counted by it.
        by_rule: The reasons that come from a rule, where all others count images.
    """

    images: ImageTable
    rejected: Mapping[str, Mask]
    kept: Mask
    by_rule: frozenset[str]

    @property
    def accepted(self) -> Mask:
        """The images that no reason rejects, N truth values."""
        return ~_any(self.rejected.values(), len(self.images.cell))

    @property
    def filters(self) -> list[Filter]:
        """How many images each reason rejects."""
        total = np.zeros(len(self.images.cell), np.int64)
        for mask in self.rejected.values():
            total += mask
        return [
            Filter(reason, int(mask.sum()), int((mask & (total == 1)).sum())) for reason, mask in self.rejected.items()
        ]

    def reasons(self) -> Any:
        """The reasons of each image, as an Arrow array of N lists of texts."""
        import pyarrow

        codes = np.zeros(len(self.images.cell), np.int64)
        for number, mask in enumerate(self.rejected.values()):
            codes |= mask.astype(np.int64) << number
        different, places = np.unique(codes, return_inverse=True)
        lists = [[reason for bit, reason in enumerate(self.rejected) if code >> bit & 1] for code in different.tolist()]
        return pyarrow.array(lists, pyarrow.list_(pyarrow.string())).take(pyarrow.array(places))


def judge(curation: Curation, images: ImageTable, scores: Scores) -> Verdicts:
    """The verdicts on images by a checked ``curate`` block.

    Args:
        curation: The block.
        images: The images.
        scores: Every column that the block reads, N numbers each; NaN where one is not known.
    """
    rejected = dict(_by_rules(curation, scores))
    by_rule = frozenset(rejected)
    kept = ~_any(rejected.values(), len(images.cell))
    best = curation.written.best
    order = np.arange(len(images.cell), dtype=np.float64)
    if best:
        order = _rank(-scores[best.by] if best.order == "highest" else scores[best.by])
        beyond = kept & (_place(images.cell, kept, order) >= best.per_cell)
        rejected[f"not among the best {best.per_cell} of its cell by {best.by} ({best.order})"] = beyond
        kept = kept & ~beyond
    if curation.written.balance_skin_tones:
        fewest = _fewest(images, kept)[images.cell]
        rejected[BALANCE] = kept & (_place(images.cell, kept, order) >= fewest)
    return Verdicts(images, rejected, kept, by_rule)


def _by_rules(curation: Curation, scores: Scores) -> Iterator[tuple[str, Mask]]:
    """The images that each rule rejects, by reason: where it does not hold, and where a score is not known."""
    for text, rule in curation.rules:
        judged = rule.judge(scores)
        unknown = ~judged.holds & ~judged.fails
        yield f"fails {text}", judged.fails
        if unknown.any():
            yield f"not known: {text}", unknown


def _rank(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers in whose order values ascend, what is NaN last; ties stay in the plan's order."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _place(cell: NDArray[np.int64], kept: Mask, order: NDArray[np.float64]) -> NDArray[np.int64]:
    """The place of each image that is kept, from 0, among those kept of its cell; 0 for the others."""
    places = np.zeros(len(cell), np.int64)
    rows = np.flatnonzero(kept)
    rows = rows[np.lexsort((order[rows], cell[rows]))]
    found = cell[rows]
    starts = np.flatnonzero(np.r_[True, found[1:] != found[:-1]][: len(found)])
    lengths = np.diff(np.r_[starts, len(found)])
    places[rows] = np.arange(len(found)) - np.repeat(starts, lengths)
    return places


def _fewest(images: ImageTable, kept: Mask) -> NDArray[np.int64]:
    """For each cell, the smallest number kept of any tone of its entry and label."""
    counts = images.count(kept).tolist()
    fewest: dict[tuple[str, str], int] = {}
    for (entry, label, _), count in zip(images.cells, counts, strict=True):
        fewest[entry, label] = min(count, fewest.get((entry, label), count))
    return np.array([fewest[entry, label] for entry, label, _ in images.cells], np.int64)


def _any(masks: Any, length: int) -> Mask:
    found = np.zeros(length, np.bool_)
    for mask in masks:
        found |= mask
    return found
