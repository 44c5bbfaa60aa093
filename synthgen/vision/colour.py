"""CIELAB and individual typology angle (ITA) of sRGB pixels.

Formulas: CIE 15:2004 (CIELAB, D65, 2 degree observer), IEC 61966-2-1 (sRGB). Not scikit-image's or colour-science's,
which are no dependencies and whose constants differ in the last digits: phantoms are the same to the byte everywhere.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_WHITE = _TO_XYZ.sum(axis=1)


def ita(pixels: npt.NDArray[np.uint8]) -> Array:
    """The ITA in degrees of each pixel of sRGB bytes, shape (..., 3) in and (...) out: ``atan2(L* - 50, b*)``."""
    lab = srgb_to_lab(pixels)
    return np.asarray(np.degrees(np.arctan2(lab[0] - 50, lab[2])))


def srgb_to_lab(pixels: npt.NDArray[np.uint8]) -> Array:
    """The CIELAB values of sRGB bytes, shape (..., 3) in and (3, ...) out: L*, a* and b*."""
    return linear_to_lab(to_linear(np.moveaxis(pixels, -1, 0) / 255))


def lab_to_linear(lab: Array) -> Array:
    """CIELAB to linear RGB, cut to what sRGB can show."""
    y = (lab[0] + 16) / 116
    f = np.stack([y + lab[1] / 500, y, y - lab[2] / 200])
    ratio = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    xyz = (ratio.T * _WHITE).T
    return np.clip(np.tensordot(_FROM_XYZ, xyz, 1), 0, 1)


def linear_to_lab(rgb: Array) -> Array:
    """Linear RGB to CIELAB."""
    ratio = (np.tensordot(_TO_XYZ, rgb, 1).T / _WHITE).T
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def to_linear(rgb: Array) -> Array:
    """Linear light of sRGB; both run from 0 to 1."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def to_srgb(rgb: Array) -> Array:
    """Linear light from 0 to 1 to sRGB, by a table of 2^16 steps: powers would take a tenth of a phantom's time."""
    return np.asarray(_SRGB[np.rint(rgb * (len(_SRGB) - 1)).astype(np.intp)])


_STEPS = np.linspace(0, 1, 1 << 16)
_SRGB = np.where(_STEPS <= 0.0031308, _STEPS * 12.92, 1.055 * np.maximum(_STEPS, 0.0031308) ** (1 / 2.4) - 0.055)
