"""The images that a run or a packed dataset stores: where each lies, and its pixels when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import DamagedError
from synthgen.plan.sample import Record
from synthgen.runs import dataset_folder, tar_samples
from synthgen.vision.images import codec, untrusted

if TYPE_CHECKING:
    from synthgen.core.types import Pixels
    from synthgen.plan.real_index import Source
    from synthgen.runs.tar_samples import TarSample


ADVICE = "run `synthgen verify`"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a stored sample lies: its shard, its first byte and length in a tar, its key there, its image's sha256."""

    shard: Path
    offset: int
    size: int
    key: str
    sha256: str = ""


def located(shard: Path) -> Iterator[tuple[Record, Location]]:
    """The record of every image of a shard and where it lies, none decoded; of a tar the records alone are read.

    Raises:
        DamagedError: The shard can't be read.
    """
    read = tar_samples.read(shard, only=("json",)) if shard.suffix == ".tar" else dataset_folder.read_shard(shard)
    for stored in read:
        record = record_of(shard, stored)
        yield record, Location(shard, stored.offset, stored.size, stored.key, record.image_sha256)


def record_of(shard: Path, stored: TarSample) -> Record:
    """The record of a stored image.

    Raises:
        DamagedError: It is none.
    """
    try:
        return Record.from_json(stored.files["json"])
    except (KeyError, ValueError) as error:
        raise DamagedError(f"{shard}: {stored.key}: {error}; {ADVICE}") from None


def image_of(shard: Path, stored: TarSample, record: Record) -> bytes:
    """The bytes of a stored image, which are those that its record was written for.

    Raises:
        DamagedError: They are not.
    """
    try:
        content = stored.image
    except StopIteration:
        raise DamagedError(f"{shard}: {stored.key} has no image; {ADVICE}") from None
    _check(shard, stored.key, content, record.image_sha256)
    return content


def _check(shard: Path, key: str, content: bytes, sha256: str) -> None:
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedError(f"{shard}: {key}: the image is not the recorded one; {ADVICE}")


class ImageReader:
    """Reads images, each as uint8 sRGB of shape (height, width, 3); no more than two are held.

    Args:
        read_real: The bytes of an indexed real image.
        places: Where each synthetic image lies, by key.
        foreign: What reads the bytes of those that were made elsewhere, by key.
    """

    def __init__(
        self,
        read_real: Callable[[Source], bytes],
        places: Mapping[str, Location],
        foreign: Mapping[str, Callable[[], bytes]] | None = None,
    ) -> None:
        self._places, self._foreign = places, foreign or {}
        self._real = lru_cache(maxsize=2)(lambda source: untrusted.open_photograph(read_real(source)))
        self._held: tuple[Path, dict[str, bytes]] = (Path(), {})

    def real(self, source: Source) -> Pixels:
        """A real image.

        Raises:
            InputError: It is not the one that was indexed, or can't be read any more.
        """
        found: Pixels = self._real(source)  # views of one image are asked for one after the other
        return found

    def synthetic(self, key: str) -> Pixels:
        """A synthetic image.

        Raises:
            DamagedError: It can't be read.
            InputError: One that was made elsewhere is not the one that was indexed, or can't be read any more.
        """
        if key in self._foreign:
            return untrusted.open_photograph(self._foreign[key]())
        place = self._places[key]
        if place.shard.suffix == ".tar":
            with place.shard.open("rb") as file:
                file.seek(place.offset)
                files = tar_samples.unpack(file.read(place.size))
            content = next((files[name] for name in files if name not in tar_samples.SIDECARS), b"")
            _check(place.shard, key, content, place.sha256)
            return codec.decode(content)
        if self._held[0] != place.shard:  # rows of Parquet are read a shard at a time, as they are asked for in order
            stored = dataset_folder.read_shard(place.shard)
            self._held = place.shard, {sample.key: sample.image for sample in stored}
        if place.key not in self._held[1]:
            raise DamagedError(f"{place.shard}: {place.key} is gone; {ADVICE}")
        content = self._held[1][place.key]
        _check(place.shard, place.key, content, place.sha256)
        return codec.decode(content)
