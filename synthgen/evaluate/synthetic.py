"""The synthetic images of a run or a packed dataset: what a study's design knows of each, and where its bytes lie."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthgen import datasets_on_disk, made, runs, skin_tones, tars, verdicts
from synthgen.doors import Doors
from synthgen.errors import DamagedError, IncompleteError
from synthgen.evaluate.trials import Synthetic
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
    """List the images of a run or a packed dataset by their records alone; those that a run rejects are left out.

    Args:
        root: The folder.
        doors: The strategies there are.
        scale: The study's skin-tone scale; a tone on another one is unknown.
        strategy_of: The strategy of entries that don't stand for themselves.
        pools: The real images that each adapter was trained on, by the records' ``adapter``.

    Raises:
        InputError: The folder is neither.
        IncompleteError: Work shards of the run are missing, or it is not judged as its manifest asks.
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
    """Every stored sample that is not rejected, and its shard; of those in tars the record alone is read."""
    if runs.is_run(root):
        yield from _of_run(root, doors)
        return
    for shard in _shards_of_dataset(root):
        read = tars.read(shard, only=("json",)) if shard.suffix == ".tar" else datasets_on_disk.read_shard(shard)
        yield from ((shard, stored) for stored in read)


def _of_run(root: Path, doors: Doors) -> Iterator[tuple[Path, TarSample]]:
    plan = runs.read_plan(root, doors)
    shards = list(made.shards(root, plan))
    if len(shards) < plan.shards:
        raise IncompleteError(
            f"{root}: {plan.shards - len(shards)} of {plan.shards} work shards are missing or damaged; "
            "run `synthgen generate` again"
        )
    run = made.digest(shard.receipt.sha256 for shard in shards)
    accepted = verdicts.in_order(root, verdicts.check(root, run, plan.manifest.document.curate))
    for shard in shards:
        for stored in tars.read(shard.tar, only=("json",)):
            if accepted(stored.key):
                yield shard.tar, stored


def _shards_of_dataset(root: Path) -> list[Path]:
    return [root / name for name in datasets_on_disk.shards(datasets_on_disk.read_provenance(root))]


def _record(shard: Path, stored: TarSample) -> Record:
    try:
        return Record.from_json(stored.files["json"])
    except (KeyError, ValueError) as error:
        raise DamagedError(f"{shard}: {stored.key}: {error}; run `synthgen verify`") from None
