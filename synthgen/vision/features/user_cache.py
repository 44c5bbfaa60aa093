"""The features of images from the user's cache folder, which every verb shares: an image is described once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from synthgen.core.processes import one_thread
from synthgen.vision.features.backbones import GABOR, Backbone
from synthgen.vision.features.cache import extract

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Pixels


def folder() -> Path:
    """The folder that features are kept in."""
    from platformdirs import user_cache_path

    return user_cache_path("synthgen") / "features"


def describe(
    items: Sequence[tuple[str, Callable[[], Pixels]]],
    backbone: Backbone,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """The features of images, as :func:`~synthgen.vision.features.cache.extract` gives them, from the user's cache."""
    try:
        kept = folder()
    except RuntimeError:  # nobody's home
        with TemporaryDirectory() as scratch:
            return _described(items, backbone, Path(scratch), progress)
    return _described(items, backbone, kept, progress)


def _described(
    items: Sequence[tuple[str, Callable[[], Pixels]]],
    backbone: Backbone,
    kept: Path,
    progress: Callable[[int, int], None] | None,
) -> npt.NDArray[np.float32]:
    with one_thread() if backbone.name == GABOR else nullcontext():
        return extract(items, backbone, kept, progress)
