"""The references that each query is most like, however it lies over them, and how much more it is like the first.

Why not keypoints (SIFT, ORB of OpenCV): skin at this size has few corners, and OpenCV would come with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.core.processes import one_thread
from synthgen.vision.near_duplicates import registration, windows
from synthgen.vision.near_duplicates.signature import SIDE

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Floats, Rows

METHOD = "registration-1"  # part of what scores are kept under: another formula, another number
FOUND = 4  # references that are kept of each query; the last stands for what chance brings
_WIDE = 16  # references that are registered roughly, to find these
_STEPS = (2, 6)
_MAPS = 2  # guesses that each of them is registered from
_QUERIES, _REFERENCES = 128, 512


@dataclass(frozen=True, slots=True)
class Matches:
    """What each query is most like, the likest first.

    Attributes:
        similarity: From -1 to 1, where 1 is a copy; float32, shape (n, 4); 0 where there are fewer references.
        index: The references' rows, int64, shape (n, 4); -1 where there are fewer.
    """

    similarity: Floats
    index: Rows

    @property
    def ratio(self) -> Floats:
        """How far each reference stands out from the fourth, float32, shape (n, 4): 1 for a copy, 0 for the fourth.

        ``(s - s4) / (1 - s4)``, after the ratio test of Lowe (IJCV 2004): what all references have in common, such as a
        dark skin's low contrast, is in both. All are 0 where there are fewer than four references.
        """
        import numpy as np

        last = self.similarity[:, -1:]
        found = (self.similarity - last) / np.maximum(1 - last, 1e-6)
        return np.where(self.index[:, -1:] < 0, 0, found).astype(np.float32)


class Matcher:
    """The images that queries may be made of, prepared once for any number of queries; 23 KB each.

    Args:
        rows: Signatures, shape (m, 1024).
    """

    def __init__(self, rows: Floats) -> None:
        import numpy as np
        import torch

        self.count = len(rows)
        with one_thread():  # the same bits whatever the number of cores
            images = torch.from_numpy(np.ascontiguousarray(rows)).view(-1, SIDE, SIDE)
            starts = range(0, self.count, _REFERENCES)
            parts = [windows.reference_windows(images[start : start + _REFERENCES]) for start in starts]
            self._windows = [torch.cat(kind) for kind in zip(*parts, strict=True)]
            self._sloped = registration.with_slopes(images) if self.count else images

    def match(self, queries: Floats, *, exclude: Rows | None = None) -> Matches:
        """The four references that each query is most like.

        Args:
            queries: Signatures, shape (n, 1024).
            exclude: A reference's row that does not count for that query, -1 for none: itself, shape (n,).
        """
        import numpy as np
        import torch

        similarity = np.zeros((len(queries), FOUND), np.float32)
        index = np.full((len(queries), FOUND), -1, np.int64)
        if not self.count:
            return Matches(similarity, index)
        with one_thread():
            for start in range(0, len(queries), _QUERIES):
                part = slice(start, start + _QUERIES)
                images = torch.from_numpy(np.ascontiguousarray(queries[part])).view(-1, SIDE, SIDE)
                own = None if exclude is None else torch.from_numpy(exclude[part])
                found, rows = self._best(images, own)
                similarity[part, : found.shape[1]], index[part, : rows.shape[1]] = found.numpy(), rows.numpy()
        return Matches(similarity, index)

    def _best(self, queries: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor]:
        """The similarity and rows of the best references of some queries, shape (n, 4) or with fewer columns."""
        kinds = windows.query_windows(queries)
        rough = self._roughly(kinds, own)
        score, rows = rough.topk(min(_WIDE, self.count), 1)
        products = self._products(kinds, rows)
        first = products.topk(1, 2).indices
        guessed = registration.similarities(queries, self._sloped, rows, first, steps=_STEPS[0])
        kept = guessed.masked_fill(score < 0, -2.0).topk(min(FOUND, self.count), 1).indices
        rows, score = rows.gather(1, kept), score.gather(1, kept)
        begin = products.gather(1, kept[..., None].expand(-1, -1, products.shape[2])).topk(_MAPS, 2).indices
        found = registration.similarities(queries, self._sloped, rows, begin, steps=_STEPS[1])
        found, order = found.masked_fill(score < 0, -2.0).sort(dim=1, descending=True, stable=True)
        rows = rows.gather(1, order).masked_fill(found < -1.5, -1)
        return found.masked_fill(found < -1.5, 0.0), rows

    def _roughly(self, kinds: list[Tensor], own: Tensor | None) -> Tensor:
        """The best product of any pair of windows, shape (n, m); -2 for a query's own reference."""
        import torch

        count = len(kinds[0])
        best = torch.zeros((count, self.count))
        for query, reference in zip(kinds, self._windows, strict=True):
            flat = query.flatten(0, 1)
            for start in range(0, self.count, _REFERENCES):
                part = best[:, start : start + _REFERENCES]
                for window in reference[start : start + _REFERENCES].unbind(1):
                    products = (flat @ window.T).abs_().view(count, query.shape[1], -1)
                    torch.maximum(part, products.amax(1), out=part)
        if own is not None:
            best.masked_fill_(torch.arange(self.count) == own[:, None], -2.0)
        return best

    def _products(self, kinds: list[Tensor], rows: Tensor) -> Tensor:
        """The products of all guesses for chosen pairs, in the order of :func:`windows.guesses`, (n, c, guesses)."""
        import torch

        found = [
            torch.einsum("nvk,ncrk->ncvr", query, reference[rows]).flatten(2)
            for query, reference in zip(kinds, self._windows, strict=True)
        ]
        return torch.cat(found, 2).abs_()
