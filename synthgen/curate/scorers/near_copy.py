"""How near an image comes to real ones, to its own source, and to others of the run: similarity and which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synthgen.curate.scorers import Batch, Context, Scorer, Scores, digest
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.plan.real_index import Source
from synthgen.vision import near_duplicates

if TYPE_CHECKING:
    from synthgen.core.types import Floats

COLUMNS = {
    "similarity": "to the nearest real image of any split but its own source; a copy is near 1",
    "train_similarity": "to the nearest of the training split but its own source",
    "test_similarity": "to the nearest of the validation and test splits",
    "source_similarity": "to the real image that it was made from; 0 where there is none",
    "other_similarity": "to the nearest other image of the run; 0 where `others` is false",
}
TEXTS = {
    "id": "the id of the nearest real image",
    "train_id": "the id of the nearest training image",
    "test_id": "the id of the nearest validation or test image",
    "other_key": "the key of the nearest other image of the run",
}


class Settings(ScorerSettings):
    """Whether images are compared with each other too, which takes the time of as many real images."""

    others: bool = True


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """The signatures of real images and, with ``others``, of the whole run are made when it is loaded.

    Raises:
        UnavailableError: There are more images to compare with than are compared exactly, and faiss is not installed.
    """
    facts: dict[str, Any] = {"method": near_duplicates.VERSION, "threshold": near_duplicates.THRESHOLD}
    facts["real_images"] = digest(context.sources)
    facts["search"] = near_duplicates.method(max(len(context.sources), context.images if settings.others else 0))
    if settings.others:
        facts["run"] = context.run_digest
    return Scorer(facts, lambda: _Search(settings, context).score)


class _Search:
    """What images are compared with."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._train = _References(context, context.split("train"))
        self._test = _References(context, context.split("validation", "test"))
        self._keys: list[str] = []
        self._places: dict[str, int] = {}
        self._others = self._references_of_run(context) if settings.others else None

    def _references_of_run(self, context: Context) -> near_duplicates.References:
        import numpy as np

        parts = []
        for batch in context.batches():
            self._keys += [record.key for record in batch.records]
            parts.append(near_duplicates.signatures(batch.pixels))
        self._places = {key: place for place, key in enumerate(self._keys)}
        return near_duplicates.References(np.concatenate(parts) if parts else np.empty((0, 1024), np.float32))

    def score(self, batch: Batch) -> Scores:
        """The columns of a batch."""
        import numpy as np

        rows = near_duplicates.signatures(batch.pixels)
        train, train_id = self._train.nearest(rows, [record.source_id for record in batch.records])
        test, test_id = self._test.nearest(rows, [""] * len(rows))
        nearer = train >= test
        found: dict[str, Any] = {
            "similarity": np.where(nearer, train, test),
            "id": np.where(nearer, train_id, test_id).tolist(),
            "train_similarity": train,
            "train_id": train_id,
            "test_similarity": test,
            "test_id": test_id,
            "source_similarity": self._train.similarity_to(rows, [record.source_id for record in batch.records]),
        }
        return found | self._nearest_other(rows, [record.key for record in batch.records])

    def _nearest_other(self, rows: Floats, keys: Sequence[str]) -> dict[str, Any]:
        import numpy as np

        if self._others is None:
            return {"other_similarity": np.zeros(len(rows)), "other_key": [""] * len(rows)}
        own = np.array([self._places.get(key, -1) for key in keys], np.int64)
        found = self._others.nearest(rows, exclude=own)
        names = [self._keys[place] if place >= 0 else "" for place in found.index]
        return {"other_similarity": found.similarity, "other_key": names}


class _References:
    """Some real images, by their signatures."""

    def __init__(self, context: Context, sources: Sequence[Source]) -> None:
        import numpy as np

        self._ids = [source.id for source in sources]
        self._places = {name: place for place, name in enumerate(self._ids)}
        rows = [near_duplicates.signatures(context.read(source)[None]) for source in sources]
        self._known = near_duplicates.References(np.concatenate(rows) if rows else np.empty((0, 1024), np.float32))

    def nearest(self, rows: Floats, exclude: Sequence[str]) -> tuple[Any, list[str]]:
        import numpy as np

        own = np.array([self._places.get(name, -1) for name in exclude], np.int64)
        found = self._known.nearest(rows, exclude=own)
        return found.similarity, [self._ids[place] if place >= 0 else "" for place in found.index]

    def similarity_to(self, rows: Floats, names: Sequence[str]) -> Any:
        """The similarity to the image of that id, 0 where there is none."""
        import numpy as np

        places = np.array([self._places.get(name, -1) for name in names], np.int64)
        return self._known.similarity(rows, places)
