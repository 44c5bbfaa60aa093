"""What a fidelity report is made of: a sample of the generated and of the real images, and the features of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgen import skin_tones, stored
from synthgen.curate.fidelity.reals import Reals
from synthgen.errors import InputError
from synthgen.features import Backbone, shared
from synthgen.stored import Pictures

if TYPE_CHECKING:
    from pathlib import Path

    from synthgen.doors import Doors
    from synthgen.real import Source

Floats = NDArray[np.float32]
Progress = Callable[[str, int, int], None]
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
    """

    id: str
    entry: str
    label: str
    tone: str
    source: str
    sha256: str
    read: Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True)
class Described:
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
    root: Path, doors: Doors, reals: Reals, backbone: Backbone, *, limit: int, progress: Progress
) -> tuple[Described, Mapping[str, Described]]:
    """The generated images of a run or dataset, and the real ones by split, at most ``limit`` of each kind.

    Raises:
        InputError: The folder is neither, or holds no image yet, or a real image can't be read.
        DamagedError: A shard can't be read.
    """
    records = list(stored.listed(root, doors, partial=True))
    if not records:
        raise InputError(f"{root}: no image here yet; run `synthgen generate`")
    places = {record.key: place for record, place in records}
    pictures, generated = Pictures(reals.read, places), []
    for record, _ in records:
        read = partial(pictures.synthetic, record.key)
        facts = record.key, record.entry, record.label, record.skin_tone, record.source_id, record.image_sha256
        generated.append(Image(*facts, read))
    made = _described(generated, backbone, limit, partial(progress, "describing generated images"))
    real = {}
    for split in SPLITS:
        told = partial(progress, f"describing real images ({split})")
        real[split] = _described(_real(reals, split, pictures), backbone, limit, told)
    return made, real


def _real(reals: Reals, split: str, pictures: Pictures) -> list[Image]:
    def image(one: Source) -> Image:
        tone = skin_tones.name(reals.scale, one.tone)
        return Image(one.id, "", one.label, tone, "", one.sha256, partial(pictures.real, one))

    return [image(one) for one in reals.of(split)]


def _described(
    images: Sequence[Image], backbone: Backbone, limit: int, progress: Callable[[int, int], None]
) -> Described:
    """A sample of images: those whose ids have the lowest hashes, whatever else there is."""
    ranked = sorted(range(len(images)), key=lambda row: blake2b(images[row].id.encode(), digest_size=16).digest())
    chosen = ranked[:limit]
    stored_order = sorted(chosen)  # read as they lie on disk
    rows = shared.describe([(images[row].sha256, images[row].read) for row in stored_order], backbone, progress)
    place = {row: number for number, row in enumerate(stored_order)}
    features = rows[[place[row] for row in chosen]] if chosen else rows
    return Described(tuple(images[row] for row in chosen), features, len(images))
