"""Brightness and a number drawn from the seed: for tests."""

from collections.abc import Mapping

from synthgen.curate.scorers import Batch, Context, Scorer, Scores
from synthgen.plan.manifest.settings import ScorerSettings

COLUMNS = {"brightness": "the mean of all values, 0 to 255", "chance": "from 0 to 1, drawn from the image's seed"}
TEXTS: Mapping[str, str] = {}


class Settings(ScorerSettings):
    """What is added to the brightness."""

    offset: float = 0.0


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """The scorer; nothing is loaded for it."""

    def score(batch: Batch) -> Scores:
        return {
            "brightness": batch.pixels.mean((1, 2, 3)) + settings.offset,
            "chance": [record.seed % 1000 / 1000 for record in batch.records],
        }

    return Scorer({"method": "fake-1"}, lambda: score)
