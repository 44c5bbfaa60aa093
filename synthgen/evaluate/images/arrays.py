"""What classifiers are trained on, by row, on disk: frozen features, or pixels brought to one size."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from synthgen.core import atomic
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
    with atomic.naming(path), path.open("wb") as file:
        np.save(file, rows, allow_pickle=False)


def write_pixels(examples: Sequence[Example], side: int, path: Path, progress: Progress | None = None) -> None:
    """Write the pixels of every row, the middle square brought to one size: uint8, shape (rows, side, side, 3)."""
    import numpy as np

    shape = len(examples), side, side, 3
    with atomic.naming(path):
        rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        _reserve(path)
    for number, example in enumerate(examples):
        rows[number] = untrusted.fit(example.read(), side, side, "crop")
        if progress:
            progress(number + 1, len(examples))
    rows.flush()


def _reserve(path: Path) -> None:
    """Have room on disk for all of a file: one that is mapped and has none kills the process by a signal."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
