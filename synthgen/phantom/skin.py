"""A piece of skin as planes of blood, pigment and relief with coats over them, and the marks of healthy skin.

Blood and pigment are absorbances in linear light, so that redness turns violet-brown on dark skin by itself.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from synthgen.phantom import shapes
from synthgen.phantom.shapes import PIXEL, SIDE, Rng
from synthgen.vision import colour
from synthgen.vision.colour import Array

# How much a unit of each absorbs of red, green and blue light.
BLOOD = np.array([0.18, 1.0, 0.75])[:, None, None]
PIGMENT = np.array([0.55, 1.0, 1.35])[:, None, None]


def _plane() -> Array:
    return np.zeros((SIDE, SIDE))


@dataclass
class Skin:
    """A piece of skin, which conditions and marks are drawn on.

    Attributes:
        rng: Where everything about this image is drawn from.
        base: The colour of the unlit skin, linear RGB, shape (3,).
        depth: How dark the skin is, 0 (ITA of 55 and more) to 1 (ITA of -55 and less).
        size: By how much this camera enlarges lesions.
        blood: Absorbance of haemoglobin.
        pigment: Absorbance of melanin.
        relief: Height; shaded by the light and blurred with the rest.
        gloss: How strongly slopes shine.
        coats: What lies on top, in order: how much it covers, and its linear RGB.
        mask: Where the disease is.
    """

    rng: Rng
    base: Array
    depth: float
    size: float
    blood: Array = field(default_factory=_plane)
    pigment: Array = field(default_factory=_plane)
    relief: Array = field(default_factory=_plane)
    gloss: Array = field(default_factory=_plane)
    coats: list[tuple[Array, Array]] = field(default_factory=list)
    mask: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros((SIDE, SIDE), np.bool_))

    def coat(self, cover: Array, srgb: tuple[float, float, float]) -> None:
        """Lay something of a colour (sRGB, 0 to 255) over what is there; ``cover`` runs from 0 to 1."""
        self.coats.append((cover, colour.to_linear(np.array(srgb) / 255)[:, None, None]))

    def uniform(self, low: float, high: float) -> float:
        """A number between two others, drawn by chance."""
        return low + (high - low) * float(self.rng.random())

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.rng.random() < probability)

    def middle(self, reach: float) -> Array:
        """A place, drawn by chance, within ``reach`` of the picture's middle, shape (2,)."""
        return self.rng.uniform(-reach, reach, 2)

    def colours(self) -> Array:
        """The skin's colours in flat light, linear RGB, shape (3, SIDE, SIDE)."""
        rgb = self.base[:, None, None] * np.exp(-(BLOOD * self.blood + PIGMENT * self.pigment))
        for cover, tint in self.coats:
            rgb += cover * (tint - rgb)
        return rgb


def grain(skin: Skin) -> None:
    """Texture that all skin has: furrows, pores, blotches of blood and of pigment."""
    rng = skin.rng
    cells = int(rng.integers(14, 24))
    skin.relief -= skin.uniform(0.1, 0.5) * PIXEL * np.abs(shapes.field(rng, cells))
    skin.pigment += skin.uniform(0.01, 0.05) * shapes.field(rng, cells + 10)
    skin.pigment += skin.uniform(0.0, 0.1) * shapes.field(rng, 4)
    skin.blood += skin.uniform(0.0, 0.18) * np.maximum(shapes.field(rng, int(rng.integers(3, 6))), -0.7)
    skin.pigment += skin.uniform(0.0, 0.25) * shapes.ramp(shapes.field(rng, 34), 1.3, 2.6)


def marks(skin: Skin) -> None:
    """What healthy skin often has: freckles, benign moles, cherry angiomas, scratches."""
    if skin.chance(0.4 - 0.2 * skin.depth):
        freckles(skin)
    if skin.chance(0.35):
        moles(skin, int(skin.rng.integers(1, 5)), 0.12)
    if skin.chance(0.1):
        angiomas(skin)
    if skin.chance(0.14):
        scratches(skin)


