"""The rashes and the loss of pigment: psoriasis, tinea corporis, lichen planus, folliculitis, vitiligo.

Each function draws one condition on a piece of skin by the cues a textbook names, all of them widely varied.
"""

import numpy as np

from synthgen.phantom import shapes
from synthgen.phantom.shapes import PIXEL
from synthgen.phantom.skin import Skin
from synthgen.vision.colour import Array

SILVER = (226.0, 222.0, 216.0)
PUS = (232.0, 218.0, 160.0)
WHITE = (238.0, 222.0, 210.0)


def psoriasis(skin: Skin) -> None:
    """Sharply bounded, raised red plaques under thick silvery scale; one, a few, or many drop-like ones."""
    rng = skin.rng
    many = skin.chance(0.25)
    count = int(rng.integers(4, 9)) if many else int(rng.choice([1, 1, 2, 3]))
    places = shapes.scatter(rng, count, 0.8 if count > 1 else 0.3, 0.3 if many else 0.6)
    size = skin.size * (skin.uniform(0.1, 0.22) if many else skin.uniform(0.26, 0.65) / len(places) ** 0.3)
    rough = skin.uniform(0.08, 0.2)
    radii = size * rng.uniform(0.75, 1.25, len(places))
    distance = np.min(
        [shapes.blob(rng, place, radius, rough=rough) for place, radius in zip(places, radii, strict=True)], axis=0
    )
    plaque = shapes.ramp(distance, 1 + PIXEL / size, 1 - skin.uniform(1, 4) * PIXEL / size)
    skin.mask |= distance < 1
    _inflame(skin, plaque, skin.uniform(0.45, 1.2))
    skin.relief += skin.uniform(0.5, 2.5) * PIXEL * plaque
    flakes = 0.7 * shapes.field(rng, int(rng.integers(14, 30))) + 0.7 * shapes.field(rng, 6)
    rim = shapes.ramp(distance, 1.0, skin.uniform(0.6, 0.9))
    low = skin.uniform(-1.5, 0.5)
    scale = rim * shapes.ramp(flakes, low, low + skin.uniform(1.0, 2.2))
    skin.coat(skin.uniform(0.2, 0.85) * scale, SILVER)
    skin.relief += skin.uniform(0.3, 1.5) * PIXEL * scale


def tinea_corporis(skin: Skin) -> None:
    """Ringworm: rings with a raised, red, finely scaling edge and a clearing middle, some broken or overlapping."""
    rng = skin.rng
    count = int(rng.choice([1, 1, 1, 2, 2, 3]))
    places = shapes.scatter(rng, count, 0.65 if count > 1 else 0.35, 0.45)
    distances = []
    size = skin.size * skin.uniform(0.3, 0.7) / len(places) ** 0.4
    for place in places:
        radius = size * skin.uniform(0.8, 1.2)
        distances.append(shapes.blob(rng, place, radius, rough=skin.uniform(0.04, 0.13)))
    distance = np.min(distances, axis=0)
    width = max(skin.uniform(0.08, 0.2), 1.3 * PIXEL / size)
    ring = np.exp(-(((distance - 1 + width) / width) ** 2))
    ring = ring * shapes.ramp(shapes.field(rng, 4), skin.uniform(-2.4, -1.2), skin.uniform(-0.4, 0.6))
    inside = shapes.ramp(distance, 1, 0.8)
    skin.mask |= distance < 1
    _inflame(skin, ring + skin.uniform(0.0, 0.35) * inside, skin.uniform(0.45, 1.1))
    skin.relief += skin.uniform(0.5, 2.0) * PIXEL * ring
    skin.pigment += skin.uniform(0.0, 0.25) * inside
    flakes = shapes.ramp(shapes.field(rng, 26), skin.uniform(-0.5, 0.6), 1.6)
    skin.coat(skin.uniform(0.1, 0.6) * flakes * np.minimum(1, ring + skin.uniform(0.0, 0.25) * inside), SILVER)


