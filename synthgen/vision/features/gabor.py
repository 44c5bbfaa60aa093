"""Gabor features of images: how colour and oriented energy vary together, by a fixed formula that learned nothing.

Per-pixel maps (opponent colours, differences of Gaussians, Gabor energies, place) are summed up by the logarithm of
their covariance matrix: a region covariance (Tuzel et al. 2006) in the log-Euclidean metric (Arsigny et al. 2006).

Why not the filters of scikit-image or kornia: neither is a dependency, one of them filters image by image, and the
numbers have to stay the same for years, while a library may better its own. All scales are one Fourier transform here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

SIDE = 64
VERSION = "gabor-1"  # part of the digest under which features are cached: another formula, another number
ORIGIN = (
    "A fixed formula without weights; its form and constants were chosen by linear probes on labelled phantoms of "
    "site a (the same conditions as at site b), never on an image of site b nor on a real one."
)

_PAD, _HALF = 8, 32
_PADDED = SIDE + 2 * _PAD
_BLURS = (1.0, 2.0, 4.0, 8.0)  # standard deviations of the Gaussians in pixels, an octave apart
_WAVELENGTHS = (3.0, 6.0, 12.0, 24.0)  # of the Gabor filters in pixels
_ORIENTATIONS = 4
_ENVELOPE = 0.56  # standard deviation of a Gabor filter's envelope in wavelengths: a bandwidth of one octave
_FLOOR = 3e-3  # added to an energy before its logarithm: about one step of 255
_COLOUR, _DIFFERENCE = 8.0, 16.0  # bring colours and differences to about the spread of the log energies
_RIDGE = 1e-2  # added to the covariance, which a flat image leaves without a logarithm


def describe(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The features of images of 64 x 64.

    They are the upper triangle of the log covariance of the maps; the maps' means, skewness and log kurtosis; and the
    median of each opponent colour.

    Args:
        pixels: uint8 sRGB, shape (n, 64, 64, 3).

    Returns:
        float32, shape (n, dim); :func:`dim` says how many.
    """
    import torch

    with torch.inference_mode():
        colours = _opponent(torch.from_numpy(pixels))
        maps, medians = _maps(colours)
        mean = maps.mean(2)
        centred = maps - mean[..., None]
        scaled = centred / (centred.std(2, keepdim=True) + 1e-2)
        skewness, kurtosis = (scaled**3).mean(2).clamp_(-5, 5), (scaled**4).mean(2).log1p()
        return torch.cat([_log_covariance(centred), mean, skewness, kurtosis, medians], 1).numpy()


def dim() -> int:
    """How many features there are."""
    maps = 3 + 3 * (len(_BLURS) - 1) + 1 + 3 * (len(_WAVELENGTHS) - 1) + 1
    return maps * (maps + 1) // 2 + 3 * maps + 3


def _opponent(pixels: Tensor) -> Tensor:
    """Opponent colours O3, O1 and O2 of van de Sande et al. 2010: intensity, red-green, yellow-blue; (n, 3, 64, 64)."""
    import torch

    red, green, blue = (pixels.float() / 255).unbind(-1)
    intensity = (red + green + blue) / 3**0.5
    return torch.stack([intensity, (red - green) / 2**0.5, (red + green - 2 * blue) / 6**0.5], 1)


