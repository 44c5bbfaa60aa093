"""The nearest reference of each query: a coarse search of every one, and a fine alignment of the best few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.near_copies import alignment
from synthgen.near_copies.signatures import SIDE
from synthgen.near_copies.spectrum import Spectrum, spectrum

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Rows = npt.NDArray[np.int64]

# Crops of the reference that the coarse search looks at: the share of its side, and how many places along each.
_CROPS = ((1.0, 1), (0.88, 2), (0.76, 3), (0.66, 4))
_QUERIES, _REFERENCES = 256, 1024  # compared at a time: what fits a processor's cache
_CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest reference of each query.

    Attributes:
        similarity: From -1 to 1, where 1 is a copy; float32, shape (n,); 0 where there is no reference.
        index: The reference's row, int64, shape (n,); -1 where there is none.
    """

    similarity: Floats
    index: Rows


def nearest(queries: Floats, references: Floats, *, exclude: Rows | None = None) -> Nearest:
    """Find the reference that each query is most like, exactly: every pair is compared, in blocks of a fixed size.

    Args:
        queries: Signatures, shape (n, 1024).
        references: Signatures of what they may be copies of, shape (m, 1024).
        exclude: A reference's row that does not count for that query, -1 for none: itself, shape (n,).
    """
    import numpy as np

    if not len(queries) or not len(references):
        return Nearest(np.zeros(len(queries), np.float32), np.full(len(queries), -1, np.int64))
    with _one_thread():
        return _nearest(queries, references, exclude)


def _nearest(queries: Floats, references: Floats, exclude: Rows | None) -> Nearest:
    import numpy as np
    import torch

    similarity, index = np.zeros(len(queries), np.float32), np.full(len(queries), -1, np.int64)
    grid, held = Crops(references), torch.from_numpy(np.ascontiguousarray(references)).view(-1, SIDE, SIDE)
    for start in range(0, len(queries), _QUERIES):
        part = torch.from_numpy(np.ascontiguousarray(queries[start : start + _QUERIES])).view(-1, SIDE, SIDE)
        own = None if exclude is None else torch.from_numpy(exclude[start : start + _QUERIES])
        candidates = grid.best(part, min(_CANDIDATES, len(references)), own)
        found = alignment.align(part, held, candidates)
        best = found.argmax(1)
        every = torch.arange(len(part))
        stop = start + len(part)
        similarity[start:stop] = found[every, best].numpy()
        index[start:stop] = candidates[every, best].numpy()
    gone = similarity <= -1
    similarity[gone], index[gone] = 0, -1
    return Nearest(similarity, index)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in one thread: the same bits whatever the number of cores, and products this small gain none by more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Crops:
    """References as the coarse search compares them: a few crops of each, at low frequencies.

    Args:
        references: Signatures, shape (m, 1024).
    """

    def __init__(self, references: Floats) -> None:
        self._references, self._spectrum = references, coarse()

    def best(self, queries: Any, count: int, exclude: Any = None) -> Any:
        """The rows of so many references that may be nearest, int64, shape (n, count), the likeliest first."""
        import torch

        scores = torch.full((len(queries), count), -2.0)
        rows = torch.full((len(queries), count), -1)
        vectors = self._spectrum.whole(queries)
        flipped = (vectors * self._spectrum.signs[:, None]).flatten(0, 1)
        for start in range(0, len(self._references), _REFERENCES):
            views = self._views(start)
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

    def _views(self, start: int) -> Any:
        """Unit vectors of each crop of a block of references, shape (crops, block, kept)."""
        import numpy as np
        import torch

        block = np.ascontiguousarray(self._references[start : start + _REFERENCES])
        pictures = torch.from_numpy(block).view(-1, SIDE, SIDE)
        down, across = sampled()
        return torch.stack(
            [self._spectrum.project(one @ pictures @ other.T) for one, other in zip(down, across, strict=True)]
        )


def coarse() -> Spectrum:
    """The spectrum of the coarse search."""
    return spectrum(8, 0.5)


def sampled() -> tuple[Any, Any]:
    """The sampling of rows and of columns of each crop of the coarse search, shape (crops, 8, 32) each."""
    crops = alignment.crops(_CROPS)
    return tuple(coarse().sampling(crops[:, 0], crops[:, place]) for place in (1, 2))
