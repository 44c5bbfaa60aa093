"""The near-duplicates among a study's images, found before training, so that none tests what it has shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.core import atomic
from synthgen.core.processes import one_thread
from synthgen.evaluate.design.trials import SyntheticImage, digest
from synthgen.evaluate.note import Note
from synthgen.plan.real_index import Index
from synthgen.runs.stored_images import ImageReader
from synthgen.vision import near_duplicates
from synthgen.vision.images import untrusted

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels, Rows

FILE = "near-copies.json"
Progress = Callable[[int, int], None]
Read = Callable[[], "Pixels"]
_SIDE = 64
_HELD, _COMPARED = 64, 1024  # images whose pixels are in memory at a time, and signatures that are compared


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """The images of a study that look like others of it.

    Attributes:
        threshold: The similarity from which on an image counted.
        of_held: The record keys of synthetic images that look like a validation or test image.
        of_training: How many files of synthetic images look like a real training image that they are not made from.
        real: How many real training images look like a validation or test image.
        training: The ids of these training images, by the record key of a synthetic one; empty in what an earlier
            version found.
    """

    threshold: float
    of_held: frozenset[str]
    of_training: int
    real: int
    training: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def marked(self, images: Iterable[SyntheticImage]) -> tuple[SyntheticImage, ...]:
        """The same synthetic images, each with the training images that it looks like."""
        return tuple(
            replace(one, looks_like=frozenset(self.training[one.record_key]))
            if one.record_key in self.training
            else one
            for one in images
        )

    def notes(self) -> Iterator[Note]:
        """The notes on them."""
        yield Note(
            f"Near-copies (similarity of at least {self.threshold:g}) were looked for before training: "
            f"{len(self.of_held)} synthetic images look like a validation or test image and train nothing; "
            f"{self.of_training} look like a real training image."
        )
        if self.of_training:
            yield Note(
                f"{self.of_training} synthetic images look like a real training image that they are not made from, as "
                "where a generator repeats what it learned from; each counts as made from that one, so with "
                "source_pool: n it trains only trials that have it, and with source_pool: all what a trial gains may "
                "be that real image.",
                serious=True,
            )
        if self.real:
            yield Note(
                f"{self.real} real training images look like a validation or test image; every arm has them alike, so "
                "accuracies may be too high, and differences between arms too small."
            )


def find_near_duplicates(
    index: Index,
    images: Sequence[SyntheticImage],
    pictures: ImageReader,
    out: Path,
    *,
    threshold: float | None = None,
    progress: Progress | None = None,
) -> NearDuplicates:
    """The synthetic images that look like real ones, and the real training images that look like those held out.

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
    found = _kept(out / FILE, known, images)
    if found is not None:
        return found
    files = tuple({one.sha256: one for one in images}.values())  # each once: several images may be one file
    reads = [partial(pictures.real, source) for source in (*held, *training)]
    reads += [partial(pictures.synthetic, image.record_key) for image in files]
    counter = _Counter(len(reads) + len(training) + 2 * len(files), progress)  # read each, and compare
    with one_thread():  # many small products: quicker so, and the same whatever else runs
        signed = _signatures(reads, counter)
        parts = np.split(signed, [len(held), len(held) + len(training)])
        found = _compare(parts, files, [source.id for source in training], limit, counter)
    alike = {one.sha256 for one in files if one.record_key in found.of_held}
    alike_images = [one for one in images if one.sha256 in alike]
    same = {one.sha256: found.training[one.record_key] for one in files if one.record_key in found.training}
    found = replace(
        found,
        of_held=frozenset(one.record_key for one in alike_images),
        training={one.record_key: same[one.sha256] for one in images if one.sha256 in same},
    )
    keys = sorted({one.key for one in alike_images})
    by_key = {one.key: same[one.sha256] for one in images if one.sha256 in same}
    text = json.dumps({"digest": known, **asdict(found), "of_held": keys, "training": by_key}, indent=1)
    atomic.write(out / FILE, text.encode())
    return found


class _Counter:
    """Progress towards a known total, told as it is made."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


def _compare(
    parts: Sequence[Floats], images: Sequence[SyntheticImage], training: Sequence[str], limit: float, counter: _Counter
) -> NearDuplicates:
    """The near-duplicates by signatures: of images held out, real training images and synthetic ones, in this order."""
    import numpy as np

    held_out, known, made = parts

    def alike(queries: Floats, references: Floats, own: Rows | None = None) -> Rows:
        """The row of the reference that each query looks like, itself left out; -1 for none."""
        found, ready = [np.empty(0, np.int64)], near_duplicates.References(references)
        for start in range(0, len(queries), _COMPARED):
            part = slice(start, start + _COMPARED)
            nearest = ready.nearest(queries[part], exclude=None if own is None else own[part])
            found.append(np.where(nearest.similarity >= limit, nearest.index, -1))
            counter.add(len(nearest.index))
        return np.concatenate(found)

    places = {name: place for place, name in enumerate(training)}
    own = np.array([places.get(image.source_id, -1) for image in images], np.int64)
    keys = frozenset(images[int(row)].record_key for row in np.flatnonzero(alike(made, held_out) >= 0))
    shown = alike(made, known, own)
    like = {images[int(row)].record_key: (training[int(shown[row])],) for row in np.flatnonzero(shown >= 0)}
    return NearDuplicates(limit, keys, len(like), int((alike(known, held_out) >= 0).sum()), like)


def _signatures(reads: Sequence[Read], counter: _Counter) -> Floats:
    """The signatures of images, shape (n, ...)."""
    import numpy as np

    found = []
    for batch in _batches(reads):
        found.append(near_duplicates.signatures(batch))
        counter.add(len(batch))
    return np.concatenate(found)


def _kept(path: Path, known: str, images: Iterable[SyntheticImage]) -> NearDuplicates | None:
    """The near-duplicates that an earlier search kept of the same images; ``None`` where there was none."""
    try:
        said = json.loads(path.read_bytes())
        if said.pop("digest") == known:
            record_keys = {image.key: image.record_key for image in images}
            training = {record_keys[key]: tuple(ids) for key, ids in said.get("training", {}).items()}
            of_held = frozenset(record_keys[key] for key in said["of_held"])
            return NearDuplicates(**said | {"of_held": of_held, "training": training})
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _batches(reads: Sequence[Read]) -> Iterator[Pixels]:
    """Pixels in batches, the middle square brought to one size: uint8, shape (n, 64, 64, 3)."""
    import numpy as np

    for start in range(0, len(reads), _HELD):
        pixels = (read() for read in reads[start : start + _HELD])
        yield np.stack([untrusted.fit(one, _SIDE, _SIDE, "crop") for one in pixels])
