"""The coarse search among very many references: an inverted file by faiss, in place of comparing every pair.

Why faiss (Douze et al. 2024) and not a graph, as of hnswlib or usearch: a reference is here 30 short vectors, one a
crop, so 458,920 of them are 14 million. A graph holds its links beside each of these, and which graph it becomes
depends on the order in which threads insert. An inverted file takes one seeded clustering and one pass, holds a byte a
number, and is the same each time. What it finds goes through the same fine alignment as what the exact search finds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from synthgen.errors import UnavailableError
from synthgen.vision.near_duplicates.crops import CropVectors

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Floats

METHOD = "faiss-ivf-1"
_SEED, _PROBES, _PER_LIST, _MOST_LISTS = 1234, 24, 40, 8192
_FOUND = 128  # of each flip: four references by all their crops, and what does not count


def import_faiss() -> Any:
    """The module faiss.

    Raises:
        UnavailableError: It is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise UnavailableError(
            "near-duplicates among more than 100,000 images are searched by faiss: pip install 'synthgen-images[faiss]'"
        ) from None
    return faiss


class FaissIndex:
    """References as an inverted file over the crops that the exact coarse search compares.

    Args:
        references: Signatures, shape (m, 1024).

    Raises:
        UnavailableError: faiss is not installed.
    """

    def __init__(self, references: Floats) -> None:
        faiss, self._crops = import_faiss(), CropVectors(references)
        faiss.omp_set_num_threads(1)  # the same lists and bits whatever the number of cores
        crops, width = self._crops.count, self._crops.width
        lists = min(_MOST_LISTS, max(1, math.isqrt(crops * len(references))))
        self._lists = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(width), width, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        self._lists.cp.seed, self._lists.nprobe = _SEED, _PROBES
        self._lists.train(self._sample(references, lists * _PER_LIST))
        for start in self._crops.blocks():
            self._lists.add(_reference_by_reference(self._crops.block(start)))

    def candidates(self, queries: Tensor, count: int, exclude: Tensor | None = None) -> Tensor:
        """The rows of ``count`` references that may be nearest, int64, shape (n, count); -1 where there are fewer."""
        import torch

        flipped = self._crops.flipped(queries)
        scores, found = self._lists.search(flipped.numpy(), _FOUND)
        vectors, near = (
            torch.from_numpy(each).view(4, len(queries), -1).transpose(0, 1).flatten(1) for each in (found, scores)
        )
        rows = torch.where(vectors < 0, -1, vectors // self._crops.count)
        near = near.masked_fill(rows < 0, -2.0)
        if exclude is not None:
            near = near.masked_fill(rows == exclude[:, None], -2.0)
        near, rows = _best_of_each_reference(near, rows)
        near, place = near.topk(count, 1)
        return torch.where(near < -1.5, -1, rows.gather(1, place))

    def _sample(self, references: Floats, wanted: int) -> Floats:
        """The crops of references that lie evenly among all, as many as clustering takes."""
        import numpy as np

        number = min(len(references), math.ceil(wanted / self._crops.count))
        chosen = np.linspace(0, len(references) - 1, number).astype(np.int64)
        some = CropVectors(references[chosen])
        return np.concatenate([_reference_by_reference(some.block(start)) for start in some.blocks()])


def _reference_by_reference(block: Tensor) -> Floats:
    """All crops of one reference, then those of the next: shape (block * crops, kept), from (crops, block, kept)."""
    rows: Floats = block.transpose(0, 1).flatten(0, 1).contiguous().numpy()
    return rows


def _best_of_each_reference(near: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The scores and rows of each query, a reference that stands there more than once scoring -2 but for its best.

    By two stable sorts: best score first, then by row, so that equal rows stand together with their best in front::

        rows   4  7  4  2          rows   2  4  4  7
        near  .9 .8 .6 .5    ->    near  .5 .9 -2 .8
    """
    near, order = near.sort(dim=1, descending=True, stable=True)
    rows = rows.gather(1, order)
    rows, order = rows.sort(dim=1, stable=True)
    near = near.gather(1, order)
    near[:, 1:].masked_fill_(rows[:, 1:] == rows[:, :-1], -2.0)
    return near, rows
