"""Whether classifiers trained on real images alone see the label that was asked for, as in Akrout et al. 2023.

Not scikit-learn's ``LogisticRegression``: the probe is the one that the study trains, so the two can be compared.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from synthgen.curate.scorers import Batch, Context, Scorer, Scores, digest
from synthgen.errors import UnavailableError
from synthgen.plan import real_pools
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.plan.real_index import Source
from synthgen.vision import features

if TYPE_CHECKING:
    import numpy as np

    from synthgen.core.types import Floats

COLUMNS = {
    "probability": "of the label that was asked for, the mean over the ensemble",
    "margin": "by how much it is above the most probable other label",
    "agree": "the share of the ensemble that names the label",
}
TEXTS = {"label": "the label that the ensemble names"}
_BATCH_SIZE = 64


class Settings(ScorerSettings):
    """The ensemble: linear probes on a backbone's features, each trained on its own share of the real pool.

    ``n`` and ``draw`` limit the pool to the draw that a generator or a classifier of the study sees; ``n`` left out
    takes the whole training split.
    """

    learns_labels: ClassVar[bool] = True

    backbone: str = "gabor"
    revision: str | None = None
    members: int = Field(default=5, ge=1, le=50)
    optimizer_steps: int = Field(default=300, ge=1, le=100_000)
    n: int | None = Field(default=None, ge=1)
    draw: int = Field(default=0, ge=0)


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """The ensemble is trained when it is loaded: on training images, its L2 strength chosen on validation ones.

    Raises:
        UnavailableError: The real images lack a label in training or validation.
    """
    pool = context.split("train")
    if settings.n is not None:
        drawn = set(real_pools.draw(pool, context.labels, context.seed, settings.draw).first(settings.n))
        pool = tuple(source for source in pool if source.id in drawn)
    held_out = context.split("validation")
    for name, sources in (("training", pool), ("validation", held_out)):
        if missing := sorted(set(context.labels) - {source.label for source in sources}):
            raise UnavailableError(
                f"curate.scorers.agreement: no real {name} image of {', '.join(missing)}; give some under `real:`, or "
                "take the scorer out"
            )
    backbone = context.backbone(settings.backbone, settings.revision)
    facts = {
        "method": "probe-ensemble-1",
        "backbone": backbone.digest,
        "pool": digest(pool),
        "validation": digest(held_out),
        "labels": list(context.labels),
        "seed": str(context.seed),
    }

    return Scorer(facts, lambda: _Ensemble(settings, context, backbone, pool, held_out).score)


class _Ensemble:
    """Probes that are trained once, and what they answer for every image of the run."""

    def __init__(
        self,
        settings: Settings,
        context: Context,
        backbone: features.Backbone,
        pool: tuple[Source, ...],
        held_out: tuple[Source, ...],
    ) -> None:
        self._settings, self._context, self._backbone = settings, context, backbone
        real = [(source.sha256, partial(context.read, source)) for source in (*pool, *held_out)]
        made, keys = [], list[str]()
        for batch in context.batches():
            keys += [record.key for record in batch.records]
            made.append(context.features(backbone, batch))
        classes = [context.labels.index(source.label) for source in (*pool, *held_out)]
        rows = features.extract(real, backbone, context.cache)
        self._found = dict(zip(keys, self._predict(rows, made, classes, len(pool)), strict=True))

    def score(self, batch: Batch) -> Scores:
        """The columns of a batch."""
        import numpy as np

        labels = self._context.labels
        found = np.stack([self._found[record.key] for record in batch.records], 1)
        asked = np.array([labels.index(record.label) for record in batch.records])
        mean, every = found.mean(0), np.arange(len(asked))
        rest = mean.copy()
        rest[every, asked] = -1
        return {
            "probability": mean[every, asked],
            "margin": mean[every, asked] - rest.max(1),
            "agree": (found.argmax(2) == asked).mean(0),
            "label": [labels[place] for place in mean.argmax(1)],
        }

    def _predict(self, real: Floats, made: list[Floats], known: list[int], pool: int) -> Any:
        """Probabilities by image made, member and label."""
        import numpy as np

        from synthgen.vision.classifiers import ProbeSettings, batches, probe

        rows = np.concatenate([real, *made])
        classes = np.zeros(len(rows), np.int64)
        classes[: len(known)] = known
        training, none = np.arange(pool), np.empty(0, np.int64)
        validation, test = np.arange(pool, len(real)), np.arange(len(real), len(rows))
        steps, found = self._settings.optimizer_steps, []
        for member in range(self._settings.members):
            rng = np.random.default_rng([self._context.seed, member])
            share = _bootstrap(rng, training, classes) if self._settings.members > 1 else training
            drawn = batches(rng, share, none, classes, batch_size=_BATCH_SIZE, mix="union", steps=steps)
            settings = ProbeSettings(optimizer_steps=steps)
            count = len(self._context.labels)
            learned = probe(rows, classes, drawn, validation=validation, test=test, settings=settings, classes=count)
            found.append(learned.test)
        return np.stack(found, 1)


def _bootstrap(rng: np.random.Generator, rows: Any, classes: Any) -> Any:
    """A bootstrap sample of each class (Breiman 1996), so that members differ."""
    import numpy as np

    return np.concatenate(
        [rng.choice(rows[classes[rows] == label], int((classes[rows] == label).sum())) for label in np.unique(classes)]
    )
