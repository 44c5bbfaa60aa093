"""Totals shared out over cells."""

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction

from synthgen.plan.manifest import Weights


def apportion(total: int, weights: Sequence[float | Fraction]) -> list[int]:
    """Share a total out in proportion to weights by the largest-remainder (Hamilton) method.

    Ties go to the earlier cell. The shares add up to ``total`` exactly.
    """
    whole = sum(Fraction(weight) for weight in weights)
    quotas = [total * Fraction(weight) / whole for weight in weights]
    shares = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda i: (shares[i] - quotas[i], i))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares


def weigh(labels: Iterable[str], tones: Iterable[int], total: int, weights: Weights) -> dict[tuple[str, int], int]:
    """Share a total out over the cells of labels and tones in proportion to their weights."""
    cells = list(itertools.product(labels, tones))
    shares = [
        Fraction(weights.label.get(cell[0], 1.0)) * Fraction(weights.skin_tone.get(cell[1], 1.0)) for cell in cells
    ]
    return dict(zip(cells, apportion(total, shares), strict=True))
