"""The growths, and skin that has none: basal cell carcinoma, squamous cell carcinoma, melanoma, healthy.

Each function draws one condition on a piece of skin by the cues a textbook names, all of them widely varied.
"""

import numpy as np

from synthgen.phantom import shapes
from synthgen.phantom.shapes import PIXEL
from synthgen.phantom.skin import Skin, angiomas, freckles, moles, scratches

PEARL = (236.0, 208.0, 200.0)
ULCER = (96.0, 28.0, 26.0)
CRUST = (112.0, 70.0, 38.0)
VEIL = (86.0, 96.0, 122.0)
SCAR = (226.0, 206.0, 198.0)


def basal_cell_carcinoma(skin: Skin) -> None:
    """A pearly, glossy nodule with a rolled border, fine branching vessels, and often an ulcer or blue-grey specks."""
    rng, middle = skin.rng, skin.middle(0.3)
    size = skin.size * skin.uniform(0.2, 0.6)
    distance = shapes.blob(rng, middle, size, rough=skin.uniform(0.04, 0.12))
    inside = shapes.ramp(distance, 1 + 1.5 * PIXEL / size, 1 - 2.5 * PIXEL / size)
    skin.mask |= distance < 1
    width = skin.uniform(0.12, 0.3)
    border = np.exp(-(((distance - 0.84) / width) ** 2))
    skin.blood += skin.uniform(0.1, 0.5) * inside
    skin.coat(skin.uniform(0.02, 0.25) * inside + skin.uniform(0.03, 0.22) * border, PEARL)
    skin.relief += size * (skin.uniform(0.03, 0.16) * border + skin.uniform(0.0, 0.3) * inside)
    skin.gloss += skin.uniform(0.2, 0.8) * inside
    count = int(rng.integers(3, 9))
    turns = rng.uniform(0, 2 * np.pi, count)
    away = np.stack([np.cos(turns), np.sin(turns)], axis=1) * 0.55 * size
    vessels = shapes.strokes(
        middle + away,
        turns + rng.normal(0, 0.5, count),
        size * rng.uniform(0.25, 0.55, count),
        rng.normal(0, 1.2, count),
        skin.uniform(-0.2, 0.3) * PIXEL,
    )
    skin.blood += skin.uniform(0.4, 1.6) * vessels * inside
    if skin.chance(0.55):
        hole = shapes.ramp(distance + 0.1 * shapes.field(rng, 8), skin.uniform(0.3, 0.6), 0.15)
        skin.coat(skin.uniform(0.3, 0.9) * hole, ULCER if skin.chance(0.6) else CRUST)
        skin.relief -= skin.uniform(0.0, 0.1) * size * hole
    if skin.chance(0.25 + 0.45 * skin.depth):
        specks = shapes.ramp(shapes.field(rng, int(rng.integers(9, 18))), skin.uniform(0.4, 1.2), 2.0)
        skin.coat(skin.uniform(0.3, 0.8) * specks * inside, (62.0, 58.0, 72.0))


def squamous_cell_carcinoma(skin: Skin) -> None:
    """A firm, red, ill-defined nodule under a rough, yellow-brown horny crust, often ulcerated and bleeding."""
    rng, middle = skin.rng, skin.middle(0.3)
    size = skin.size * skin.uniform(0.2, 0.62)
    rough = skin.uniform(0.12, 0.28)
    distance = shapes.blob(rng, middle, size, rough=rough)
    base = shapes.ramp(distance, 1 + skin.uniform(0.15, 0.6), skin.uniform(0.4, 0.8))
    skin.mask |= distance < 1
    skin.blood += skin.uniform(0.3, 1.1) * base
    skin.pigment += skin.uniform(0.0, 0.6) * skin.depth * base
    bumps = shapes.field(rng, int(rng.integers(9, 18)))
    skin.relief += size * base * (skin.uniform(0.05, 0.25) + skin.uniform(0.01, 0.05) * bumps)
    heart = distance + skin.uniform(0.1, 0.25) * shapes.field(rng, 7)
    crust = shapes.ramp(heart, skin.uniform(0.6, 0.95), skin.uniform(0.2, 0.5))
    crust = crust * shapes.ramp(bumps, skin.uniform(-2.5, -0.6), 0.4)
    grey = skin.uniform(0, 1)
    skin.coat(skin.uniform(0.35, 0.95) * crust, (202 - 4 * grey, 164 + 18 * grey, 100 + 64 * grey))
    skin.coat(skin.uniform(0.1, 0.8) * crust * shapes.ramp(shapes.field(rng, 11), 0.0, 1.6), CRUST)
    skin.relief += skin.uniform(0.02, 0.12) * size * crust * (1 + bumps)
    if skin.chance(0.5):
        sore = shapes.ramp(distance + 0.3 * shapes.field(rng, 6), 0.55, 0.1)
        skin.coat(skin.uniform(0.4, 0.9) * sore, ULCER)


