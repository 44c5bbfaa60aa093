"""Fine alignment of pairs: the flip and the crop of a reference that a query is most like, by halving steps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from synthgen.vision.near_duplicates.spectrum import Spectrum, spectrum

# Crops that an alignment begins from, and the steps it then takes: of the crop's share, and of its place.
_BEGIN = ((1.0, 1), (0.88, 2), (0.76, 3), (0.66, 4))
_STEPS = ((0.06, 0.10), (0.03, 0.05), (0.015, 0.025))
_LEAST, _PAIRS = 0.5, 64


def crops(grid: Sequence[tuple[float, int]]) -> Any:
    """Crops by the share of the side and how many places along each side: scale, top and left, shape (n, 3)."""
    import torch

    found = []
    for scale, count in grid:
        places = [(1 - scale) / 2] if count == 1 else [(1 - scale) * place / (count - 1) for place in range(count)]
        found += [(scale, top, left) for top, left in itertools.product(places, places)]
    return torch.tensor(found)


def align(queries: Any, references: Any, candidates: Any) -> Any:
    """The similarity of each query to each of its candidates, shape (n, candidates); -1 where the row is -1.

    Args:
        queries: Pictures, shape (n, 32, 32).
        references: Pictures, shape (m, 32, 32).
        candidates: Rows of references, shape (n, candidates).
    """
    import torch

    fine, rough, count = spectrum(16, 0.75), spectrum(8, 0.5), candidates.shape[1]
    vectors, roughly = (each.whole(queries).repeat_interleave(count, 0) for each in (fine, rough))
    rows = candidates.flatten()
    found = torch.empty(len(rows))
    for start in range(0, len(rows), _PAIRS):
        part = slice(start, start + _PAIRS)
        pictures = references[rows[part].clamp(min=0)]
        at = _begin(rough, _flips(rough, roughly[part]), pictures)
        flips = _flips(fine, vectors[part])
        for step in _STEPS:
            found[part], at = _step(fine, flips, pictures, at, step)
    return torch.where(rows < 0, -1.0, found).view(-1, count)


def _flips(space: Spectrum, vectors: Any) -> Any:
    """The vectors of each query under the four flips, shape (pairs, kept, 4)."""
    return (vectors[:, None] * space.signs).transpose(1, 2)


def _begin(rough: Spectrum, flips: Any, references: Any) -> Any:
    """Where each alignment begins, shape (pairs, 3): by low frequencies, which forgive a crop that is a little off."""
    grid = crops(_BEGIN)
    down, across = rough.sampling(grid[:, 0], grid[:, 1]), rough.sampling(grid[:, 0], grid[:, 2])
    views = rough.project(down @ references[:, None] @ across.transpose(1, 2))
    return grid[(views @ flips).amax(2).argmax(1)]


def _step(fine: Spectrum, flips: Any, references: Any, at: Any, step: tuple[float, float]) -> tuple[Any, Any]:
    """The best of 27 crops around where each pair is: three sizes about one centre, at three places each way."""
    import torch

    either = torch.tensor([-1.0, 0.0, 1.0])
    resize, move = step
    scale = (at[:, :1] + either * resize).clamp(_LEAST, 1.0)  # (pairs, 3)
    ends = [_moved(at[:, :1], scale, at[:, place : place + 1], either * move) for place in (1, 2)]  # (pairs, 3, 3)
    down, across = (fine.sampling(scale[..., None].expand_as(end), end) for end in ends)
    pairs, side = len(at), fine.side
    rows = torch.bmm(down.reshape(pairs, 9 * side, -1), references).view(pairs * 3, 3 * side, -1)
    both = torch.bmm(rows, across.reshape(pairs * 3, 3 * side, -1).transpose(1, 2))
    both = both.view(pairs, 3, 3, side, 3, side).transpose(3, 4).reshape(pairs, 27, side, side)
    similarity, place = torch.bmm(fine.project(both), flips).amax(2).max(1)
    every, size, top, left = torch.arange(pairs), place // 9, place // 3 % 3, place % 3
    return similarity, torch.stack([scale[every, size], ends[0][every, size, top], ends[1][every, size, left]], 1)


def _moved(before: Any, scale: Any, start: Any, moves: Any) -> Any:
    """Where crops of new sizes begin: about the old centre, moved by shares of the old size, inside the image."""
    import torch

    centred = start + (before - scale) / 2
    moved = (centred[..., None] + moves * before[..., None]).clamp(min=0)
    return torch.minimum(moved, (1 - scale)[..., None])