def lichen_planus(skin: Skin) -> None:
    """A crop of small, flat-topped, angular, shiny violet papules with fine white lines; greyer on dark skin."""
    rng = skin.rng
    count = int(rng.integers(2, 15))
    size = skin.size * skin.uniform(0.13, 0.26) * (1.25 if count < 6 else 1)
    places = skin.middle(0.25) + shapes.scatter(rng, count, skin.uniform(0.5, 0.9), 1.5 * size)
    distance = shapes.polygons(rng, places, size * rng.uniform(0.6, 1.2, len(places)))
    distance = distance + skin.uniform(0.0, 0.12) * shapes.field(rng, 10)
    papule = shapes.ramp(distance, 1 + 0.6 * PIXEL / size, 1 - 1.2 * PIXEL / size)
    skin.mask |= distance < 1
    _inflame(skin, papule, skin.uniform(0.2, 0.9))
    skin.pigment += (skin.uniform(0.0, 0.3) + skin.uniform(0.2, 0.9) * skin.depth) * papule
    skin.coat(skin.uniform(0.05, 0.32) * papule, (112 - 40 * skin.depth, 66 - 26 * skin.depth, 104 - 34 * skin.depth))
    skin.relief += skin.uniform(1.0, 3.0) * PIXEL * papule
    skin.gloss += skin.uniform(0.1, 0.5) * papule
    lines = shapes.ramp(np.abs(shapes.field(rng, int(rng.integers(12, 20)))), 0.3, 0.05)
    skin.coat(skin.uniform(0.0, 0.5) * lines * papule, WHITE)


def folliculitis(skin: Skin) -> None:
    """Many small red bumps, each round a hair follicle, many with a yellow head or a hair in the middle."""
    rng = skin.rng
    count = int(rng.integers(4, 24))
    size = max(skin.size * skin.uniform(0.05, 0.11), 1.6 * PIXEL)
    places = skin.middle(0.15) + shapes.scatter(rng, count, 0.95, 2.2 * size)
    radii = size * rng.uniform(0.65, 1.4, len(places))
    distance = shapes.dots(places, radii) * (1 + 0.12 * shapes.field(rng, 12))
    halo = np.exp(-((distance / skin.uniform(1.0, 1.7)) ** 2))
    skin.mask |= distance < 1.2
    _inflame(skin, halo, skin.uniform(0.5, 1.3))
    skin.relief += skin.uniform(0.3, 0.8) * size * np.exp(-(distance**2))
    ripe = rng.random(len(places)) < skin.uniform(0.0, 1.0)
    if ripe.any():
        head = shapes.ramp(shapes.dots(places[ripe], radii[ripe]), skin.uniform(0.55, 0.85), 0.15)
        skin.coat(skin.uniform(0.4, 0.95) * head, PUS)
    if skin.chance(0.5):
        turns = skin.uniform(0, 2 * np.pi) + rng.normal(0, 0.4, len(places))
        away = np.stack([np.cos(turns), np.sin(turns)], axis=1) * 0.05
        hair = shapes.strokes(places + away, turns, rng.uniform(0.04, 0.1, len(places)), 0 * turns, 0.1 * PIXEL)
        skin.coat(skin.uniform(0.3, 0.9) * hair, (30.0, 22.0, 20.0))


def vitiligo(skin: Skin) -> None:
    """Sharply bounded chalk-white patches, often with islands of pigment round follicles and a darker rim."""
    rng = skin.rng
    count = int(rng.choice([1, 1, 2, 3, 4]))
    places = shapes.scatter(rng, count, 0.7 if count > 1 else 0.4, 0.5)
    size = skin.size * skin.uniform(0.22, 0.75) / len(places) ** 0.4
    rough = skin.uniform(0.12, 0.3)
    radii = size * rng.uniform(0.6, 1.25, len(places))
    distance = np.min(
        [
            shapes.blob(rng, place, radius, rough=rough, stretch=1.8)
            for place, radius in zip(places, radii, strict=True)
        ],
        axis=0,
    )
    patch = shapes.ramp(distance, 1 + PIXEL / size, 1 - skin.uniform(1, 4) * PIXEL / size)
    skin.mask |= distance < 1
    islands = shapes.ramp(shapes.field(rng, int(rng.integers(14, 26))), skin.uniform(0.6, 2.2), 2.6)
    skin.pigment += skin.uniform(0.0, 0.45) * np.exp(-(((distance - 1.12) / 0.12) ** 2))
    pink = skin.uniform(0, 1)
    even = 1 + 0.08 * shapes.field(rng, 9) + 0.06 * shapes.field(rng, 24)
    cover = np.clip(skin.uniform(0.4, 0.95) * patch * (1 - islands) * even, 0, 1)
    skin.coat(cover, (238 - 2 * pink, 222 - 22 * pink, 206 - 14 * pink))


def _inflame(skin: Skin, where: Array, amount: float) -> None:
    """Redden, and on dark skin darken too, as inflamed skin of types V and VI does."""
    skin.blood += amount * where
    skin.pigment += skin.uniform(0.0, 0.5) * skin.depth * amount * where
