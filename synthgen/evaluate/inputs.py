"""What learners read, by row, on disk: frozen features, computed once an image, or pixels brought to one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen import features, photographs
from synthgen.evaluate.roll import Item
from synthgen.evaluate.threads import one_thread
from synthgen.features import Backbone
from synthgen.features.backbones import GABOR

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

Progress = Callable[[int, int], None]


def cache() -> Path:
    """The folder that features are kept in, in the user's cache folder: studies share them."""
    from platformdirs import user_cache_path

    return user_cache_path("synthgen") / "features"


def write_features(items: Sequence[Item], backbone: Backbone, path: Path, progress: Progress | None = None) -> None:
    """Write the features of every row: float32, shape (rows, dim)."""
    import numpy as np

    with one_thread() if backbone.name == GABOR else nullcontext():
        rows = features.extract(items, backbone, cache(), progress)
    with path.open("wb") as file:
        np.save(file, rows, allow_pickle=False)


def write_pixels(items: Sequence[Item], side: int, path: Path, progress: Progress | None = None) -> None:
    """Write the pixels of every row, the middle square brought to one size: uint8, shape (rows, side, side, 3)."""
    import numpy as np

    shape = len(items), side, side, 3
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for number, (_, read) in enumerate(items):
        rows[number] = photographs.fit(read(), side, side, "crop")
        if progress:
            progress(number + 1, len(items))
    rows.flush()