def melanoma(skin: Skin) -> None:
    """An asymmetric patch with a notched outline and many colours: browns, black, blue-grey veil, red, scar white."""
    rng, middle = skin.rng, skin.middle(0.35)
    size = skin.size * skin.uniform(0.18, 0.6)
    distance = shapes.blob(rng, middle, size, rough=skin.uniform(0.08, 0.26), stretch=1.9)
    soft = skin.uniform(1, 5) * PIXEL / size
    inside = shapes.ramp(distance, 1 + soft / 2, 1 - soft)
    skin.mask |= distance < 1
    shade = 1 + skin.uniform(0.15, 0.5) * shapes.field(rng, int(rng.integers(3, 7)))
    dark = skin.uniform(0.7, 2.2) * np.clip(shade, 0.15, 2)
    skin.pigment += inside * dark * (1 + 0.2 * shapes.field(rng, 18))
    skin.relief += size * inside * skin.uniform(0, 0.25) * shapes.ramp(shapes.field(rng, 4), -0.5, 1.5)
    for tint, odds, most in ((VEIL, 0.6, 0.7), (ULCER, 0.35, 0.5), (SCAR, 0.25, 0.6), ((18.0, 14.0, 16.0), 0.5, 0.9)):
        if skin.chance(odds):
            part = shapes.ramp(shapes.field(rng, int(rng.integers(3, 6))), 0.1, 1.2)
            skin.coat(skin.uniform(0.25, most) * part * inside, tint)
    if skin.chance(0.3):
        places = middle + shapes.scatter(rng, 3, 1.5 * size, 0.1)
        specks = shapes.dots(places, rng.uniform(1, 2.5, len(places)) * PIXEL)
        skin.pigment += skin.uniform(0.5, 1.5) * shapes.ramp(specks, 1.3, 0.6) * (1 - inside)


def healthy(skin: Skin) -> None:
    """No disease: bare skin, or benign moles, freckles, scratches, a flush or a pale patch that mean nothing."""
    rng = skin.rng
    if skin.chance(0.3):
        moles(skin, 1, skin.uniform(0.12, 0.45))
    if skin.chance(0.25):
        moles(skin, int(rng.integers(2, 8)), 0.09)
    if skin.chance(0.3):
        freckles(skin)
    if skin.chance(0.25):
        scratches(skin)
    if skin.chance(0.1):
        angiomas(skin)
    if skin.chance(0.25):
        flush = shapes.ramp(shapes.blob(rng, skin.middle(0.6), skin.uniform(0.3, 0.8), rough=0.2), 1.4, 0.2)
        skin.blood += skin.uniform(0.1, 0.6) * flush
        skin.pigment += skin.uniform(0.0, 0.3) * flush
    if skin.chance(0.2):
        pale = shapes.ramp(shapes.blob(rng, skin.middle(0.6), skin.uniform(0.2, 0.6), rough=0.2), 1.4, 0.4)
        skin.coat(skin.uniform(0.05, 0.3) * pale, SCAR)
