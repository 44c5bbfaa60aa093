"""The space that signatures are compared in: weighted cosine transforms, in which a flip is a change of signs.

The transform is one product of small matrices in torch, not ``scipy.fft.dctn``: the crop and its resampling are the
same product (:meth:`Spectrum.sampling`), so thousands of crops cost no image of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from synthgen.vision.near_duplicates.signature import SIDE

if TYPE_CHECKING:
    from torch import Tensor

VERSION = "near-copies-1"  # part of what scores are kept under: another formula, another number

_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Cosine transforms of crops, cut to low frequencies and weighted.

    Attributes:
        side: Grey values along a side of what is transformed.
        cosines: The orthonormal DCT-II, shape (side, side).
        kept: Which coefficients are kept, of the flattened transform: those whose radius is from 1 to below ``side``.
        weights: Of those, radius to a power, so that coarse light and shade do not drown detail.
        signs: By what each is multiplied under no flip, a horizontal, a vertical and both, shape (4, kept).
    """

    side: int
    cosines: Tensor
    kept: Tensor
    weights: Tensor
    signs: Tensor

    def project(self, crops: Tensor) -> Tensor:
        """Unit vectors, shape (..., kept), of row-and-column transforms, shape (..., side, side)."""
        vectors = crops.flatten(-2)[..., self.kept] * self.weights
        unit: Tensor = vectors / (vectors.norm(dim=-1, keepdim=True) + _TINY)
        return unit

    def whole_images(self, signatures: Tensor) -> Tensor:
        """Unit vectors of whole images, shape (n, kept), from signatures (n, 32, 32)."""
        import torch

        sampling = self.sampling(torch.ones(1), torch.zeros(1))[0]
        return self.project(sampling @ signatures @ sampling.T)

    def sampling(self, scale: Tensor, offset: Tensor) -> Tensor:
        r"""The matrix from a line of 32 grey values to the cosine transform of a crop of it, shape (..., side, 32).

        With D and A of the rows and the columns, ``D @ image @ A.T`` is the transform of a crop of the image. The
        crop is read at ``side`` places, each a mean of grey values weighted by a triangle about its centre, one
        place wide to either side, but never narrower than one grey value::

            line     |----+----+----+----+----+----+----+----|      32 grey values
            crop          |<------- scale ------->|                 beginning at offset
            centres          x     x     x     x                    side of them, here 4
            weights        /   \                                    of the grey values, for the first centre

        Args:
            scale: The crop's length, as a share of the line's, shape (...).
            offset: Where it begins, as a share of the line's length, shape (...).
        """
        import torch

        steps = (torch.arange(self.side) + 0.5) / self.side
        centres = (offset[..., None] + scale[..., None] * steps) * SIDE
        width = (scale * SIDE / self.side).clamp(min=1.0)[..., None, None]
        triangle = (1 - (torch.arange(SIDE) + 0.5 - centres[..., None]).abs() / width).clamp(min=0)
        return self.cosines @ (triangle / triangle.sum(-1, keepdim=True))


@lru_cache(maxsize=4)
def spectrum(side: int, power: float) -> Spectrum:
    """The spectrum of crops sampled at ``side`` x ``side`` places, weighted by radius to a power."""
    import math

    import torch

    number = torch.arange(side)
    cosines = torch.cos(math.pi * (number + 0.5) * number[:, None] / side) * (2 / side) ** 0.5
    cosines[0] /= 2**0.5
    radius = (number[:, None].float() ** 2 + number**2).sqrt()
    kept = ((radius >= 1) & (radius < side)).flatten().nonzero()[:, 0]
    # Mirrored, cosine number k of a line is (-1)^k times itself, so a flip changes the sign of the odd ones alone.
    down, across = kept // side % 2 == 1, kept % side % 2 == 1
    across_sign, down_sign = (torch.where(odd, -1.0, 1.0) for odd in (across, down))
    signs = torch.stack([torch.ones(len(kept)), across_sign, down_sign, across_sign * down_sign])
    return Spectrum(side, cosines, kept, radius.flatten()[kept] ** power, signs)
