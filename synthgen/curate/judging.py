"""Judging: from columns of scores and rules to verdicts with reasons; pure, instant, and without an image."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from synthgen.rules import Best, Compare, Rule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Kept = npt.NDArray[np.bool_]
    Numbers = npt.NDArray[np.float64]
    Cells = npt.NDArray[np.int64]

_OPERATORS: Mapping[str, Any] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


def judge(rules: Sequence[Rule], scores: Mapping[str, Numbers], labels: Cells, tones: Cells) -> list[Kept]:
    """Which images keep each rule, bool, shape (n,) a rule.

    Comparisons stand by themselves. What chooses among images (``highest``, ``lowest``, ``balance``) chooses in the
    order of the rules among those that keep every rule before it, and every comparison; others it does not judge.

    Args:
        rules: The rules.
        scores: The values of each ``SCORER.COLUMN``, shape (n,); NaN for none.
        labels: The number of each image's label, shape (n,).
        tones: The number of each image's skin tone, shape (n,).
    """
    import numpy as np

    found: dict[int, Kept] = {}
    left = np.ones(len(labels), np.bool_)
    for number, rule in enumerate(rules):
        if isinstance(rule, Compare):
            values = scores[rule.column]
            found[number] = np.isnan(values) | _OPERATORS[rule.operator](values, rule.value)
            left &= found[number]
    for number, rule in enumerate(rules):
        if not isinstance(rule, Compare):
            chosen = (
                _best(rule, scores, left, labels, tones) if isinstance(rule, Best) else _balanced(left, labels, tones)
            )
            found[number] = chosen | ~left
            left &= chosen
    return [found[number] for number in range(len(rules))]


def reasons(rules: Sequence[Rule], kept: Sequence[Kept], count: int) -> list[str]:
    """The rules that each image does not keep, joined by ``; ``; an empty text where it keeps all."""
    import numpy as np

    if not rules:
        return [""] * count
    codes = np.zeros(count, np.int64)  # a bit a rule; the manifest allows fewer than there are bits
    for number, each in enumerate(kept):
        codes |= (~each).astype(np.int64) << number
    found, place = np.unique(codes, return_inverse=True)
    texts = ["; ".join(rule.text for bit, rule in enumerate(rules) if code >> bit & 1) for code in found.tolist()]
    told: list[str] = np.array(texts, object)[place].tolist()
    return told


def _best(rule: Best, scores: Mapping[str, Numbers], left: Kept, labels: Cells, tones: Cells) -> Kept:
    """The first so many of each cell by value; of equal ones, those that come first; one without a value comes last."""
    import numpy as np

    values = scores[rule.column]
    order = np.where(np.isnan(values), np.inf, -values if rule.highest else values)
    return _first(rule.count, order, left, _cells(labels, tones))


def _balanced(left: Kept, labels: Cells, tones: Cells) -> Kept:
    """The first so many of each cell as the rarest tone of its label has, tones of which there was none left out."""
    import numpy as np

    counts = np.zeros((labels.max(initial=0) + 1, tones.max(initial=0) + 1), np.int64)
    np.add.at(counts, (labels[left], tones[left]), 1)
    there = np.zeros(counts.shape, np.bool_)
    there[labels, tones] = True
    least = np.where(there, counts, np.iinfo(np.int64).max).min(1)
    return _first(least[labels], np.zeros(len(labels)), left, _cells(labels, tones))


def _first(count: int | Cells, order: Numbers, left: Kept, cells: Cells) -> Kept:
    """Of those left, the first of each cell in an order; ``count`` is one number, or one an image."""
    import numpy as np

    rows = np.flatnonzero(left)
    rows = rows[np.lexsort((rows, order[rows], cells[rows]))]
    begins = np.flatnonzero(np.diff(cells[rows], prepend=-1))
    rank = np.arange(len(rows)) - np.repeat(begins, np.diff(np.append(begins, len(rows))))
    chosen = np.zeros(len(left), np.bool_)
    chosen[rows[rank < (count if isinstance(count, int) else count[rows])]] = True
    return chosen


def _cells(labels: Cells, tones: Cells) -> Cells:
    cells: Cells = labels * (int(tones.max(initial=0)) + 1) + tones
    return cells
