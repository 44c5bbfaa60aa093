"""How often unrelated images look as much alike: a tail probability in place of a constant, for each skin tone.

What one camera, one body site or one tone makes alike differs, so a similarity says little by itself. Real images that
are known to be different ones show what chance brings. Of their scores ``s``, ``-log(1 - s)`` falls off about
exponentially above the median, so their median and their 90th percentile give the tail; copies among them, up to some
per cent, move neither much. Extreme-value fits of the largest scores alone would follow those copies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from synthgen.vision.near_duplicates.matching import Matches

if TYPE_CHECKING:
    from synthgen.core.types import AnyFloats, Bools, Doubles

CHANCE = 0.01
"""From this chance on down an image counts as a copy: one unrelated image in a hundred does."""
ENOUGH = 40  # scores that a tail is fitted to
_CLOSEST = 1e-6


@dataclass(frozen=True, slots=True)
class Tail:
    """The tail of scores of unrelated images.

    Attributes:
        median: Of ``-log(1 - s)``.
        scale: By how much it has to grow for a probability to fall to 1/e.
    """

    median: float
    scale: float

    @classmethod
    def fit(cls, scores: AnyFloats, quantile: float = 0.9) -> Self:
        """The tail of scores, shape (n,), by their median and a higher quantile."""
        import numpy as np

        median, high = np.quantile(_stretched(scores), [0.5, quantile])
        return cls(float(median), max(float(high - median) / math.log(0.5 / (1 - quantile)), _CLOSEST))

    def chance(self, scores: AnyFloats) -> Doubles:
        """The probability that an unrelated image scores as high or higher, from 0 to 1; below the median, about."""
        import numpy as np

        found: Doubles = np.minimum(1.0, 0.5 * np.exp((self.median - _stretched(scores)) / self.scale))
        return found


UNFITTED = {"ratio": Tail(0.22, 0.17), "similarity": Tail(0.8, 0.4)}
"""What is taken where there are too few real images to fit to: what phantoms have, and a little more."""


@dataclass(frozen=True)
class Calibration:
    """The tails of unrelated images, by group, which is a skin tone's, and of all together.

    A chance is twice the smaller one of two: of the ratio, which finds a copy among images that are all alike, and of
    the similarity, which finds one that is there more than three times.
    """

    groups: dict[str, dict[str, Tail]]
    together: dict[str, Tail]

    @classmethod
    def fit(cls, unrelated: Matches, groups: Sequence[str], *, quantile: float = 0.9) -> Self:
        """The tails of images that are no copies of what they were compared with.

        Args:
            unrelated: What they are most like.
            groups: The group of each; a group of fewer than 40 has the tails of all together.
            quantile: Where tails are met, beside the median; copies above it move nothing.
        """
        import numpy as np

        names = np.array(groups, str)
        scores = {"ratio": unrelated.ratio[:, 0], "similarity": unrelated.similarity[:, 0]}

        def tails(chosen: Bools) -> dict[str, Tail]:
            return {kind: Tail.fit(values[chosen], quantile) for kind, values in scores.items()}

        counts = {name: int((names == name).sum()) for name in sorted(set(groups))}
        found = {name: tails(names == name) for name, count in counts.items() if count >= ENOUGH}
        return cls(found, tails(np.ones(len(names), bool)) if len(names) >= ENOUGH else UNFITTED)

    def chances(self, matches: Matches, groups: Sequence[str]) -> Doubles:
        """The chance of each match, float64, shape (n, 4); 1 where there is none.

        Args:
            matches: What images are most like.
            groups: The group of each image.
        """
        import numpy as np

        found = np.ones(matches.similarity.shape)
        ratio, names = matches.ratio, np.array(groups, str)
        for name in sorted(set(groups)):
            tails, rows = self.groups.get(name, self.together), names == name
            both = tails["similarity"].chance(matches.similarity[rows])
            if (matches.index[rows, -1] >= 0).any():
                both = np.minimum(both, tails["ratio"].chance(ratio[rows]))
            found[rows] = np.minimum(1.0, 2 * both)
        found[matches.index < 0] = 1
        return found


def _stretched(scores: AnyFloats) -> Doubles:
    import numpy as np

    return -np.log(np.maximum(1 - np.asarray(scores, np.float64), _CLOSEST))
