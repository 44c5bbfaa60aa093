"""What the tests of scorers share: phantoms as batches, and as real images."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.curate.scorers import Batch, Context, module
from synthgen.phantom.render import Phantoms
from synthgen.plan import Plan
from synthgen.plan.real_index import Source
from synthgen.plan.sample import Record, record

LABELS = ("psoriasis", "vitiligo", "healthy")
NAMES = ("I", "II", "III", "IV", "V", "VI")


@pytest.fixture(scope="session")
def batch_of(make_plan: Callable[..., Plan]) -> Callable[..., Batch]:
    """Makes a batch of phantoms, with the records that they would have."""
    first = next(iter(make_plan().entries.values())).sample(0)
    plain: Record = record(first, image_sha256="0" * 64, model_revision="", generator="")

    def batch(drawn: Phantoms, **changes: Any) -> Batch:
        records = [
            replace(plain, key=f"text-{n}", label=label, skin_tone=NAMES[tone - 1], **changes)
            for n, (label, tone) in enumerate(zip(drawn.labels, drawn.tones.tolist(), strict=True))
        ]
        return Batch(tuple(records), drawn.images)

    return batch


@pytest.fixture
def context_of(tmp_path: Path) -> Callable[..., Context]:
    """What a scorer may look at: real phantoms, three quarters of them for training, and the run's batches."""

    def context(real: Phantoms | None = None, batches: Sequence[Batch] = ()) -> Context:
        images = {} if real is None else {f"{n:064x}": image for n, image in enumerate(real.images)}
        splits = ("train", "validation", "train", "train", "test", "train")
        sources = tuple(
            Source(
                f"real-{n}", real.labels[n], int(real.tones[n]), f"g{n}", splits[n // 3 % 6], "", "p", "", sha256=name
            )
            for n, name in enumerate(images)
            if real is not None
        )
        return Context(
            LABELS, "fitzpatrick", 1, sources, lambda one: images[one.sha256], lambda: iter(batches), "run", tmp_path
        )

    return context


@pytest.fixture
def scores() -> Callable[..., dict[str, Any]]:
    """Scores a batch by a scorer's name; columns of numbers come as arrays."""

    def score(name: str, batch: Batch, context: Context, **settings: Any) -> dict[str, Any]:
        held = module(name)
        found = dict(held.open_scorer(held.Settings(**settings), context).load()(batch))
        assert set(found) == {*held.COLUMNS, *held.TEXTS}
        return {key: list(values) if key in held.TEXTS else np.asarray(values) for key, values in found.items()}

    return score