def _maps(colours: Tensor) -> tuple[Tensor, Tensor]:
    """The maps at half the size, shape (n, maps, 1024), and the median of each colour, shape (n, 3)."""
    import torch
    from torch.nn import functional

    blurs, gabors, radius = _constants()
    spectrum = torch.fft.fft2(functional.pad(colours, (_PAD,) * 4, mode="reflect"))
    blurred = _filtered(spectrum, blurs, 2).real[..., _PAD // 2 : -_PAD // 2, _PAD // 2 : -_PAD // 2]
    medians = blurred[:, :, 0].flatten(2).median(2).values
    colour = (blurred[:, :, 0] - medians[..., None, None]) * _COLOUR
    differences = (blurred[:, :, :-1] - blurred[:, :, 1:]).flatten(1, 2) * _DIFFERENCE
    finest = _energy(spectrum[:, :1], gabors[0], 1)  # colour is not that sharp in a JPEG
    energies = [finest, *(_energy(spectrum, bank, 2 if scale == 1 else 4) for scale, bank in enumerate(gabors[1:], 1))]
    energy = (torch.cat(energies, 1) + _FLOOR).log()
    place = radius.expand(len(colours), 1, _HALF, _HALF)
    return torch.cat([colour, differences, energy, place], 1).flatten(2), medians


def _energy(spectrum: Tensor, bank: Tensor, divisor: int) -> Tensor:
    """The amplitude of a scale's responses, averaged over orientations, at half the size; made no larger than needed.

    Coarse scales hold no more detail than a quarter of the size shows.
    """
    from torch.nn import functional

    amplitude = _filtered(spectrum, bank, divisor).abs().mean(2)
    margin = _PAD // divisor
    amplitude = amplitude[..., margin:-margin, margin:-margin]
    if divisor == 1:
        return functional.avg_pool2d(amplitude, 2)
    return amplitude if divisor == 2 else functional.interpolate(amplitude, scale_factor=2.0, mode="bilinear")


def _filtered(spectrum: Tensor, bank: Tensor, divisor: int) -> Tensor:
    """Responses to each filter of a bank, at the size divided: the spectrum cut to its low frequencies."""
    import torch

    side = _PADDED // divisor
    kept = torch.cat([torch.arange(side // 2), torch.arange(_PADDED - side // 2, _PADDED)])
    spectrum, bank = (each.index_select(-2, kept).index_select(-1, kept) for each in (spectrum, bank))
    responses: Tensor = torch.fft.ifft2(spectrum[:, :, None] * bank) / divisor**2
    return responses


@lru_cache(maxsize=1)
def _constants() -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Gaussians and Gabor filters (Daugman 1985, without their mean) by frequency, and each place's radius."""
    import math

    import torch

    frequency = torch.fft.fftfreq(_PADDED)
    down, across = torch.meshgrid(frequency, frequency, indexing="ij")
    squared = down**2 + across**2
    blurs = torch.stack([torch.exp(-2 * (math.pi * sigma) ** 2 * squared) for sigma in _BLURS])

    def gabor(wavelength: float, angle: float) -> Tensor:
        spread = -2 * (math.pi * _ENVELOPE * wavelength) ** 2
        u, v = math.cos(angle) / wavelength, math.sin(angle) / wavelength
        wave = torch.exp(spread * ((across - u) ** 2 + (down - v) ** 2))
        without_mean: Tensor = wave - torch.exp(spread * squared) * wave[0, 0]
        return without_mean

    angles = [math.pi * turn / _ORIENTATIONS for turn in range(_ORIENTATIONS)]
    gabors = tuple(torch.stack([gabor(length, angle) for angle in angles]) for length in _WAVELENGTHS)
    line = torch.linspace(-1, 1, _HALF)
    return blurs, gabors, (line[:, None] ** 2 + line**2).sqrt()


def _log_covariance(centred: Tensor) -> Tensor:
    """The upper triangle of the matrix logarithm of the covariance between maps, shape (n, maps * (maps + 1) / 2)."""
    import torch

    count = centred.shape[1]
    covariance = centred @ centred.transpose(1, 2) / centred.shape[2] + _RIDGE * torch.eye(count)
    row, column = torch.triu_indices(count, count)
    return torch.stack([_logarithm(each.double())[row, column] for each in covariance]).float()


def _logarithm(covariance: Tensor) -> Tensor:
    """The logarithm of one matrix, in memory of its own: within a batch, LAPACK's last bits depend on where it lies."""
    import torch

    values, vectors = torch.linalg.eigh(covariance)
    logarithm: Tensor = (vectors * values.clamp_min(_RIDGE / 2).log()) @ vectors.T
    return logarithm
