"""The coarse search, exactly: every reference, as a few crops of it at low frequencies, compared with every query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synthgen.vision.near_duplicates import alignment
from synthgen.vision.near_duplicates.signature import SIDE
from synthgen.vision.near_duplicates.spectrum import Spectrum, spectrum

if TYPE_CHECKING:
    from synthgen.core.types import Floats

# The crops: the share of the reference's side, and how many places along each.
_CROPS = ((1.0, 1), (0.88, 2), (0.76, 3), (0.66, 4))
_REFERENCES = 1024  # compared at a time: what fits a processor's cache
_HELD = 16  # blocks whose crops are kept, 6 MB each


class Crops:
    """References as the coarse search compares them.

    Args:
        references: Signatures, shape (m, 1024).
    """

    def __init__(self, references: Floats) -> None:
        self._references, self._spectrum = references, coarse()
        self._held: dict[int, Any] = {}

    @property
    def count(self) -> int:
        """How many crops of each reference there are."""
        return sum(places**2 for _, places in _CROPS)

    @property
    def width(self) -> int:
        """How many numbers a crop has."""
        return len(self._spectrum.kept)

    def blocks(self) -> range:
        """Where each block of references begins."""
        return range(0, len(self._references), _REFERENCES)

    def flipped(self, queries: Any) -> Any:
        """Unit vectors of all queries under the first flip, then under the second, shape (4 * n, kept)."""
        vectors = self._spectrum.whole(queries)
        return (vectors * self._spectrum.signs[:, None]).flatten(0, 1)

    def views(self, start: int) -> Any:
        """Unit vectors of each crop of a block of references, shape (crops, block, kept)."""
        import numpy as np
        import torch

        if start not in self._held:
            block = np.ascontiguousarray(self._references[start : start + _REFERENCES])
            pictures = torch.from_numpy(block).view(-1, SIDE, SIDE)
            down, across = sampled()
            crops = [self._spectrum.project(one @ pictures @ other.T) for one, other in zip(down, across, strict=True)]
            if len(self._held) >= _HELD:
                return torch.stack(crops)
            self._held[start] = torch.stack(crops)
        return self._held[start]

    def best(self, queries: Any, count: int, exclude: Any = None) -> Any:
        """The rows of so many references that may be nearest, int64, shape (n, count), the likeliest first."""
        import torch

        scores = torch.full((len(queries), count), -2.0)
        rows = torch.full((len(queries), count), -1)
        flipped = self.flipped(queries)
        for start in self.blocks():
            views = self.views(start)
            found = torch.full((len(queries), views.shape[1]), -2.0)
            for view in views:
                torch.maximum(found, (flipped @ view.T).view(4, len(queries), -1).amax(0), out=found)
            numbers = torch.arange(start, start + views.shape[1])
            if exclude is not None:
                found.masked_fill_(numbers == exclude[:, None], -2.0)
            both = torch.cat([scores, found], 1)
            scores, place = both.topk(count, 1)
            rows = torch.cat([rows, numbers.expand(len(queries), -1)], 1).gather(1, place)
        return torch.where(scores < -1.5, -1, rows)


def coarse() -> Spectrum:
    """The spectrum of the coarse search."""
    return spectrum(8, 0.5)


def sampled() -> tuple[Any, Any]:
    """The sampling of rows and of columns of each crop of the coarse search, shape (crops, 8, 32) each."""
    crops = alignment.crops(_CROPS)
    return tuple(coarse().sampling(crops[:, 0], crops[:, place]) for place in (1, 2))
