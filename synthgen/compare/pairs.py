"""Image by image: how often another generator did better than the first by the same prompt and seed, how often worse.

Images of one key are a pair, so the prompts and seeds that are hard for both don't blur the comparison. It is the sign
test, which for truth values is McNemar's exact one (Psychometrika 1947, 12:153): pairs that are alike say nothing, and
of those that differ half would be better if the two generators were alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthgen.compare import intervals
from synthgen.compare.intervals import Estimate
from synthgen.compare.league import ALL_MEASURES, OF_IMAGES, mask

if TYPE_CHECKING:
    from synthgen.compare.matching import Matched
    from synthgen.compare.scores import ImageScores
    from synthgen.curate.fidelity.groups import Group


@dataclass(frozen=True, slots=True)
class Pairing:
    """Another generator beside the first, pair by pair.

    Attributes:
        group: The group's name.
        measure: What is compared.
        generator: The other generator's name.
        n: How many pairs are known of both.
        better: In how many the other is better.
        worse: In how many it is worse.
        share: The better ones among those that differ, with its interval.
    """

    group: str
    measure: str
    generator: str
    n: int
    better: int
    worse: int
    share: Estimate

    @property
    def shown(self) -> bool:
        """Whether the interval shows that one of the two is better."""
        return self.share.low > 0.5 or self.share.high < 0.5

    @property
    def verdict(self) -> str:
        """What the interval shows: ``better``, ``worse``, or that neither is shown."""
        if self.share.low > 0.5:
            return "better"
        return "worse" if self.share.high < 0.5 else "not shown"


def pairings(matched: Matched, of: Sequence[Group], scores: Sequence[ImageScores]) -> Iterator[Pairing]:
    """Each generator but the first beside the first, by group and by measure.

    Args:
        matched: The generators and their images.
        of: The groups.
        scores: What was measured of each image, generator by generator.
    """
    first = scores[0].columns
    for measure in OF_IMAGES:
        for generator, scored in zip(matched.generators[1:], scores[1:], strict=True):
            if measure not in first or measure not in scored.columns:
                continue
            for group in of:
                chosen = mask(group, matched.images)
                difference = (scored.columns[measure] - first[measure])[chosen]
                difference = difference[~np.isnan(difference)]
                if ALL_MEASURES[measure].better == "lower":
                    difference = -difference
                better, worse = int((difference > 0).sum()), int((difference < 0).sum())
                share = intervals.share_of(better, better + worse)
                yield Pairing(group.name, measure, generator.name, len(difference), better, worse, share)
