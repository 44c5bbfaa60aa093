"""The near-duplicates among a study's images, found before training, so that none tests what it has shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core import atomic
from synthgen.core.processes import one_thread
from synthgen.evaluate.design.trials import SyntheticImage, digest
from synthgen.evaluate.images import compare
from synthgen.evaluate.note import Note
from synthgen.plan import skin_tones
from synthgen.plan.real_index import Index
from synthgen.runs.stored_images import ImageReader
from synthgen.vision import near_duplicates
from synthgen.vision.images import untrusted

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels

FILE = "near-copies.json"
Progress = Callable[[int, int], None]
Read = Callable[[], "Pixels"]
_SIDE = 64
_HELD = 64  # images whose pixels are in memory at a time
_MANY = 0.05  # of real training images; where as many look like those held out, something is wrong


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """The images of a study that look like others of it.

    Attributes:
        threshold: The similarity from which on an image counted; 0 where chance decided.
        of_held: The record keys of synthetic images that look like a validation or test image.
        of_training: How many files of synthetic images look like a real training image that they are not made from.
        real: How many real training images look like a validation or test image.
        training: The ids of these training images, by the record key of a synthetic one; empty in what an earlier
            version found.
        real_ids: The ids of real training images that look like a validation or test image; empty in what an earlier
            version found.
        chance: How often an unrelated real image of the same skin tone looks as much alike, at the most; 0 where a
            similarity decided.
        shares: Of the synthetic images of each label and each group of skin tones, how many look like a validation or
            test image and how many there are; likewise of real training images.
    """

    threshold: float
    of_held: frozenset[str]
    of_training: int
    real: int
    training: Mapping[str, Sequence[str]] = field(default_factory=dict)
    real_ids: tuple[str, ...] = ()
    chance: float = 0.0
    shares: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)

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
            f"Near-copies ({self._by}) were looked for before training: "
            f"{len(self.of_held)} synthetic images look like a validation or test image and train nothing; "
            f"{self.of_training} look like a real training image."
        )
        if self.of_training and (self.training or self.chance):
            yield Note(
                f"{self.of_training} synthetic images look like a real training image that they are not made from, as "
                "where a generator repeats what it learned from; each counts as made from that one, so with "
                "source_pool: n it trains only trials that have it, and with source_pool: all what a trial gains may "
                "be that real image.",
                serious=True,
            )
        yield from self._of_real()
        yield from self._by_group()

    @property
    def _by(self) -> str:
        if not self.chance:
            return f"similarity of at least {self.threshold:g}"
        return f"as much alike as {100 * self.chance:g} in 100 unrelated real images of the same skin tone at the most"

    def _of_real(self) -> Iterator[Note]:
        """The notes on real training images that look like those held out."""
        if self.real and not self.real_ids:
            yield Note(
                f"{self.real} real training images look like a validation or test image; every arm has them alike, so "
                "accuracies may be too high, and differences between arms too small."
            )
            return
        there = sum(all_there for _, all_there in self.shares.get("real by label", {}).values())
        if self.real and self.real > _MANY * there:
            yield Note(
                f"{self.real} of {there} real training images look like a validation or test image, more than "
                f"{100 * _MANY:g} %: either many real images are there more than once, or near_copies suits them badly "
                "and takes for copies what is alike by nature; look at some before you trust what was left out.",
                serious=True,
            )
        if self.real:
            yield Note(
                f"{self.real} real training images look like a validation or test image and train nothing, in any arm."
            )

    def _by_group(self) -> Iterator[Note]:
        """The note on whom this left out."""
        kinds = [(kind, counts) for kind, counts in self.shares.items() if any(found for found, _ in counts.values())]
        if kinds:
            told = (
                f"{kind}: "
                + ", ".join(f"`{name or 'unknown'}` {found} of {there}" for name, (found, there) in counts.items())
                for kind, counts in kinds
            )
            yield Note(f"What looks like a validation or test image, {'; '.join(told)}.")


def find_near_duplicates(
    index: Index,
    images: Sequence[SyntheticImage],
    pictures: ImageReader,
    out: Path,
    *,
    threshold: float | None = None,
    scale: str = "fitzpatrick",
    progress: Progress | None = None,
) -> NearDuplicates:
    """The synthetic images that look like real ones, and the real training images that look like those held out.

    What was found is kept in ``OUT/near-copies.json``, and read there while the images are the same; so is what an
    earlier version found, by its own search.

    Args:
        index: The real images of the study's labels.
        images: The synthetic images.
        pictures: What reads pixels.
        out: The report's folder.
        threshold: The similarity from which on an image counts; where left out, what chance brings for each skin tone.
        scale: The skin-tone scale of the study.
        progress: Told how many images have been looked at, and of how many.
    """
    import numpy as np

    held, training = (*index.usable("validation"), *index.usable("test")), index.usable("train")
    given = [index.digest, *(f"{one.key} {one.sha256}" for one in images)]
    former = digest([near_duplicates.VERSION, str(threshold or near_duplicates.THRESHOLD), *given])
    sources = [f"{one.key} {one.source_id}" for one in images if one.source_id]
    known = digest([near_duplicates.METHOD, str(threshold), scale, *given, *sources])
    found = _kept(out / FILE, (known, former), images)
    if found is not None:
        return found
    files = tuple({one.sha256: one for one in images}.values())  # each once: several images may be one file
    reads = [partial(pictures.real, source) for source in (*held, *training)]
    reads += [partial(pictures.synthetic, image.record_key) for image in files]
    counter = _Counter(2 * len(reads) + len(files), progress)  # read each, and compare
    group_of = _group_of(scale)
    with one_thread():  # many small products: quicker so, and the same whatever else runs
        parts = np.split(_signatures(reads, counter), [len(held), len(held) + len(training)])
        tested, known_images = (
            compare.Pictures([one.id for one in some], rows, [group_of(one.tone) for one in some])
            for some, rows in ((held, parts[0]), (training, parts[1]))
        )
        made = compare.Pictures([one.record_key for one in files], parts[2], [group_of(one.tone) for one in files])
        search = compare.by_chance if threshold is None else partial(compare.by_similarity, threshold=threshold)
        alike = search(tested, known_images, made, [one.source_id for one in files], counter.add)
    found = _of_every_image(alike, images, files, threshold)
    of_held = found.of_held
    shares = {
        "synthetic by label": _shares((one.label, one.record_key in of_held) for one in images),
        "synthetic by skin tone": _shares((group_of(one.tone), one.record_key in of_held) for one in images),
        "real by label": _shares((one.label, one.id in found.real_ids) for one in training),
        "real by skin tone": _shares((group_of(one.tone), one.id in found.real_ids) for one in training),
    }
    found = replace(found, shares=shares)
    keys = sorted(one.key for one in images if one.record_key in of_held)
    by_key = {one.key: found.training[one.record_key] for one in images if one.record_key in found.training}
    text = json.dumps({"digest": known, **asdict(found), "of_held": keys, "training": by_key}, indent=1)
    atomic.write(out / FILE, text.encode())
    return found


def _of_every_image(
    alike: compare.Alike, images: Iterable[SyntheticImage], files: Iterable[SyntheticImage], threshold: float | None
) -> NearDuplicates:
    """What was found of files, said of every image that is one of them."""
    leaked = {one.sha256 for one in files if one.record_key in set(alike.of_held)}
    repeated = {one.sha256: alike.of_training[one.record_key] for one in files if one.record_key in alike.of_training}
    return NearDuplicates(
        threshold or 0.0,
        frozenset(one.record_key for one in images if one.sha256 in leaked),
        len(alike.of_training),
        len(alike.real),
        {one.record_key: repeated[one.sha256] for one in images if one.sha256 in repeated},
        alike.real,
        0.0 if threshold else near_duplicates.CHANCE,
    )


def _group_of(scale: str) -> Callable[[int], str]:
    """A function to the group of a tone; empty where it is unknown."""
    names = {tone: name for name, tones in skin_tones.GROUPS[scale].items() for tone in tones}
    return lambda tone: names.get(tone, "")


def _shares(marks: Iterable[tuple[str, bool]]) -> dict[str, list[int]]:
    """How many are marked and how many there are, by name."""
    counts: dict[str, list[int]] = {}
    for name, marked in marks:
        found = counts.setdefault(name, [0, 0])
        found[0] += marked
        found[1] += 1
    return dict(sorted(counts.items()))


class _Counter:
    """Progress towards a known total, told as it is made."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress, self._done = total, progress, 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


