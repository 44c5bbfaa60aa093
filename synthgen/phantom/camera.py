"""Photographs of skin by two cameras in two clinics: light, lens and sensor.

``a`` is a dermatology clinic: a close, well lit, sharp camera. ``b`` is a ward and a telephone: farther away, warmer
and uneven light, more blur and noise, smaller lesions.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthgen.phantom import shapes
from synthgen.phantom.shapes import PIXEL, SIDE, X, Y
from synthgen.phantom.skin import Skin
from synthgen.phantom.skin_colour import Range
from synthgen.vision import colour
from synthgen.vision.colour import Array


@dataclass(frozen=True, slots=True)
class Site:
    """A camera and its clinic; each range is drawn from anew for each image.

    Attributes:
        size: By how much lesions are enlarged: framing, and which patients come.
        exposure: The light's brightness; 1 shows unlit colours.
        slope: How much brighter one side is than the other.
        vignette: How much darker the corners are.
        cast: The mean gains of red, green and blue.
        white: The deviation of those gains from image to image.
        glare: The strength of broad reflections.
        blur: The deviation of the lens's blur in pixels.
        noise: The sensor's noise, of 255.
        hairs: The most hairs on a picture.
    """

    size: Range
    exposure: Range
    slope: Range
    vignette: Range
    cast: tuple[float, float, float]
    white: float
    glare: Range
    blur: Range
    noise: Range
    hairs: int


SITES: dict[str, Site] = {
    "a": Site(
        size=(0.75, 1.3),
        exposure=(0.86, 1.12),
        slope=(0.0, 0.4),
        vignette=(0.0, 0.3),
        cast=(1.0, 1.0, 1.0),
        white=0.03,
        glare=(0.0, 0.08),
        blur=(0.35, 0.9),
        noise=(1.0, 5.0),
        hairs=11,
    ),
    "b": Site(
        size=(0.55, 1.05),
        exposure=(0.74, 1.04),
        slope=(0.1, 0.6),
        vignette=(0.1, 0.45),
        cast=(1.06, 1.0, 0.9),
        white=0.045,
        glare=(0.0, 0.1),
        blur=(0.55, 1.15),
        noise=(4.0, 9.0),
        hairs=18,
    ),
}


def photograph(skin: Skin, site: Site) -> npt.NDArray[np.uint8]:
    """A photograph of a piece of skin: sRGB bytes of shape (SIDE, SIDE, 3)."""
    rgb = skin.colours() * _light(skin, site) + _shine(skin, site)
    gains = np.array(site.cast) * np.exp(skin.rng.normal(0, site.white, 3))
    rgb = _blurred(rgb * gains[:, None, None], skin.uniform(*site.blur))
    noise = skin.rng.standard_normal((4, SIDE, SIDE), np.float32) * skin.uniform(*site.noise)
    values = colour.to_srgb(np.clip(rgb, 0, 1)) * 255 + 0.6 * noise[:3] + 0.8 * noise[3]
    return np.ascontiguousarray(np.moveaxis(np.clip(np.rint(values), 0, 255).astype(np.uint8), 0, -1))


def _light(skin: Skin, site: Site) -> Array:
    """The brightness of each place: exposure, a slope, a vignette, and the shading of the relief."""
    turn = skin.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    slope = 1 + skin.uniform(*site.slope) / 2 * (c * X + s * Y)
    corner = 1 - skin.uniform(*site.vignette) / 2 * (X * X + Y * Y)
    down, right = np.gradient(skin.relief, PIXEL)
    facing = c * right + s * down
    shade = 1 + 0.4 * np.tanh(facing)
    skin.gloss *= shapes.ramp(facing, 0.05, 0.9)
    return np.asarray(skin.uniform(*site.exposure) * slope * corner * shade)


def _shine(skin: Skin, site: Site) -> Array:
    """The light that the surface reflects: broad glare, and glints on glossy slopes."""
    glare = skin.uniform(*site.glare) * shapes.ramp(shapes.field(skin.rng, 4), 0.8, 2.5)
    return np.asarray(glare + 0.3 * skin.gloss)


def _blurred(rgb: Array, sigma: float) -> Array:
    """The image after a Gaussian blur of 7 x 7, the edge repeated outside.

    Not ``scipy.ndimage.gaussian_filter``: sums in a fixed order in numpy keep the bytes on every machine and version.
    """
    kernel = np.exp(-(np.arange(4) ** 2) / (2 * sigma * sigma))
    kernel /= kernel[0] + 2 * kernel[1:].sum()
    for axis in (1, 2):
        padded = np.pad(rgb, [(3, 3) if axis == other else (0, 0) for other in range(3)], mode="edge")
        # Slices that begin 0 to 6 pixels into the padding; the one at 3 is the image itself.
        parts = [padded[:, step : step + SIDE] if axis == 1 else padded[..., step : step + SIDE] for step in range(7)]
        rgb = kernel[0] * parts[3]
        for far in (1, 2, 3):
            rgb += kernel[far] * (parts[3 - far] + parts[3 + far])
    return rgb