def freckles(skin: Skin) -> None:
    """Small, soft brown specks, many of them, in patches."""
    patch = shapes.ramp(shapes.field(skin.rng, 4), -0.8, 0.8)
    specks = shapes.ramp(shapes.field(skin.rng, int(skin.rng.integers(16, 30))), skin.uniform(0.7, 1.3), 2.4)
    skin.pigment += skin.uniform(0.3, 1.0) * patch * specks


def moles(skin: Skin, count: int, radius: float) -> None:
    """Benign naevi: round, even, one brown each; a large one may stand for a mark that is not a melanoma."""
    for _ in range(count):
        size = max(radius * skin.uniform(0.5, 1.4) * skin.size, 1.2 * PIXEL)
        distance = shapes.blob(skin.rng, skin.middle(0.9), size, rough=skin.uniform(0.03, 0.1))
        inside = shapes.ramp(distance, 1 + PIXEL / size, 1 - skin.uniform(1.5, 4) * PIXEL / size)
        uneven = 1 + skin.uniform(0.0, 0.25) * shapes.field(skin.rng, 14)
        skin.pigment += skin.uniform(0.5, 1.4) * inside * uneven
        skin.blood += skin.uniform(0.0, 0.3) * inside
        skin.relief += skin.uniform(0, 0.6) * size * inside * (1 - np.minimum(distance, 1) ** 2)


def angiomas(skin: Skin) -> None:
    """Cherry angiomas: one to three small, bright red dots."""
    places = shapes.scatter(skin.rng, int(skin.rng.integers(1, 4)), 0.9, 0.2)
    distance = shapes.dots(places, skin.rng.uniform(1.2, 2.6, len(places)) * PIXEL)
    skin.blood += skin.uniform(0.8, 1.6) * shapes.ramp(distance, 1.3, 0.6)


def scratches(skin: Skin) -> None:
    """Scratches: thin, broken red lines that run side by side, some with a dark crust."""
    rng, count = skin.rng, int(skin.rng.integers(1, 5))
    turn, middle = skin.uniform(0, np.pi), skin.middle(0.5)
    across = np.stack([-np.sin(turn) * np.ones(count), np.cos(turn) * np.ones(count)], axis=1)
    places = middle + across * (np.arange(count)[:, None] - count / 2) * skin.uniform(0.12, 0.3)
    lines = shapes.strokes(
        places + rng.uniform(-0.15, 0.15, (count, 2)),
        turn + rng.uniform(-0.15, 0.15, count),
        rng.uniform(0.15, 0.6, count),
        rng.uniform(-0.3, 0.3, count),
        skin.uniform(0.2, 0.8) * PIXEL,
    )
    lines = lines * shapes.ramp(shapes.field(rng, 12), -1.2, 0.3)
    skin.blood += skin.uniform(0.5, 1.3) * lines
    skin.pigment += skin.uniform(0.0, 0.5) * lines


def hairs(skin: Skin, most: int) -> None:
    """Up to so many body hairs, all of one colour and combed one way, lie over everything else."""
    rng, count = skin.rng, int(skin.rng.integers(0, most + 1))
    if count == 0:
        return
    cover = shapes.strokes(
        rng.uniform(-1.1, 1.1, (count, 2)),
        skin.uniform(0, 2 * np.pi) + rng.normal(0, 0.35, count),
        rng.uniform(0.15, 0.7, count) * skin.size,
        rng.normal(0, 0.5, count),
        skin.uniform(-0.2, 0.2) * PIXEL,
    )
    fair = skin.uniform(0, 1) * (1 - skin.depth) ** 2
    skin.coat(skin.uniform(0.35, 0.9) * cover, (35 + 110 * fair, 26 + 75 * fair, 22 + 38 * fair))
