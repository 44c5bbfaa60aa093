"""How alike two images are once one is laid over the other by the best affine map: turned, stretched, moved, enlarged.

Registration by the enhanced correlation coefficient of Evangelidis and Psarakis (IEEE TPAMI 2008), forward additive,
of many pairs at once. ``cv2.findTransformECC`` does the same for one pair a call, and would bring OpenCV with it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from synthgen.vision.near_duplicates.signature import SIDE
from synthgen.vision.near_duplicates.spectrum import spectrum
from synthgen.vision.near_duplicates.windows import guesses

if TYPE_CHECKING:
    from torch import Tensor

_SIDE = 16  # places along a side of a window at which two images are compared
_PAIRS = 512  # registered at once
_DAMPING, _STEP = 1e-3, 0.12  # of a map's six numbers, in half sides
_AREA, _OUTSIDE = (0.6, 1.7), 1.25  # how far a map may move from its guess: the area it covers, and where it ends
_TINY = 1e-6


def with_slopes(images: Tensor) -> Tensor:
    """Images (m, 32, 32) with their slopes across and down, in grey values a half side, shape (m, 3, 32, 32)."""
    import torch
    from torch.nn.functional import pad

    edged = pad(images[:, None], (1, 1, 1, 1), mode="replicate")
    across = (edged[:, :, 1:-1, 2:] - edged[:, :, 1:-1, :-2]) * (SIDE / 4)
    down = (edged[:, :, 2:, 1:-1] - edged[:, :, :-2, 1:-1]) * (SIDE / 4)
    return torch.cat([images[:, None], across, down], 1)


def similarities(queries: Tensor, references: Tensor, rows: Tensor, chosen: Tensor, *, steps: int) -> Tensor:
    """The similarity of each query to some references, shape (n, c): of the best of its maps, from 0 or below to 1.

    Args:
        queries: Signatures as images, shape (n, 32, 32).
        references: :func:`with_slopes` of all references, shape (m, 3, 32, 32).
        rows: The references to compare with, shape (n, c).
        chosen: The guesses that maps begin from, shape (n, c, k).
        steps: How often each map is bettered.
    """
    import torch

    shape = chosen.shape
    query = torch.arange(len(queries))[:, None, None].expand(shape).flatten()
    reference, guess = rows[:, :, None].expand(shape).flatten(), chosen.flatten()
    found = torch.empty(len(guess))
    for start in range(0, len(guess), _PAIRS):
        part = slice(start, start + _PAIRS)
        begin = guesses().reference[guess[part]]
        windows = _sampled(queries[query[part]][:, None], guesses().query[guess[part]])[:, 0]
        found[part] = _registered(windows, references[reference[part]], begin, steps)
    return found.view(shape).amax(2)


def _registered(windows: Tensor, references: Tensor, begin: Tensor, steps: int) -> Tensor:
    """The highest similarity of windows (b, 256) to references (b, 3, 32, 32) on the way from some maps (b, 2, 3)."""
    import torch

    wanted, vectors = _unit(windows), _vectors(windows)
    maps, size, best = begin, _area(begin), torch.full((len(begin),), -1.0)
    for step in range(steps + 1):
        seen = _sampled(references, maps)
        if step == 0:  # a negative is as good
            sign = torch.where((_unit(seen[:, 0]) * wanted).sum(1) < 0, -1.0, 1.0)
            wanted, vectors = wanted * sign[:, None], vectors * sign[:, None]
        similarity, share = (_vectors(seen[:, 0]) * vectors).sum(1), _area(maps) / size
        inside = (maps.abs().sum(2) <= _OUTSIDE).all(1) & (share > _AREA[0]) & (share < _AREA[1])
        best = torch.where(inside | (step == 0), torch.maximum(best, similarity), best)
        if step < steps:
            maps = maps + _better(seen, wanted)
    return best


def _better(seen: Tensor, wanted: Tensor) -> Tensor:
    """The change of maps, shape (b, 2, 3), that brings what is seen (b, 3, 256) nearer to what is wanted (b, 256)."""
    import torch

    image, across, down = seen.unbind(1)
    x, y, _ = _places().unbind(1)
    slopes = torch.stack([across * x, across * y, across, down * x, down * y, down], 2)
    slopes = slopes - slopes.mean(1, keepdim=True)
    image = image - image.mean(1, keepdim=True)
    normal = slopes.transpose(1, 2) @ slopes
    normal = normal + _DAMPING * torch.diag_embed(normal.diagonal(dim1=1, dim2=2) + _TINY)
    both = slopes.transpose(1, 2) @ torch.stack([wanted, image], 2)
    solved = torch.linalg.solve(normal, both)
    of_wanted, of_image = solved.unbind(2)
    explained = both[..., 1] * of_image, both[..., 0] * of_image
    above = (image**2).sum(1) - explained[0].sum(1)
    below = (image * wanted).sum(1) - explained[1].sum(1)
    gain = torch.where(below > _TINY, above / below.clamp(min=_TINY), image.norm(dim=1))
    change: Tensor = (gain[:, None] * of_wanted - of_image).clamp(-_STEP, _STEP).view(-1, 2, 3)
    return change


def _sampled(images: Tensor, maps: Tensor) -> Tensor:
    """Images (b, c, 32, 32) at the places of a square under maps (b, 2, 3), shape (b, c, 256)."""
    from torch.nn.functional import grid_sample

    grid = (_places() @ maps.transpose(1, 2))[:, :, None]
    return grid_sample(images, grid, padding_mode="border", align_corners=False)[..., 0]


@lru_cache(maxsize=1)
def _places() -> Tensor:
    """The places of a square of -1 to 1 as (x, y, 1), shape (256, 3)."""
    import torch

    line = (torch.arange(_SIDE) + 0.5) / _SIDE * 2 - 1
    down, across = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([across.flatten(), down.flatten(), torch.ones(_SIDE**2)], 1)


def _vectors(windows: Tensor) -> Tensor:
    """Unit vectors of windows (b, 256), shape (b, kept)."""
    fine = spectrum(_SIDE, 0.75)
    return fine.project(fine.cosines @ windows.view(-1, _SIDE, _SIDE) @ fine.cosines.T)


def _unit(windows: Tensor) -> Tensor:
    centred = windows - windows.mean(1, keepdim=True)
    unit: Tensor = centred / (centred.norm(dim=1, keepdim=True) + _TINY)
    return unit


def _area(maps: Tensor) -> Tensor:
    return (maps[:, 0, 0] * maps[:, 1, 1] - maps[:, 0, 1] * maps[:, 1, 0]).abs()
