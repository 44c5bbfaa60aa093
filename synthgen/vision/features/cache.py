"""The features of images, computed once and kept on disk by the image's content hash and the backbone's digest."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.core import atomic
from synthgen.errors import DamagedError, InputError
from synthgen.vision.features.backbones import Backbone
from synthgen.vision.images import untrusted

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels

BATCH = 32  # images computed together; the last batch is filled up, as kernels shift with the shape of a batch
PART = 512  # images a file, and the most that a kill can cost
_log = logging.getLogger(__name__)


def extract(
    items: Sequence[tuple[str, Callable[[], Pixels]]],
    backbone: Backbone,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """The features of images, float32, shape (n, dim): those that are cached, and the others computed and cached.

    A part of the cache is a file that is written whole under the name of what is in it, so a kill costs one part and
    several processes can share a folder. A part that can't be read is computed again.

    Args:
        items: Each image's sha256 in hexadecimal and what gives its pixels, uint8 (height, width, 3), when it is not
            cached. The same sha256 is computed once.
        backbone: What computes.
        cache: A folder, made where it is not there; where it can't be written, nothing is kept.
        progress: Called with how many images are there and how many there are in all.

    Raises:
        InputError: A sha256 is none, or the backbone gives a value that is not finite.
    """
    import numpy as np

    readers = {_checked(sha256): read for sha256, read in items}
    folder = cache / hashlib.sha256(backbone.digest.encode()).hexdigest()[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.sweep(folder)
    except OSError as error:
        _log.info("features are not kept: %s", error)
    known = {name: row for name, row in _cached(folder, backbone.dim) if name in readers}
    todo = [name for name in readers if name not in known]
    _tell(progress, len(known), len(readers))
    for start in range(0, len(todo), PART):
        names = todo[start : start + PART]
        rows = _computed(names, readers, backbone)
        try:
            atomic.write(folder / _part_name(names), _packed(names, rows))
        except OSError as error:
            _log.info("features are not kept: %s", error)
        known |= zip(names, rows, strict=True)
        _tell(progress, len(known), len(readers))
    if not items:
        return np.empty((0, backbone.dim), np.float32)
    return np.stack([known[sha256] for sha256, _ in items])


def _computed(names: list[str], readers: dict[str, Callable[[], Pixels]], backbone: Backbone) -> Floats:
    import numpy as np

    side, parts = backbone.size, []
    for start in range(0, len(names), BATCH):
        chosen = names[start : start + BATCH]
        images = np.stack([untrusted.fit(readers[name](), side, side, "crop") for name in chosen])
        filled = np.concatenate([images, np.repeat(images[-1:], BATCH - len(images), 0)])
        parts.append(backbone(filled)[: len(images)])
    rows = np.concatenate(parts)
    if bad := np.flatnonzero(~np.isfinite(rows).all(1)).tolist():
        raise InputError(
            f"{backbone.name}: values that are not finite for image {names[bad[0]]}; take another backbone"
        )
    return rows


def _cached(folder: Path, dim: int) -> Iterator[tuple[str, Floats]]:
    """Every row of every part; of an image that two processes computed, always the same one."""
    for path in sorted(folder.glob("*.npz"), reverse=True):
        try:
            names, rows = _unpacked(path, dim)
        except DamagedError as error:
            _log.warning("features are computed again: %s: %s", path, error)
            continue
        yield from zip(names, rows, strict=True)


def _packed(names: list[str], rows: Floats) -> bytes:
    import numpy as np

    file = io.BytesIO()
    hashes = np.frombuffer(bytes.fromhex("".join(names)), np.uint8).reshape(len(names), 32)
    np.savez(file, sha256=hashes, features=rows)
    return file.getvalue()


def _unpacked(path: Path, dim: int) -> tuple[list[str], Floats]:
    import zipfile

    import numpy as np

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
            hashes, rows = part["sha256"], part["features"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedError(f"not a whole part: {error}") from None
    if hashes.shape != (len(rows), 32) or rows.shape != (len(rows), dim) or rows.dtype != np.float32:
        raise DamagedError(f"hashes of shape {hashes.shape} beside features of {rows.shape}, {rows.dtype}")
    return [each.tobytes().hex() for each in hashes], rows


def _part_name(names: list[str]) -> str:
    return hashlib.sha256("".join(names).encode()).hexdigest()[:32] + ".npz"


def _checked(sha256: str) -> str:
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise InputError(f"features: `{sha256[:80]}` is no sha256; give 64 digits of 0-9 and a-f")
    return sha256


def _tell(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
