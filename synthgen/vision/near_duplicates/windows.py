"""Which parts of two images are compared at first: windows of a query under turns and flips, and of a reference.

A pair of windows, one of each image, is a guess at how one was made of the other:

| query                                     | reference             | finds                                       |
|-------------------------------------------|-----------------------|---------------------------------------------|
| whole, 8 ways                             | 51 crops, 2 stretched | crops down to 0.62 of the side, stretched   |
| middle of it pasted at 0.8 or 0.68, 8 ways | middle                | a picture within a larger one               |
| middle of it turned by 0 to 75 degrees, 8 ways | middle, 2 sizes  | turns by any angle, whatever the corners hold |

The 8 ways are a square's own: four turns by 90 degrees, each mirrored or not. In cosine transforms they are changes of
signs and an exchange of rows and columns, so they cost no transform. A negative is minus its image, so products count
by their absolute value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from synthgen.vision.near_duplicates import alignment
from synthgen.vision.near_duplicates.signature import SIDE
from synthgen.vision.near_duplicates.spectrum import Spectrum, spectrum

if TYPE_CHECKING:
    from torch import Tensor

ANGLES = (0, 15, 30, 45, 60, 75)
_CROPS = ((1.0, 1), (0.85, 3), (0.72, 4), (0.62, 5))  # share of the side, and places along each
_STRETCHED = ((1.0, 0.8, 0.0, 0.1), (0.8, 1.0, 0.1, 0.0))  # height, width, top, left
_TURNED = 0.7  # of the side: about the largest square that lies in the image at any angle
_TURNED_OF = (0.7, 0.54)  # the same size, and that of an image that was enlarged until no corner was empty
_PASTED = ((0.8, 4), (0.68, 5))  # share of the query's side, and places along each
_INNER = 0.8  # of a pasted picture's side; its edge is left out, for a place is met only roughly


@dataclass(frozen=True, slots=True)
class Guesses:
    """All pairs of windows, as maps from the square of -1 to 1 into each image's own, in the order of products.

    Attributes:
        query: Shape (guesses, 2, 3).
        reference: Shape (guesses, 2, 3).
    """

    query: Tensor
    reference: Tensor


def coarse_spectrum() -> Spectrum:
    """The spectrum of the first comparison: 8 x 8 coefficients."""
    return spectrum(8, 0.5)


def query_windows(images: Tensor) -> list[Tensor]:
    """Unit vectors of each kind of window of queries (n, 32, 32), shape (n, windows, kept) each."""
    import torch

    whole = _eight_ways(_windows(images, [(1.0, 1.0, 0.0, 0.0)]))
    pasted = _eight_ways(_windows(images, _pasted()))
    turned = [_eight_ways(_windows(_turn(images, angle), [_centred(_TURNED)])) for angle in ANGLES]
    return [whole, pasted, torch.cat(turned, 1)]


def reference_windows(images: Tensor) -> list[Tensor]:
    """Unit vectors of what each kind of window is compared with, of references (m, 32, 32), (m, windows, kept) each."""
    return [
        _windows(images, [*_crops(), *_STRETCHED]),
        _windows(images, [_centred(_INNER)]),
        _windows(images, [_centred(share) for share in _TURNED_OF]),
    ]


@lru_cache(maxsize=1)
def guesses() -> Guesses:
    """The pairs of windows that :func:`query_windows` and :func:`reference_windows` have, kind after kind."""
    import torch

    ways = _ways()
    pairs = [(_within(_map((1.0, 1.0, 0.0, 0.0)), way), _map(one)) for way in ways for one in (*_crops(), *_STRETCHED)]
    pairs += [(_within(_map(window), way), _map(_centred(_INNER))) for window in _pasted() for way in ways]
    for angle in ANGLES:
        window = torch.cat([_rotation(angle) * _TURNED, torch.zeros(2, 1)], 1)
        pairs += [(_within(window, way), _map(_centred(share))) for way in ways for share in _TURNED_OF]
    return Guesses(torch.stack([one for one, _ in pairs]), torch.stack([other for _, other in pairs]))


def _windows(images: Tensor, windows: list[tuple[float, float, float, float]]) -> Tensor:
    """Unit vectors of windows, each a height, width, top and left, of images: shape (n, windows, kept)."""
    import torch

    space, sizes = coarse_spectrum(), torch.tensor(windows)
    down, across = space.sampling(sizes[:, 0], sizes[:, 2]), space.sampling(sizes[:, 1], sizes[:, 3])
    return torch.stack([space.project(one @ images @ other.T) for one, other in zip(down, across, strict=True)], 1)


def _crops() -> list[tuple[float, float, float, float]]:
    return [(scale, scale, top, left) for scale, top, left in alignment.crops(_CROPS).tolist()]


def _pasted() -> list[tuple[float, float, float, float]]:
    """The middle of a picture at each place that it may be pasted at."""
    found = []
    for share, count in _PASTED:
        edge = share * (1 - _INNER) / 2
        places = [(1 - share) * place / (count - 1) + edge for place in range(count)]
        found += [(share * _INNER, share * _INNER, top, left) for top in places for left in places]
    return found


def _centred(share: float) -> tuple[float, float, float, float]:
    return share, share, (1 - share) / 2, (1 - share) / 2


def _eight_ways(vectors: Tensor) -> Tensor:
    """Vectors of windows (n, windows, kept) in eight ways each, shape (n, 8 * windows, kept)."""
    import torch

    space = coarse_spectrum()
    place = torch.full((space.side**2,), -1)
    place[space.kept] = torch.arange(len(space.kept))
    exchanged = place[space.kept % space.side * space.side + space.kept // space.side]
    ways = [vectors[:, :, None] * space.signs, vectors[:, :, exchanged][:, :, None] * space.signs]
    return torch.cat(ways, 2).flatten(1, 2)


def _ways() -> list[Tensor]:
    """The eight ways as matrices, in the order of :func:`_eight_ways`."""
    import torch

    flips = ((1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0))
    upright = [torch.tensor([[across, 0.0], [0.0, down]]) for across, down in flips]
    return upright + [torch.tensor([[0.0, down], [across, 0.0]]) for across, down in flips]


def _map(window: tuple[float, float, float, float]) -> Tensor:
    """The map of the square of -1 to 1 onto a window, (x, y), shape (2, 3)."""
    import torch

    height, width, top, left = window
    return torch.tensor([[width, 0.0, 2 * left + width - 1], [0.0, height, 2 * top + height - 1]])


def _within(window: Tensor, way: Tensor) -> Tensor:
    """A window's map after a turn or a flip of the square."""
    import torch

    return torch.cat([window[:, :2] @ way, window[:, 2:]], 1)


def _rotation(degrees: float) -> Tensor:
    import torch

    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return torch.tensor([[cosine, -sine], [sine, cosine]])


def _turn(images: Tensor, degrees: float) -> Tensor:
    """Images (n, 32, 32) turned about their middle."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    if not degrees:
        return images
    turn = torch.cat([_rotation(degrees), torch.zeros(2, 1)], 1).expand(len(images), 2, 3)
    grid = affine_grid(turn, [len(images), 1, SIDE, SIDE], align_corners=False)
    return grid_sample(images[:, None], grid, padding_mode="border", align_corners=False)[:, 0]
