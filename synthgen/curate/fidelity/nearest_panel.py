"""Pairs of a generated image and its nearest training image, the nearest first, light skin beside dark, as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgen.curate.fidelity.groups import lightness
from synthgen.curate.fidelity.measure import Distances
from synthgen.curate.fidelity.sample_images import Image
from synthgen.vision.images import untrusted

_SIDE, _ACROSS, _DOWN = 96, 3, 4  # pixels of a picture; pairs across and down
_WIDTH, _HEIGHT, _MARGIN, _TITLE = 2 * _SIDE + 14, _SIDE + 44, 16, 34
_ALARM = "#b00020"


@dataclass(frozen=True, slots=True)
class Pair:
    """A generated image, its nearest training image, and how far they are apart in feature space."""

    generated: Image
    real: Image
    distance: float

    @property
    def caption(self) -> str:
        """The distance, and whether the one was made from the other."""
        made_from = ", made from it" if self.generated.source == self.real.id else ""
        return f"distance {self.distance:#.4g}{made_from}"


def nearest_pairs(
    images: Sequence[Image], training: Sequence[Image], distances: Distances, scale: str
) -> dict[str, list[Pair]]:
    """The nearest pairs of light and of dark skin, or of all images where the tones don't say; nearest first.

    A training image, and with it those that many generated ones are near, is shown once a side.
    """
    groups = {name: tones for name, tones in lightness(scale).items() if name in ("light", "dark")}
    chosen = {}
    for name, tones in groups.items():
        rows = np.array([row for row, one in enumerate(images) if one.tone in tones], np.int64)
        if len(rows):
            chosen[f"{name} skin ({', '.join(tones)})"] = _nearest(rows, images, training, distances)
    return chosen or {"all images": _nearest(np.arange(len(images)), images, training, distances)}


def _nearest(
    rows: NDArray[np.int64], images: Sequence[Image], training: Sequence[Image], distances: Distances
) -> list[Pair]:
    found: dict[int, Pair] = {}
    for row in rows[np.argsort(distances.generated[rows], kind="stable")]:
        nearest = int(distances.nearest[row])
        found.setdefault(nearest, Pair(images[row], training[nearest], float(distances.generated[row])))
        if len(found) == _ACROSS * _DOWN:
            break
    return list(found.values())


def draw(chosen: dict[str, list[Pair]], threshold: float) -> bytes:
    """The panels as a PNG; a distance below the threshold of memorisation is red."""
    from synthgen.vision.picture_sheet import INK, SOFT, PictureSheet

    width, height = _MARGIN + _ACROSS * _WIDTH, 2 * _MARGIN + _TITLE + _rows(chosen) * _HEIGHT
    sheet = PictureSheet(len(chosen) * width + _MARGIN, height)
    for side, (name, pairs) in enumerate(chosen.items()):
        left = side * width + _MARGIN
        sheet.write(f"{name}: generated, and the nearest training image", (left, _MARGIN), 16)
        for number, pair in enumerate(pairs):
            x = left + number % _ACROSS * _WIDTH
            y = _MARGIN + _TITLE + number // _ACROSS * _HEIGHT
            for place, image in enumerate((pair.generated, pair.real)):
                pixels = untrusted.fit(image.read(), _SIDE, _SIDE, "crop")
                sheet.paste(pixels, (x + place * (_SIDE + 2), y))
                sheet.write(_caption(image), (x + place * (_SIDE + 2), y + _SIDE + 18), 11, SOFT)
            ink = _ALARM if pair.distance < threshold else INK
            sheet.write(pair.caption, (x, y + _SIDE + 2), 13, ink)
    return sheet.png()


def _rows(chosen: dict[str, list[Pair]]) -> int:
    return max(-(-len(pairs) // _ACROSS) for pairs in chosen.values())


def _caption(image: Image) -> str:
    """Label and tone, cut to what fits below a picture."""
    label = image.label if len(image.label) <= 13 else f"{image.label[:12]}…"
    return f"{label} {image.tone}"
