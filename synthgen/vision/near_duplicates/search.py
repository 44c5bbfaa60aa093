"""The nearest reference of each query: a coarse search of all, and a fine alignment of the best few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.core.processes import one_thread
from synthgen.vision.near_duplicates import alignment
from synthgen.vision.near_duplicates.crops import Crops
from synthgen.vision.near_duplicates.faiss_index import Index
from synthgen.vision.near_duplicates.signature import SIDE

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Rows

EXACT = 100_000  # references up to which every pair is compared
_QUERIES = 256  # compared at a time
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


class References:
    """What queries may be copies of, made ready once: compared exactly up to :data:`EXACT`, by an index above.

    Args:
        rows: Signatures, shape (m, 1024).

    Raises:
        UnavailableError: There are more, and faiss is not installed.
    """

    def __init__(self, rows: Floats) -> None:
        self.rows = rows
        with one_thread():  # the same bits whatever the number of cores; products this small gain none by more
            self._coarse = Index(rows) if len(rows) > EXACT else Crops(rows)

    def nearest(self, queries: Floats, *, exclude: Rows | None = None) -> Nearest:
        """Find the reference that each query is most like.

        Args:
            queries: Signatures, shape (n, 1024).
            exclude: A reference's row that does not count for that query, -1 for none: itself, shape (n,).
        """
        import numpy as np

        if not len(queries) or not len(self.rows):
            return Nearest(np.zeros(len(queries), np.float32), np.full(len(queries), -1, np.int64))
        with one_thread():
            return self._nearest(queries, exclude)

    def _nearest(self, queries: Floats, exclude: Rows | None) -> Nearest:
        import numpy as np
        import torch

        similarity, index = np.zeros(len(queries), np.float32), np.full(len(queries), -1, np.int64)
        held = torch.from_numpy(np.ascontiguousarray(self.rows)).view(-1, SIDE, SIDE)
        for start in range(0, len(queries), _QUERIES):
            part = torch.from_numpy(np.ascontiguousarray(queries[start : start + _QUERIES])).view(-1, SIDE, SIDE)
            own = None if exclude is None else torch.from_numpy(exclude[start : start + _QUERIES])
            candidates = self._coarse.best(part, min(_CANDIDATES, len(self.rows)), own)
            found = alignment.align(part, held, candidates)
            best = found.argmax(1)
            every = torch.arange(len(part))
            stop = start + len(part)
            similarity[start:stop] = found[every, best].numpy()
            index[start:stop] = candidates[every, best].numpy()
        gone = similarity <= -1
        similarity[gone], index[gone] = 0, -1
        return Nearest(similarity, index)


def nearest(queries: Floats, references: Floats, *, exclude: Rows | None = None) -> Nearest:
    """Find the reference that each query is most like, once; :class:`References` keeps them for more queries.

    Args:
        queries: Signatures, shape (n, 1024).
        references: Signatures of what they may be copies of, shape (m, 1024).
        exclude: A reference's row that does not count for that query, -1 for none: itself, shape (n,).

    Raises:
        UnavailableError: There are more than :data:`EXACT` references, and faiss is not installed.
    """
    return References(references).nearest(queries, exclude=exclude)


def method(references: int) -> str:
    """What a search among so many is called in the facts of scores.

    Raises:
        UnavailableError: There are more than :data:`EXACT`, and faiss is not installed.
    """
    from synthgen.vision.near_duplicates import faiss_index

    return "exact" if references <= EXACT else f"{faiss_index.METHOD}-{faiss_index.demand().__version__}"
