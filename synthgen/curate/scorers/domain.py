"""How far an image lies from the real ones in features: what is no skin lies far out; no labels are needed.

Not ``sklearn.neighbors`` or faiss: some thousand real images are one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from synthgen.curate.scorers import Batch, Context, Scorer, Scores, digest
from synthgen.errors import UnavailableError
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.vision import features

if TYPE_CHECKING:
    from synthgen.core.types import Floats

COLUMNS = {"distance": "to the k-th nearest real image; 1 is what 99 of 100 real images keep within among themselves"}
TEXTS: dict[str, str] = {}
_LEAST = 30


class Settings(ScorerSettings):
    """The backbone of the features, and which neighbour counts (Sun et al. 2022: deep nearest neighbours)."""

    backbone: str = "gabor"
    revision: str | None = None
    neighbour: int = Field(default=3, ge=1, le=100)


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """The features of the training split's real images are made, or read from the cache, when it is loaded.

    Raises:
        UnavailableError: There are too few real images.
    """
    sources = context.split("train")
    if len(sources) < max(_LEAST, 2 * settings.neighbour):
        raise UnavailableError(
            f"curate.scorers.domain: {len(sources)} real training images; it needs {_LEAST}, given under `real:`"
        )
    backbone = context.backbone(settings.backbone, settings.revision)
    facts = {"method": "nearest-real-1", "backbone": backbone.digest, "real_images": digest(sources)}

    def load() -> Any:
        items = [(source.sha256, partial(context.read, source)) for source in sources]
        return _Domain(
            features.extract(items, backbone, context.cache), partial(context.features, backbone), settings.neighbour
        ).score

    return Scorer(facts, load)


class _Domain:
    """The real images, standardised, and how far they are from each other."""

    def __init__(self, rows: Floats, features_of: Callable[[Batch], Floats], neighbour: int) -> None:
        import numpy as np

        self._features_of, self._neighbour = features_of, neighbour
        self._mean, self._deviation = rows.mean(0), rows.std(0) + 1e-6
        self._rows = self._standardise(rows)
        among = np.concatenate([self._distances(self._rows[at : at + 256]) for at in range(0, len(rows), 256)])
        self._unit = float(np.percentile(np.sort(among, 1)[:, neighbour], 99))  # the nearest of all is itself

    def _standardise(self, rows: Floats) -> Floats:
        import numpy as np

        standard: Floats = ((rows - self._mean) / self._deviation).astype(np.float32)
        return standard

    def _distances(self, rows: Floats) -> Floats:
        """In float32: ``vision.metrics.neighbours`` would give other last digits than the scores that there are."""
        import numpy as np

        squares = (rows**2).sum(1)[:, None] + (self._rows**2).sum(1) - 2 * rows @ self._rows.T
        return np.asarray(np.sqrt(np.maximum(squares, 0)))

    def score(self, batch: Batch) -> Scores:
        """The column of a batch."""
        import numpy as np

        found = np.sort(self._distances(self._standardise(self._features_of(batch))), 1)
        return {"distance": found[:, self._neighbour - 1] / self._unit}
