"""Fine alignment of pairs: the flip and the crop of a reference that a query is most like, by halving steps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from synthgen.vision.near_duplicates.spectrum import Spectrum, spectrum

if TYPE_CHECKING:
    from torch import Tensor

# Crops that an alignment begins from, and the steps it then takes: of the crop's share, and of its place.
_BEGIN = ((1.0, 1), (0.88, 2), (0.76, 3), (0.66, 4))
_STEPS = ((0.06, 0.10), (0.03, 0.05), (0.015, 0.025))
_SMALLEST, _PAIRS = 0.5, 64


def crops(grid: Sequence[tuple[float, int]]) -> Tensor:
    """Crops by the share of the side and how many places along each side: scale, top and left, shape (n, 3)."""
    import torch

    found = []
    for scale, count in grid:
        places = [(1 - scale) / 2] if count == 1 else [(1 - scale) * place / (count - 1) for place in range(count)]
        found += [(scale, top, left) for top, left in itertools.product(places, places)]
    return torch.tensor(found)


def align(queries: Tensor, references: Tensor, candidates: Tensor) -> Tensor:
    """The similarity of each query to each of its candidates, shape (n, candidates); -1 where the row is -1.

    Args:
        queries: Signatures as images, shape (n, 32, 32).
        references: Signatures as images, shape (m, 32, 32).
        candidates: Rows of references, shape (n, candidates).
    """
    import torch

    fine, coarse, count = spectrum(16, 0.75), spectrum(8, 0.5), candidates.shape[1]
    vectors, coarsely = (each.whole_images(queries).repeat_interleave(count, 0) for each in (fine, coarse))
    rows = candidates.flatten()
    found = torch.empty(len(rows))
    for start in range(0, len(rows), _PAIRS):
        part = slice(start, start + _PAIRS)
        images = references[rows[part].clamp(min=0)]
        crop = _first_crops(coarse, _flips(coarse, coarsely[part]), images)
        flips = _flips(fine, vectors[part])
        for step in _STEPS:
            found[part], crop = _best_of_27(fine, flips, images, crop, step)
    return torch.where(rows < 0, -1.0, found).view(-1, count)


def _flips(space: Spectrum, vectors: Tensor) -> Tensor:
    """The vectors of each query under the four flips, shape (pairs, kept, 4)."""
    return (vectors[:, None] * space.signs).transpose(1, 2)


def _first_crops(coarse: Spectrum, flips: Tensor, references: Tensor) -> Tensor:
    """The crop that each alignment begins from, shape (pairs, 3): by low frequencies, which forgive a small offset."""
    grid = crops(_BEGIN)
    down, across = coarse.sampling(grid[:, 0], grid[:, 1]), coarse.sampling(grid[:, 0], grid[:, 2])
    vectors = coarse.project(down @ references[:, None] @ across.transpose(1, 2))
    return grid[(vectors @ flips).amax(2).argmax(1)]


def _best_of_27(
    fine: Spectrum, flips: Tensor, references: Tensor, crop: Tensor, step: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """The similarity and the crop of the best of 27 crops around each pair's own.

    They are three sizes about one centre, at three places each way, numbered ``9 * size + 3 * top + left``. All are
    transformed at once: the rows for each size and top, of these the columns for each size and left.
    """
    import torch

    either = torch.tensor([-1.0, 0.0, 1.0])
    resize, move = step
    scale = (crop[:, :1] + either * resize).clamp(_SMALLEST, 1.0)  # (pairs, 3)
    starts = [_moved(crop[:, :1], scale, crop[:, end : end + 1], either * move) for end in (1, 2)]  # (pairs, 3, 3)
    down, across = (fine.sampling(scale[..., None].expand_as(start), start) for start in starts)
    pairs, side = len(crop), fine.side
    rows = torch.bmm(down.reshape(pairs, 9 * side, -1), references).view(pairs * 3, 3 * side, -1)
    both = torch.bmm(rows, across.reshape(pairs * 3, 3 * side, -1).transpose(1, 2))
    both = both.view(pairs, 3, 3, side, 3, side).transpose(3, 4).reshape(pairs, 27, side, side)
    similarity, number = torch.bmm(fine.project(both), flips).amax(2).max(1)
    every, size, top, left = torch.arange(pairs), number // 9, number // 3 % 3, number % 3
    best = torch.stack([scale[every, size], starts[0][every, size, top], starts[1][every, size, left]], 1)
    return similarity, best


def _moved(before: Tensor, scale: Tensor, start: Tensor, moves: Tensor) -> Tensor:
    """Where crops of new sizes begin: about the old centre, moved by shares of the old size, inside the image."""
    import torch

    centred = start + (before - scale) / 2
    moved = (centred[..., None] + moves * before[..., None]).clamp(min=0)
    return torch.minimum(moved, (1 - scale)[..., None])
