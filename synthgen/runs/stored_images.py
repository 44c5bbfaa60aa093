"""The images that a run or a packed dataset stores: where each lies, and its pixels when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import DamagedError, IncompleteError
from synthgen.plan.sample import Record
from synthgen.runs import dataset_folder, finished_shards, run_folder, tar_samples
from synthgen.vision.images import codec, untrusted

if TYPE_CHECKING:
    from synthgen.core.types import Pixels
    from synthgen.plan.manifest.settings import Extensions
    from synthgen.plan.real_index import Source
    from synthgen.runs.tar_samples import TarSample

_BESIDE_THE_IMAGE = ("json", "cls")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a stored sample lies: its shard, and its first byte and length in a tar."""

    shard: Path
    offset: int
    size: int


def listed(root: Path, doors: Extensions, *, partial: bool = False) -> Iterator[tuple[Record, Location]]:
    """The record of every stored image and where it lies, none of them decoded; of tars the records alone are read.

    Args:
        root: A run or a packed dataset.
        doors: The strategies there are.
        partial: Whether a run may lack work shards.

    Raises:
        InputError: The folder is neither.
        IncompleteError: Work shards of the run are missing.
        DamagedError: A shard can't be read.
    """
    for shard in _shards_of_run(root, doors, partial) if run_folder.is_run(root) else _shards_of_dataset(root):
        read = tar_samples.read(shard, only=("json",)) if shard.suffix == ".tar" else dataset_folder.read_shard(shard)
        for stored in read:
            yield _record(shard, stored), Location(shard, stored.offset, stored.size)


def _shards_of_run(root: Path, doors: Extensions, partial: bool) -> list[Path]:
    plan = run_folder.read_plan(root, doors)
    found = [shard.tar for shard in finished_shards.shards(root, plan)]
    if len(found) < plan.shards and not partial:
        raise IncompleteError(
            f"{root}: {plan.shards - len(found)} of {plan.shards} work shards are missing or damaged; "
            "run `synthgen generate` again"
        )
    return found


def _shards_of_dataset(root: Path) -> list[Path]:
    return [root / name for name in dataset_folder.shards(dataset_folder.read_provenance(root))]


def _record(shard: Path, stored: TarSample) -> Record:
    try:
        return Record.from_json(stored.files["json"])
    except (KeyError, ValueError) as error:
        raise DamagedError(f"{shard}: {stored.key}: {error}; run `synthgen verify`") from None


class ImageReader:
    """Reads images, each as uint8 sRGB of shape (height, width, 3); no more than two are held.

    Args:
        read_real: The bytes of an indexed real image.
        places: Where each synthetic image lies, by key.
    """

    def __init__(self, read_real: Callable[[Source], bytes], places: Mapping[str, Location]) -> None:
        self._places = places
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
        """
        place = self._places[key]
        if place.shard.suffix == ".tar":
            with place.shard.open("rb") as file:
                file.seek(place.offset)
                files = tar_samples.unpack(file.read(place.size))
            return codec.decode(next(files[name] for name in files if name not in _BESIDE_THE_IMAGE))
        if self._held[0] != place.shard:  # rows of Parquet are read a shard at a time, as they are asked for in order
            stored = dataset_folder.read_shard(place.shard)
            self._held = place.shard, {sample.key: sample.image for sample in stored}
        if key not in self._held[1]:
            raise DamagedError(f"{place.shard}: {key} is gone; run `synthgen verify`")
        return codec.decode(self._held[1][key])
