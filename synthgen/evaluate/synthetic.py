"""The synthetic images of a run or a packed dataset: what a study's design knows of each, and where its bytes lie."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthgen import datasets_on_disk, runs, skin_tones, tars
from synthgen.doors import Doors
from synthgen.errors import DamagedError, IncompleteError
from synthgen.evaluate.trials import Synthetic
from synthgen.ledger import Ledger
from synthgen.sample import Record
from synthgen.tars import TarSample

Pools = Mapping[str, frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stored sample lies: its shard, and its first byte and length in a tar."""

    shard: Path
    offset: int
    size: int


@dataclass(frozen=True)
class Listed:
    """Synthetic images, none of them decoded.

    Attributes:
        images: What the design knows of them.
        places: Where each lies, by key.
    """

    images: tuple[Synthetic, ...]
    places: Mapping[str, Place]


def listed(root: Path, doors: Doors, *, scale: str, strategy_of: Mapping[str, str], pools: Pools) -> Listed:
    """List the images of a run or a packed dataset by their records alone.

    Args:
        root: The folder.
        doors: The strategies there are.
        scale: The study's skin-tone scale; a tone on another one is unknown.
        strategy_of: The strategy of entries that don't stand for themselves.
        pools: The real images that each adapter was trained on, by the records' ``adapter``.

    Raises:
        InputError: The folder is neither.
        IncompleteError: Work shards of the run are missing.
        DamagedError: A shard can't be read.
    """
    tones = {skin_tones.name(scale, value): value for value in skin_tones.NAMES[scale]}
    images, places = [], {}
    for shard, stored in _samples(root, doors):
        record = _record(shard, stored)
        tone = tones.get(record.skin_tone, 0) if record.skin_tone_scale == scale else 0
        entry = strategy_of.get(record.entry, record.entry)
        pool = pools.get(record.adapter) if record.adapter else frozenset[str]()
        images.append(Synthetic(record.key, entry, record.label, tone, record.source_id, record.image_sha256, pool))
        places[record.key] = Place(shard, stored.offset, stored.size)
    return Listed(tuple(images), places)


def _samples(root: Path, doors: Doors) -> Iterator[tuple[Path, TarSample]]:
    """Every stored sample and its shard; of those in tars the record alone is read."""
    for shard in _shards_of_run(root, doors) if runs.is_run(root) else _shards_of_dataset(root):
        read = tars.read(shard, only=("json",)) if shard.suffix == ".tar" else datasets_on_disk.read_shard(shard)
        yield from ((shard, stored) for stored in read)


def _shards_of_run(root: Path, doors: Doors) -> list[Path]:
    plan, found, missing = runs.read_plan(root, doors), [], 0
    for name, entry in plan.entries.items():
        ledger = Ledger(root, name, entry.digest)
        for number in range(entry.shards):
            if ledger.trusted(number):
                found.append(ledger.tar(number))
            else:
                missing += 1
    if missing:
        raise IncompleteError(
            f"{root}: {missing} of {plan.shards} work shards are missing or damaged; run `synthgen generate` again"
        )
    return found


def _shards_of_dataset(root: Path) -> list[Path]:
    return [root / name for name in datasets_on_disk.shards(datasets_on_disk.read_provenance(root))]


def _record(shard: Path, stored: TarSample) -> Record:
    try:
        return Record.from_json(stored.files["json"])
    except (KeyError, ValueError) as error:
        raise DamagedError(f"{shard}: {stored.key}: {error}; run `synthgen verify`") from None