def _signatures(reads: Sequence[Read], counter: _Counter) -> Floats:
    """The signatures of images, shape (n, ...)."""
    import numpy as np

    found = []
    for batch in _batches(reads):
        found.append(near_duplicates.signatures(batch))
        counter.add(len(batch))
    return np.concatenate(found)


def _kept(path: Path, known: Sequence[str], images: Iterable[SyntheticImage]) -> NearDuplicates | None:
    """The near-duplicates that an earlier search kept of the same images; ``None`` where there was none."""
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        if said.pop("digest") in known:
            record_keys = {image.key: image.record_key for image in images}
            training = {record_keys[key]: tuple(ids) for key, ids in said.get("training", {}).items()}
            of_held = frozenset(record_keys[key] for key in said["of_held"])
            real_ids = tuple(said.get("real_ids", ()))
            return NearDuplicates(**said | {"of_held": of_held, "training": training, "real_ids": real_ids})
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _batches(reads: Sequence[Read]) -> Iterator[Pixels]:
    """Pixels in batches, the middle square brought to one size: uint8, shape (n, 64, 64, 3)."""
    import numpy as np

    for start in range(0, len(reads), _HELD):
        pixels = (read() for read in reads[start : start + _HELD])
        yield np.stack([untrusted.fit(one, _SIDE, _SIDE, "crop") for one in pixels])
