"""Looks for near-copies between a study's images before anything is trained, so that none tests what it has shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from synthgen import photographs
from synthgen.evaluate.trials import Synthetic
from synthgen.real import Index, Source
from synthgen.stored import Pictures

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Pixels = npt.NDArray[np.uint8]

try:  # built beside this module
    near_copies: Any = import_module("synthgen.near_copies")
except ModuleNotFoundError:
    near_copies = None
Progress = Callable[[int, int], None]
_SIDE = 64
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Near:
    """What was found to look like something else.

    Attributes:
        of_held: The keys of synthetic images that look like a validation or test image.
        of_training: How many synthetic images look like a real training image.
        real: How many real training images look like a validation or test image.
    """

    of_held: frozenset[str]
    of_training: int
    real: int

    def notes(self) -> Iterator[str]:
        """What a reader of the report has to know of it, a sentence each."""
        if near_copies is None:
            yield "**Near-copies were not looked for.**"
            return
        threshold = f"similarity of at least {near_copies.THRESHOLD:.3g}"
        yield (
            f"Near-copies ({threshold}) were looked for before training: {len(self.of_held)} synthetic images look "
            f"like a validation or test image and train nothing; {self.of_training} look like a real training image."
        )
        if self.real:
            yield (
                f"{self.real} real training images look like a validation or test image; every arm has them alike, so "
                "accuracies may be too high, and differences between arms too small."
            )


def look(
    index: Index,
    images: Sequence[Synthetic],
    labels: Sequence[str],
    pictures: Pictures,
    progress: Progress | None = None,
) -> Near:
    """Compare every synthetic image, and every real training image, with those held out.

    Args:
        index: The real images.
        images: The synthetic images.
        labels: The study's labels; images of others are not looked at.
        pictures: What reads pixels.
        progress: Told how many images have been looked at, and of how many.
    """
    import numpy as np

    if near_copies is None:
        return Near(frozenset(), 0, 0)
    held = _of(labels, [*index.usable("validation"), *index.usable("test")])
    training = _of(labels, index.usable("train"))
    total, seen = len(held) + len(training) + len(images), 0

    def signed(read: Iterable[Callable[[], Pixels]]) -> Iterator[Floats]:
        nonlocal seen
        for batch in _batches(read):
            seen += len(batch)
            if progress:
                progress(seen, total)
            yield near_copies.signatures(batch)

    references = list(signed(_real(held, pictures)))
    if not references:
        return Near(frozenset(), 0, 0)
    held_out, trained = np.concatenate(references), list(signed(_real(training, pictures)))
    known = np.concatenate(trained) if trained else held_out[:0]
    found, like_training, place = set[str](), 0, 0
    for signatures in signed(_made(images, pictures)):
        near = near_copies.nearest(signatures, held_out).similarity >= near_copies.THRESHOLD
        found |= {images[place + int(row)].key for row in np.flatnonzero(near)}
        like_training += _count(signatures, known)
        place += len(signatures)
    return Near(frozenset(found), like_training, _count(known, held_out))


def _count(queries: Floats, references: Floats) -> int:
    if not len(queries) or not len(references):
        return 0
    return int((near_copies.nearest(queries, references).similarity >= near_copies.THRESHOLD).sum())


def _of(labels: Sequence[str], sources: Iterable[Source]) -> list[Source]:
    return [source for source in sources if source.label in labels]


def _real(sources: Iterable[Source], pictures: Pictures) -> Iterator[Callable[[], Pixels]]:
    return (lambda source=source: pictures.real(source) for source in sources)  # type: ignore[misc]


def _made(images: Iterable[Synthetic], pictures: Pictures) -> Iterator[Callable[[], Pixels]]:
    return (lambda key=image.key: pictures.synthetic(key) for image in images)  # type: ignore[misc]


def _batches(read: Iterable[Callable[[], Pixels]]) -> Iterator[Pixels]:
    """Pixels in batches, the middle square brought to one size: uint8, shape (n, 64, 64, 3)."""
    import numpy as np

    batch: list[Pixels] = []
    for one in read:
        batch.append(photographs.fit(one(), _SIDE, _SIDE, "crop"))
        if len(batch) == _BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)
