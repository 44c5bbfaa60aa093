"""Shapes on the image's grid: smooth random fields, wobbly outlines, polygons, dots and strokes.

Positions run from -1 to 1 across the picture; planes are float64 of shape (SIDE, SIDE).
"""

from functools import cache

import numpy as np

from synthgen.vision.colour import Array

SIDE = 64
PIXEL = 2 / SIDE
X: Array = np.tile((np.arange(SIDE) + 0.5) * PIXEL - 1, (SIDE, 1))
Y: Array = X.T.copy()

Rng = np.random.Generator


def field(rng: Rng, cells: int) -> Array:
    """A smooth random field of mean 0 and deviation 1 with about so many bumps across the picture."""
    matrix = _spline(cells)
    return np.asarray(matrix @ rng.standard_normal((cells + 3, cells + 3)) @ matrix.T)


@cache
def _spline(cells: int) -> Array:
    """Cubic B-spline up-sampling of ``cells + 3`` knots to SIDE points, scaled to keep the deviation."""
    place = (np.arange(SIDE) + 0.5) / SIDE * cells
    distance = np.abs(place[:, None] - np.arange(-1, cells + 2))
    near, far = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance) ** 3 / 6
    # The cubic B-spline has two pieces: within one knot of its middle, and from one to two knots.
    weights: Array = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    return np.asarray(weights / np.sqrt(np.mean(np.sum(weights**2, axis=1))))


def ramp(values: Array, low: float, high: float) -> Array:
    """0 below ``low``, 1 above ``high``, and a smooth step between; ``low`` may be the larger one."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blob(rng: Rng, centre: Array, radius: float, *, rough: float = 0.1, stretch: float = 1.25) -> Array:
    """Distance from the middle of a wobbly, domain-warped blob: 0 in the middle, 1 on its outline.

    Args:
        rng: Where its shape is drawn from.
        centre: Its middle, x and y.
        radius: Its mean radius.
        rough: How far the outline strays, as a part of the radius.
        stretch: The largest ratio of its two axes.
    """
    ratio = np.exp(rng.uniform(0, np.log(stretch)) / 2)
    turn = np.exp(1j * rng.uniform(0, np.pi))
    warp = rough * radius
    dx = X - centre[0] + warp * field(rng, 7)
    dy = Y - centre[1] + warp * field(rng, 7)
    z = (dx + 1j * dy) * turn
    z = z.real / ratio + 1j * z.imag * ratio
    distance = np.abs(z)
    unit = z / np.maximum(distance, 1e-9)
    outline, power = np.ones_like(distance), unit
    for harmonic in range(2, 6):
        power = power * unit
        wave = rng.standard_normal() + 1j * rng.standard_normal()
        outline += 1.2 * rough / harmonic * (power * wave).real
    return np.asarray(distance / (radius * np.maximum(outline, 0.3)))


def polygons(rng: Rng, centres: Array, radii: Array) -> Array:
    """Distance from the nearest of several angular, flat-sided shapes: 1 on the outline; centres have shape (n, 2)."""
    count, sides = len(radii), 6
    turns = np.sort(rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(sides) * 2 * np.pi / sides, axis=1)
    turns = turns + rng.uniform(-0.4, 0.4, (count, sides))
    reach = radii[:, None] * rng.uniform(0.7, 1.1, (count, sides))
    dx = X - centres[:, 0, None, None]
    dy = Y - centres[:, 1, None, None]
    nearest = np.full((count, SIDE, SIDE), -np.inf)
    for side in range(sides):
        c, s = np.cos(turns[:, side]) / reach[:, side], np.sin(turns[:, side]) / reach[:, side]
        np.maximum(nearest, c[:, None, None] * dx + s[:, None, None] * dy, out=nearest)
    return np.asarray(nearest.min(axis=0))


def dots(centres: Array, radii: Array) -> Array:
    """Distance from the nearest of several round dots: 0 in the middle, 1 on the outline; centres have shape (n, 2)."""
    dx, dy = X - centres[:, 0, None, None], Y - centres[:, 1, None, None]
    return np.asarray(np.sqrt(((dx * dx + dy * dy) / (radii * radii)[:, None, None]).min(axis=0)))


def scatter(rng: Rng, count: int, reach: float, apart: float) -> Array:
    """Up to ``count`` places within ``reach`` of the middle that keep ``apart``, shape (n, 2), at least one."""
    kept: list[complex] = []
    for x, y in rng.uniform(-reach, reach, (4 * count, 2)).tolist():
        place = complex(x, y)
        if len(kept) < count and all(abs(place - other) > apart for other in kept):
            kept.append(place)
    return np.array([(place.real, place.imag) for place in kept])


def strokes(centres: Array, turns: Array, lengths: Array, bends: Array, width: float) -> Array:
    """How much of each pixel curved strokes cover, 0 to 1: parabolas of a half length and a bend, one width for all.

    Args:
        centres: Their middles, shape (n, 2).
        turns: Their directions in radians, shape (n,).
        lengths: Half of their lengths, shape (n,).
        bends: How far they bend, one over length, shape (n,).
        width: Their half width, in positions.
    """
    dx, dy = X - centres[:, 0, None, None], Y - centres[:, 1, None, None]
    c, s = np.cos(turns)[:, None, None], np.sin(turns)[:, None, None]
    along, across = c * dx + s * dy, c * dy - s * dx
    across = np.abs(across - bends[:, None, None] * along * along)
    excess = np.maximum(across - width, np.abs(along) - lengths[:, None, None])
    return np.asarray(np.clip(1 - excess.min(axis=0) / PIXEL, 0, 1))
