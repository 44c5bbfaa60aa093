"""Which real image's mask a sample is painted in, where that is not the mask of the image that it starts from.

Drawn by consistent hashing (Karger et al. 1997): where an image is taken out or comes in, only samples that had its
mask, or have it now, are others.
"""

import bisect
from collections.abc import Iterable, Mapping, Sequence

from synthgen.core.hashing import fraction_from
from synthgen.plan.real_index import Source

_POINTS = 64  # of an image on the circle, so that each is drawn about as often
_Circle = tuple[list[float], list[Source]]


class MaskPool:
    """The real images that have a mask, by label.

    Args:
        sources: Real images; those without a mask are left out.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._circles: Mapping[str, _Circle] = {}
        by_label: dict[str, list[Source]] = {}
        for source in sources:
            if source.mask:
                by_label.setdefault(source.label, []).append(source)
        self._circles = {label: _circle(found) for label, found in by_label.items()}

    def lacks(self, label: str, others: Iterable[Source]) -> bool:
        """Whether there is no mask of a label for some image that starts a sample: none, or only its own."""
        _, found = self._circles.get(label, ([], []))
        ids = {source.id for source in found}
        return not ids or (len(ids) == 1 and any(one.id in ids for one in others))

    def content(self, labels: Iterable[str]) -> list[list[str | int]]:
        """All that the masks of some labels depend on, as plain values."""
        found = {one.id: one for label in labels for one in self._circles.get(label, ([], []))[1]}
        return [one.facts for _, one in sorted(found.items())]

    def draw(self, label: str, seed: int, start: Source | None) -> Source:
        """The image of a label whose mask a sample's attempt has, by its seed; another than it starts from itself.

        Raises:
            LookupError: There is none.
        """
        points, found = self._circles.get(label, ([], []))
        first = bisect.bisect_right(points, fraction_from(seed, "mask"))
        for place in range(len(found)):
            one = found[(first + place) % len(found)]
            if start is None or one.id != start.id:
                return one
        raise LookupError(f"no real image of `{label}` has a mask")


def _circle(sources: Sequence[Source]) -> _Circle:
    """The points of images on a circle, in order, and the image that each is of."""
    placed = sorted(
        ((fraction_from("mask", source.id, number), source) for source in sources for number in range(_POINTS)),
        key=lambda one: (one[0], one[1].id),
    )
    return [point for point, _ in placed], [source for _, source in placed]
