"""The chance that an unrelated image looks as much like a real one: low for a copy, by the skin tone asked for.

Found by registration (:mod:`synthgen.vision.near_duplicates.matching`), so copies that were turned, stretched, pasted
into something larger, or made negative are found as well. ``near_copy`` measures a similarity, and needs a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synthgen.curate.scorers import Batch, Context, Scorer, Scores, digest
from synthgen.plan import skin_tones
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.plan.real_index import Source
from synthgen.vision import near_duplicates
from synthgen.vision.near_duplicates import Calibration

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Rows

COLUMNS = {
    "chance": "that an unrelated image looks as much like a real one of any split but its own source; a copy is near 0",
    "train_chance": "the same of the training split, but its own source",
    "test_chance": "the same of the validation and test splits",
    "similarity": "to that real image, laid over it as well as can be; from 0 or below to 1",
}
TEXTS = {
    "id": "the id of the real image that has the lowest chance",
    "train_id": "the id of that training image",
    "test_id": "the id of that validation or test image",
}


class Settings(ScorerSettings):
    """There are none: what counts as a copy is what the real images themselves show of chance."""


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """The signatures of real images are made, and compared with each other, when it is loaded."""
    facts = {"method": near_duplicates.METHOD, "limit": near_duplicates.CHANCE, "real_images": digest(context.sources)}
    return Scorer(facts, lambda: _Copies(context).score)


class _Copies:
    """Real images of both kinds, and what images that are no copies look like among each."""

    def __init__(self, context: Context) -> None:
        self._groups = {tone: name for name, tones in skin_tones.GROUPS[context.scale].items() for tone in tones}
        self._tones = {name: value for value, name in skin_tones.NAMES[context.scale].items()}
        self._scale = context.scale
        train, test = (_Side(context, context.split(*names)) for names in (("train",), ("validation", "test")))
        groups = [[self._groups.get(one.tone, "") for one in side.sources] for side in (train, test)]
        self._train, self._test = train, test
        # Images of the two splits are of different groups, so what they have of each other is chance.
        self._of_train = Calibration.fit(train.known.match(test.rows), groups[1])
        self._of_test = Calibration.fit(test.known.match(train.rows), groups[0])

    def score(self, batch: Batch) -> Scores:
        """The columns of a batch."""
        import numpy as np

        rows = near_duplicates.signatures(batch.pixels)
        tones = [one.skin_tone if one.skin_tone_scale == self._scale else "" for one in batch.records]
        groups = [self._groups.get(self._tones.get(tone, 0), "") for tone in tones]
        own = np.array([self._train.places.get(one.source_id, -1) for one in batch.records], np.int64)
        train, of_train, train_id = self._train.closest(rows, own, self._of_train, groups)
        test, of_test, test_id = self._test.closest(rows, None, self._of_test, groups)
        nearer = train <= test
        looked = max(1, sum(len(side.sources) > 0 for side in (self._train, self._test)))
        return {
            "chance": np.minimum(
                1.0, looked * np.where(nearer, train, test)
            ),  # Bonferroni: either side may be by chance
            "id": np.where(nearer, train_id, test_id).tolist(),
            "train_chance": train,
            "train_id": train_id,
            "test_chance": test,
            "test_id": test_id,
            "similarity": np.where(nearer, of_train, of_test),
        }


class _Side:
    """The real images of some splits, by their signatures."""

    def __init__(self, context: Context, sources: Sequence[Source]) -> None:
        import numpy as np

        self.sources = sources
        self.places = {source.id: place for place, source in enumerate(sources)}
        rows = [near_duplicates.signatures(context.read(source)[None]) for source in sources]
        self.rows = np.concatenate(rows) if rows else np.empty((0, 1024), np.float32)
        self.known = near_duplicates.Matcher(self.rows)

    def closest(
        self, rows: Floats, exclude: Rows | None, calibration: Calibration, groups: Sequence[str]
    ) -> tuple[Any, Any, list[str]]:
        """Of each image the lowest chance, the similarity that has it, and the id of that real image."""
        import numpy as np

        found = self.known.match(rows, exclude=exclude)
        chances = calibration.chances(found, groups)
        best, every = chances.argmin(1), np.arange(len(rows))
        names = [self.sources[place].id if place >= 0 else "" for place in found.index[every, best].tolist()]
        return chances[every, best], found.similarity[every, best], names
