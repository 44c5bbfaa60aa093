"""What classifiers are trained on, by row, on disk: frozen features, or pixels brought to one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from synthgen.evaluate.images.examples import Example
from synthgen.vision.features import Backbone, user_cache
from synthgen.vision.images import untrusted

Progress = Callable[[int, int], None]


def write_features(
    examples: Sequence[Example], backbone: Backbone, path: Path, progress: Progress | None = None
) -> None:
    """Write the features of every row: float32, shape (rows, dim)."""
    import numpy as np

    rows = user_cache.describe(examples, backbone, progress)
    with path.open("wb") as file:
        np.save(file, rows, allow_pickle=False)


def write_pixels(examples: Sequence[Example], side: int, path: Path, progress: Progress | None = None) -> None:
    """Write the pixels of every row, the middle square brought to one size: uint8, shape (rows, side, side, 3)."""
    import numpy as np

    shape = len(examples), side, side, 3
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for number, example in enumerate(examples):
        rows[number] = untrusted.fit(example.read(), side, side, "crop")
        if progress:
            progress(number + 1, len(examples))
    rows.flush()
