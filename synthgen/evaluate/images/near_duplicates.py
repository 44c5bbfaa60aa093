"""Looks for near-copies between a study's images before anything is trained, so that none tests what it has shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.core import atomic
from synthgen.core.processes import one_thread
from synthgen.evaluate.design.trials import Synthetic, digest
from synthgen.plan.manifest.evaluate import UNCURATED
from synthgen.plan.real_index import Index, Source
from synthgen.runs.stored_images import ImageReader
from synthgen.vision import near_duplicates
from synthgen.vision.images import untrusted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Floats, Pixels

FILE = "near-copies.json"
Progress = Callable[[int, int], None]
Read = Callable[[], "Pixels"]
_SIDE = 64
_TOGETHER, _COMPARED = 64, 1024  # images that are held at a time, and compared


@dataclass(frozen=True, slots=True)
class Near:
    """What was found to look like something else.

    Attributes:
        threshold: The similarity from which on an image counted.
        of_held: The keys of synthetic images that look like a validation or test image.
        of_training: How many files of synthetic images look like a real training image.
        real: How many real training images look like a validation or test image.
    """

    threshold: float
    of_held: frozenset[str]
    of_training: int
    real: int

    def notes(self) -> Iterator[str]:
        """What a reader of the report has to know of it, a sentence each."""
        held_out = len({key.removeprefix(UNCURATED) for key in self.of_held})
        yield (
            f"Near-copies (similarity of at least {self.threshold:g}) were looked for before training: "
            f"{held_out} synthetic images look like a validation or test image and train nothing; "
            f"{self.of_training} look like a real training image."
        )
        if self.real:
            yield (
                f"{self.real} real training images look like a validation or test image; every arm has them alike, so "
                "accuracies may be too high, and differences between arms too small."
            )


def find_near_duplicates(
    index: Index,
    images: Sequence[Synthetic],
    pictures: ImageReader,
    out: Path,
    *,
    threshold: float | None = None,
    progress: Progress | None = None,
) -> Near:
    """Compare every synthetic image with the real ones, and every real training image with those held out.

    What was found is kept in ``OUT/near-copies.json``, and read there while the images are the same.

    Args:
        index: The real images of the study's labels.
        images: The synthetic images.
        pictures: What reads pixels.
        out: The report's folder.
        threshold: The similarity from which on an image counts; the detector's own where left out.
        progress: Told how many images have been looked at, and of how many.
    """
    import numpy as np

    held, training = [*index.usable("validation"), *index.usable("test")], index.usable("train")
    limit = near_duplicates.THRESHOLD if threshold is None else threshold
    named = [near_duplicates.VERSION, str(limit), index.digest]
    known = digest(named + [f"{one.key} {one.sha256}" for one in images])
    found = _kept(out / FILE, known)
    if found is not None:
        return found
    files = tuple({one.sha256: one for one in images}.values())  # an image may be one of an uncurated strategy as well
    reads = [*_real((*held, *training), pictures), *_made(files, pictures)]
    steps = _Steps(len(reads) + len(training) + 2 * len(files), progress)  # read each, and compare
    with one_thread():  # many small products: quicker so, and the same whatever else runs
        signed = _signed(reads, steps)
        parts = np.split(signed, [len(held), len(held) + len(training)])
        found = _compared(parts, files, limit, steps)
    alike = {one.sha256 for one in files if one.key in found.of_held}
    found = replace(found, of_held=frozenset(one.key for one in images if one.sha256 in alike))
    text = json.dumps({"digest": known, **asdict(found), "of_held": sorted(found.of_held)}, indent=1)
    atomic.write(out / FILE, text.encode())
    return found


class _Steps:
    """Counts what is done of so much, and tells of it."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


def _compared(parts: Sequence[Floats], images: Sequence[Synthetic], limit: float, steps: _Steps) -> Near:
    """What signatures say: of images held out, of real training images, and of synthetic ones, in this order."""
    import numpy as np

    held_out, known, made = parts

    def alike(queries: Floats, references: Floats) -> npt.NDArray[np.bool_]:
        found, ready = [np.empty(0, np.bool_)], near_duplicates.References(references)
        for start in range(0, len(queries), _COMPARED):
            part = queries[start : start + _COMPARED]
            found.append(ready.nearest(part).similarity >= limit)
            steps.add(len(part))
        return np.concatenate(found)

    keys = frozenset(images[int(row)].key for row in np.flatnonzero(alike(made, held_out)))
    return Near(limit, keys, int(alike(made, known).sum()), int(alike(known, held_out).sum()))


def _signed(reads: Sequence[Read], steps: _Steps) -> Floats:
    """The signatures of images, shape (n, ...)."""
    import numpy as np

    signed = []
    for batch in _batches(reads):
        signed.append(near_duplicates.signatures(batch))
        steps.add(len(batch))
    return np.concatenate(signed)


def _kept(path: Path, known: str) -> Near | None:
    """What an earlier search found of the same images."""
    try:
        said = json.loads(path.read_bytes())
        if said.pop("digest") == known:
            return Near(**said | {"of_held": frozenset(said["of_held"])})
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _real(sources: Iterable[Source], pictures: ImageReader) -> Iterator[Read]:
    return (partial(pictures.real, source) for source in sources)


def _made(images: Iterable[Synthetic], pictures: ImageReader) -> Iterator[Read]:
    return (partial(pictures.synthetic, image.key) for image in images)


def _batches(reads: Sequence[Read]) -> Iterator[Pixels]:
    """Pixels in batches, the middle square brought to one size: uint8, shape (n, 64, 64, 3)."""
    import numpy as np

    for start in range(0, len(reads), _TOGETHER):
        pixels = (read() for read in reads[start : start + _TOGETHER])
        yield np.stack([untrusted.fit(one, _SIDE, _SIDE, "crop") for one in pixels])
