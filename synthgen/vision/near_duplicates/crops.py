"""The coarse search, exactly: every reference, as a few crops of it at low frequencies, compared with every query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthgen.vision.near_duplicates import alignment
from synthgen.vision.near_duplicates.signature import SIDE
from synthgen.vision.near_duplicates.spectrum import Spectrum, spectrum

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Floats

REFERENCES_AT_ONCE = 1024  # what fits a processor's cache
# The crops: the share of the reference's side, and how many places along each.
_CROPS = ((1.0, 1), (0.88, 2), (0.76, 3), (0.66, 4))
_BLOCKS_KEPT = 16  # 6 MB each


class CropVectors:
    """References as the coarse search compares them: 30 unit vectors each, one a crop.

    Args:
        references: Signatures, shape (m, 1024).
        at_once: References in a block, which are compared together.
    """

    def __init__(self, references: Floats, at_once: int = REFERENCES_AT_ONCE) -> None:
        self._references, self._at_once, self._spectrum = references, at_once, coarse_spectrum()
        self._blocks: dict[int, Tensor] = {}

    @property
    def count(self) -> int:
        """How many crops of each reference there are."""
        return sum(places**2 for _, places in _CROPS)

    @property
    def width(self) -> int:
        """How many numbers a crop has."""
        return len(self._spectrum.kept)

    def blocks(self) -> range:
        """The first reference of each block."""
        return range(0, len(self._references), self._at_once)

    def flipped(self, queries: Tensor) -> Tensor:
        """Unit vectors of all queries unflipped, then under each of the other flips, shape (4 * n, kept)."""
        vectors = self._spectrum.whole_images(queries)
        return (vectors * self._spectrum.signs[:, None]).flatten(0, 1)

    def block(self, start: int) -> Tensor:
        """Unit vectors of each crop of the references of a block, shape (crops, block, kept)."""
        import numpy as np
        import torch

        if start in self._blocks:
            return self._blocks[start]
        part = np.ascontiguousarray(self._references[start : start + self._at_once])
        images = torch.from_numpy(part).view(-1, SIDE, SIDE)
        down, across = _crop_sampling()
        crops = [self._spectrum.project(one @ images @ other.T) for one, other in zip(down, across, strict=True)]
        vectors = torch.stack(crops)
        if len(self._blocks) < _BLOCKS_KEPT:
            self._blocks[start] = vectors
        return vectors

    def candidates(self, queries: Tensor, count: int, exclude: Tensor | None = None) -> Tensor:
        """The rows of ``count`` references that may be nearest, the likeliest first, int64, shape (n, count)."""
        import torch

        scores = torch.full((len(queries), count), -2.0)
        rows = torch.full((len(queries), count), -1)
        flipped = self.flipped(queries)
        for start in self.blocks():
            block = self.block(start)
            best = torch.full((len(queries), block.shape[1]), -2.0)  # over flips and crops, for each reference
            for crop in block:
                torch.maximum(best, (flipped @ crop.T).view(4, len(queries), -1).amax(0), out=best)
            numbers = torch.arange(start, start + block.shape[1])
            if exclude is not None:
                best.masked_fill_(numbers == exclude[:, None], -2.0)
            both = torch.cat([scores, best], 1)
            scores, place = both.topk(count, 1)
            rows = torch.cat([rows, numbers.expand(len(queries), -1)], 1).gather(1, place)
        return torch.where(scores < -1.5, -1, rows)


def coarse_spectrum() -> Spectrum:
    """The spectrum of the coarse search: 8 x 8 coefficients."""
    return spectrum(8, 0.5)


def _crop_sampling() -> tuple[Tensor, Tensor]:
    """The sampling of rows and of columns of each crop of the coarse search, shape (crops, 8, 32) each."""
    crops, space = alignment.crops(_CROPS), coarse_spectrum()
    return space.sampling(crops[:, 0], crops[:, 1]), space.sampling(crops[:, 0], crops[:, 2])
