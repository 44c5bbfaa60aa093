"""Real images that look alike, as one photograph filed twice: the groups that they make together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from synthgen.plan import skin_tones
from synthgen.plan.real_index import Source
from synthgen.vision import near_duplicates
from synthgen.vision.images import untrusted

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels

LINKED = near_duplicates.CHANCE / 10
"""The chance at which two images are one group: lower than a near-copy's, since groups that share one grow together."""
_QUANTILE = 0.75  # one photograph that is there twice is two of the images that show what chance brings
_SIDE, _AT_ONCE, _COMPARED = 64, 256, 1024


def grouped(
    images: Sequence[Source],
    read: Callable[[Source], bytes],
    scale: str,
    told: Callable[[int, int], None] | None = None,
) -> list[Source]:
    """The same images, those that look alike, and their groups, in one group: the first of the groups' names.

    What is alike by chance is set by the images themselves, for light, medium and dark skin apart, each compared with
    all others; images that are there twice move that little.

    Args:
        images: Them; those at fault are left as they are.
        read: The bytes of an image.
        scale: The skin-tone scale.
        told: Told how many images are compared, of how many; may raise to stop.
    """
    import numpy as np

    usable = [image for image in images if not image.fault]
    rows = _signatures(usable, read)
    known, parts = near_duplicates.Matcher(rows), []
    for start in range(0, len(usable), _COMPARED):
        own = np.arange(start, min(start + _COMPARED, len(usable)), dtype=np.int64)
        parts.append(known.match(rows[own], exclude=own))
        if told:
            told(int(own[-1]) + 1, len(usable))
    if not parts:
        return list(images)
    found = near_duplicates.Matches(
        np.concatenate([one.similarity for one in parts]), np.concatenate([one.index for one in parts])
    )
    names = {tone: name for name, tones in skin_tones.GROUPS[scale].items() for tone in tones}
    tones = [names.get(image.tone, "") for image in usable]
    tails = near_duplicates.Calibration.fit(found, tones, quantile=_QUANTILE)
    alike = tails.chances(found, tones) <= LINKED
    pairs = [(row, int(found.index[row, place])) for row, place in np.argwhere(alike).tolist()]
    name_of = _joined({(usable[one].group, usable[other].group) for one, other in pairs})
    return [replace(image, group=name_of.get(image.group, image.group)) for image in images]


def _joined(pairs: set[tuple[str, str]]) -> dict[str, str]:
    """The first name of all that are linked with each name, over any number of links (union-find)."""
    above: dict[str, str] = {}

    def first(name: str) -> str:
        while name in above:
            name = above[name]
        return name

    for one, other in sorted(pairs):
        low, high = sorted((first(one), first(other)))
        if low != high:
            above[high] = low
    return {name: first(name) for name in above}


def _signatures(images: Sequence[Source], read: Callable[[Source], bytes]) -> Floats:
    """The signatures of images, the middle square of each brought to one size, shape (n, 1024)."""
    import numpy as np

    def small(image: Source) -> Pixels:
        found: Pixels = untrusted.fit(untrusted.open_photograph(read(image)), _SIDE, _SIDE, "crop")
        return found

    rows = [np.empty((0, 1024), np.float32)]
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, len(images), _AT_ONCE):
            pixels = list(pool.map(small, images[start : start + _AT_ONCE]))
            rows.append(near_duplicates.signatures(np.stack(pixels)))
    return np.concatenate(rows)
