"""Every measure of a set of images against a real one, and beside it the same of other real images: the yardstick.

Most measures move with the number of images, so both are measured on equally many: the larger set is cut into disjoint
draws of the smaller one's size, at most five, whose mean and spread are given. A set that is too small to be measured
cuts no other down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgen.vision.metrics.frechet import Gaussian, frechet
from synthgen.vision.metrics.kid import kid, within
from synthgen.vision.metrics.manifold import density_coverage, precision_recall
from synthgen.vision.metrics.neighbours import Cloud
from synthgen.vision.metrics.value import MINIMUM, Measured
from synthgen.vision.metrics.vendi import vendi_score

if TYPE_CHECKING:
    from synthgen.core.types import AnyFloats

MEASURES = ("frechet", "kid", "precision", "recall", "density", "coverage", "vendi")
DRAWS = 5


@dataclass(frozen=True, slots=True)
class Profile:
    """What was measured of a set.

    Attributes:
        measures: Each of :data:`MEASURES`.
        n: Images a draw.
        draws: How many disjoint draws the measures are means of; 0 where the set is empty.
        references: Real images that it was held against.
    """

    measures: dict[str, Measured]
    n: int
    draws: int
    references: int


def compare(generated: AnyFloats, yardstick: AnyFloats, references: AnyFloats) -> tuple[Profile, Profile]:
    """Hold generated images and other real ones against the same real images, in draws of one size.

    Args:
        generated: Shape (n, dim), in an order that says nothing of the images; so are the others.
        yardstick: Real images that are not references, shape (m, dim).
        references: Shape (r, dim).
    """
    known, size = _Known(references), min(len(generated), len(yardstick))
    both = (generated, yardstick)
    first, second = (known.profile(_draws(one, size if size >= MINIMUM else len(one))) for one in both)
    return first, second


def _draws(features: AnyFloats, size: int) -> Sequence[AnyFloats]:
    count = min(DRAWS, len(features) // size) if size else 0
    return [features[number * size : (number + 1) * size] for number in range(count)]


class _Known:
    """The references, what is known of them computed once."""

    def __init__(self, references: AnyFloats) -> None:
        self._features, self._cloud = references, Cloud(references)
        self._gaussian = Gaussian.of(references) if len(references) > 1 else None

    @cached_property
    def _within(self) -> NDArray[np.float64] | None:
        return within(self._features) if len(self._features) > 1 else None

    def profile(self, draws: Sequence[AnyFloats]) -> Profile:
        """The mean of every measure over draws."""
        found = [self._measures(draw) for draw in draws]
        none = Measured.absent("no images")
        means = {name: Measured.mean([one[name] for one in found]) if found else none for name in MEASURES}
        return Profile(means, len(draws[0]) if draws else 0, len(draws), len(self._features))

    def _measures(self, draw: AnyFloats) -> dict[str, Measured]:
        cloud = Cloud(draw)
        precision, recall = precision_recall(cloud, self._cloud)
        density, coverage = density_coverage(cloud, self._cloud)
        return {
            "frechet": self._frechet(draw),
            "kid": kid(draw, self._features, self._within),
            "precision": precision,
            "recall": recall,
            "density": density,
            "coverage": coverage,
            "vendi": vendi_score(draw, self._features),
        }

    def _frechet(self, draw: AnyFloats) -> Measured:
        if self._gaussian is None or len(draw) < 2:
            return Measured.absent("needs images on either side")
        return frechet(Gaussian.of(draw), self._gaussian)
