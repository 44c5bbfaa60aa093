"""What a strategy gives is what it promised, or its run ends in one line before anything is stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen import generate
from synthgen.core import free_memory
from synthgen.core.devices import DeviceRequest
from synthgen.diffusion.maker import MadeImages
from synthgen.diffusion.strategies import fake
from synthgen.errors import InputError

ALL = np.ones(5, dtype=bool)


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (MadeImages(np.zeros((5, 16, 24, 3), np.uint8), ALL), r"\(5, 16, 24, 3\) uint8.*\(5, 32, 32, 3\)"),
        (MadeImages(np.zeros((5, 32, 32, 3), np.float32), ALL), "float32.*uint8"),
        (MadeImages(np.zeros((4, 32, 32, 3), np.uint8), ALL), r"\(4, 32, 32, 3\)"),
        (MadeImages(np.zeros((5, 32, 32, 3), np.uint8), ALL[:3]), "3 of `finite`"),
        (MadeImages(np.zeros((5, 32, 32, 3), np.uint8), ALL, ("lost",)), "1 of `faults`"),
        (
            MadeImages(np.zeros((5, 32, 32, 3), np.uint8), ALL, extremes=np.zeros((5, 2), np.uint8)),
            r"`extremes` of \(5, 2\)",
        ),
        (np.zeros((5, 32, 32, 3), np.uint8), "ndarray"),
        (None, "NoneType"),
    ],
    ids=["size", "dtype", "count", "finite", "faults", "extremes", "array", "nothing"],
)
def test_what_is_no_image_a_sample_is_refused(
    made: Any,
    named: str,
    make_plan: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The strategy is named, with what it gave; no shard of it is there for `pack` to find."""
    monkeypatch.setattr(fake, "maker", lambda *_: lambda *_, **__: made)
    job = generate.prepare(make_plan(), tmp_path)
    with pytest.raises(InputError, match=f"`fake`.*{named}"):
        list(generate.generate(job, DeviceRequest(batch_size=5)))
    assert not list(tmp_path.rglob("*.tar"))


def test_freed_memory_is_handed_back_after_each_shard(
    make_plan: Any, make_images: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that makes hundreds of shards is no larger at the last than at the first."""
    handed = list[int]()
    monkeypatch.setattr(free_memory, "hand_back", lambda: handed.append(1))
    assert len(make_images(make_plan(), tmp_path / "run")) == len(handed) > 1
