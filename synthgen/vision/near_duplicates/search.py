"""The nearest reference of each query, by a coarse search of all and a fine alignment of the best four."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.core.processes import one_thread
from synthgen.vision.near_duplicates import alignment
from synthgen.vision.near_duplicates.crops import REFERENCES_AT_ONCE, CropVectors
from synthgen.vision.near_duplicates.faiss_index import FaissIndex
from synthgen.vision.near_duplicates.signature import SIDE

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Rows

EXACT = 100_000  # references up to which every pair is compared
QUERIES_AT_ONCE = 256
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
    """The images that queries may be copies of, prepared once for any number of queries.

    Up to ``exact`` of them every pair is compared; more are searched by faiss.

    Args:
        rows: Signatures, shape (m, 1024).
        exact: References up to which every pair is compared; :data:`EXACT` where left out.
        at_once: References compared at a time.

    Raises:
        UnavailableError: There are more than ``exact``, and faiss is not installed.
    """

    def __init__(self, rows: Floats, *, exact: int | None = None, at_once: int = REFERENCES_AT_ONCE) -> None:
        self.rows = rows
        with one_thread():  # the same bits whatever the number of cores; products this small gain none by more
            few = len(rows) <= (EXACT if exact is None else exact)
            self._coarse = CropVectors(rows, at_once) if few else FaissIndex(rows)

    def nearest(self, queries: Floats, *, exclude: Rows | None = None, at_once: int = QUERIES_AT_ONCE) -> Nearest:
        """The reference that each query is most like, and how alike they are.

        Args:
            queries: Signatures, shape (n, 1024).
            exclude: A reference's row that does not count for that query, -1 for none: itself, shape (n,).
            at_once: Queries compared at a time.
        """
        import numpy as np

        if not len(queries) or not len(self.rows):
            return Nearest(np.zeros(len(queries), np.float32), np.full(len(queries), -1, np.int64))
        with one_thread():
            return self._nearest(queries, exclude, at_once)

    def similarity(self, queries: Floats, rows: Rows) -> Floats:
        """How alike each query is to the reference of one row, float32, shape (n,); 0 where that is -1.

        Args:
            queries: Signatures, shape (n, 1024).
            rows: The reference's row of each query, -1 for none, shape (n,).
        """
        import numpy as np
        import torch

        found, known = np.zeros(len(queries), np.float32), np.flatnonzero(rows >= 0)
        if len(known):
            with one_thread():
                images, held = (
                    torch.from_numpy(np.ascontiguousarray(each)).view(-1, SIDE, SIDE)
                    for each in (queries[known], self.rows[rows[known]])
                )
                pairs = torch.arange(len(known))[:, None]
                found[known] = alignment.align(images, held, pairs)[:, 0].numpy()
        return found

    def _nearest(self, queries: Floats, exclude: Rows | None, at_once: int) -> Nearest:
        import numpy as np
        import torch

        similarity, index = np.zeros(len(queries), np.float32), np.full(len(queries), -1, np.int64)
        held = torch.from_numpy(np.ascontiguousarray(self.rows)).view(-1, SIDE, SIDE)
        for start in range(0, len(queries), at_once):
            part = torch.from_numpy(np.ascontiguousarray(queries[start : start + at_once])).view(-1, SIDE, SIDE)
            own = None if exclude is None else torch.from_numpy(exclude[start : start + at_once])
            candidates = self._coarse.candidates(part, min(_CANDIDATES, len(self.rows)), own)
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
    """The reference that each query is most like; :class:`References` keeps references for more queries.

    Args:
        queries: Signatures, shape (n, 1024).
        references: Signatures of what they may be copies of, shape (m, 1024).
        exclude: A reference's row that does not count for that query, -1 for none: itself, shape (n,).

    Raises:
        UnavailableError: There are more than :data:`EXACT` references, and faiss is not installed.
    """
    return References(references).nearest(queries, exclude=exclude)


def method(references: int) -> str:
    """The name of the search among so many references, ``exact`` or faiss's with its version, for the facts of scores.

    Raises:
        UnavailableError: There are more than :data:`EXACT`, and faiss is not installed.
    """
    from synthgen.vision.near_duplicates import faiss_index

    return "exact" if references <= EXACT else f"{faiss_index.METHOD}-{faiss_index.import_faiss().__version__}"
