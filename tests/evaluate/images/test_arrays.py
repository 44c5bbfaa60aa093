"""Arrays that classifiers are trained on lie on disk, or say that they do not fit there."""

import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synthgen.evaluate.images import arrays


def test_pixels_that_do_not_fit_say_so(tmp_path: Path) -> None:
    """In place of a signal that kills the process once it writes to memory behind which there is no disk."""
    photograph = np.full((20, 20, 3), 7, np.uint8)
    examples: list[Any] = [SimpleNamespace(read=lambda: photograph)] * 3
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large.*pixels\.npy"):
            arrays.write_pixels(examples, 16, tmp_path / "pixels.npy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    arrays.write_pixels(examples, 16, tmp_path / "pixels.npy")
    assert np.load(tmp_path / "pixels.npy").shape == (3, 16, 16, 3)
