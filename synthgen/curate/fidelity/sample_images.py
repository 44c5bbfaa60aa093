"""The images that a fidelity report measures, generated and real, and the features of each."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from synthgen.core.hashing import stable_hash
from synthgen.curate.fidelity.subject import AcceptedKeys, Subject
from synthgen.errors import InputError
from synthgen.plan import skin_tones
from synthgen.runs import pseudonyms
from synthgen.runs.stored_images import ImageReader, Location
from synthgen.vision.features import Backbone, user_cache

if TYPE_CHECKING:
    from synthgen.core.types import Floats
    from synthgen.plan.real_index import Source
    from synthgen.plan.sample import Record

Progress = Callable[[str, int, int], None]
Thing = TypeVar("Thing")
SPLITS = ("train", "test")


@dataclass(frozen=True, slots=True)
class Image:
    """One image, generated or real.

    Attributes:
        id: Its key, or the real image's id.
        entry: The entry that made it; empty for a real image.
        label: Its label.
        tone: Its skin tone, as the scale writes it.
        source: The id of the real image that it was made from; empty for none.
        sha256: Of its file.
        read: Gives its pixels, uint8 (height, width, 3).
        kept: Whether the run's rules keep it; ``None`` for a real image, and where nothing is judged.
    """

    id: str
    entry: str
    label: str
    tone: str
    source: str
    sha256: str
    read: Callable[[], NDArray[np.uint8]]
    kept: bool | None = None


@dataclass(frozen=True)
class ImageFeatures:
    """Images and their features, row by row, in an order that says nothing of them: by a hash of their ids.

    Attributes:
        images: The images.
        features: float32, shape (images, dim).
        found: How many there were to choose these from.
    """

    images: tuple[Image, ...]
    features: Floats
    found: int


def describe(
    subject: Subject, backbone: Backbone, *, limit: int, progress: Progress, only: Container[str] | None = None
) -> tuple[ImageFeatures, Mapping[str, ImageFeatures]]:
    """The generated images of a run or dataset, and the real ones by split, at most ``limit`` of each kind.

    Args:
        subject: The run or the dataset, and its real images.
        backbone: What gives the features.
        limit: How many of each kind at the most; a sample by a hash of their ids.
        progress: Told what is described, how much of it, and how much there is.
        only: The keys of the generated images to look at; all where left out.

    Raises:
        InputError: The folder holds no image yet, or a real image can't be read.
        DamagedError: A shard can't be read.
    """
    places = dict[str, Location]()
    reals, pictures = subject.reals, ImageReader(subject.reals.read, places)
    located = subject.folder.located(partial=True)
    own_name = pseudonyms.image_names(subject.folder)
    images = (
        (_generated(record, pictures, subject.judged, own_name), place)
        for record, place in located
        if only is None or record.key in only
    )
    chosen, found = _sample(((image.id, (image, place)) for image, place in images), limit)
    if not found:
        raise InputError(f"{subject.folder.root}: no image here yet; run `synthgen generate`")
    places |= {image.id: place for _, (image, place) in chosen}
    generated = [(order, image) for order, (image, _) in chosen]
    made = _described(generated, found, backbone, partial(progress, "describing generated images"))
    real = {}
    for split in SPLITS:
        known, usable = _sample(((one.id, _real(one, reals.scale, pictures)) for one in reals.of(split)), limit)
        real[split] = _described(known, usable, backbone, partial(progress, f"describing real images ({split})"))
    return made, real


def _generated(record: Record, pictures: ImageReader, judged: AcceptedKeys, own_name: Callable[[str], str]) -> Image:
    source = own_name(record.source_id)
    facts = record.key, record.entry, record.label, record.skin_tone, source, record.image_sha256
    return Image(*facts, partial(pictures.synthetic, record.key), judged.kept(record.key))


def _real(source: Source, scale: str, pictures: ImageReader) -> Image:
    tone = skin_tones.name(scale, source.tone)
    return Image(source.id, "", source.label, tone, "", source.sha256, partial(pictures.real, source))


def _sample(named: Iterable[tuple[str, Thing]], limit: int) -> tuple[list[tuple[int, Thing]], int]:
    """Those whose names have the lowest hashes, lowest first, each with its place; and how many there were.

    No more than ``limit`` are held, however many there are.
    """
    found = 0

    def hashed() -> Iterator[tuple[bytes, int, Thing]]:
        nonlocal found
        for found, (name, thing) in enumerate(named, 1):
            yield stable_hash(name, size=16), found, thing

    return [(place, thing) for _, place, thing in heapq.nsmallest(limit, hashed())], found


def _described(
    chosen: Sequence[tuple[int, Image]], found: int, backbone: Backbone, progress: Callable[[int, int], None]
) -> ImageFeatures:
    """The features of chosen images, read in the order in which they lie on disk."""
    by_place = sorted(range(len(chosen)), key=lambda row: chosen[row][0])
    items = [(chosen[row][1].sha256, chosen[row][1].read) for row in by_place]
    features = np.empty((len(chosen), backbone.dim), np.float32)
    features[by_place] = user_cache.describe(items, backbone, progress)
    return ImageFeatures(tuple(image for _, image in chosen), features, found)
