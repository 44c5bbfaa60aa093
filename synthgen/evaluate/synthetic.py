"""The synthetic images of a run or a packed dataset: what a study's design knows of each, and where its bytes lie."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthgen import datasets_on_disk, made, runs, skin_tones, tars, verdicts
from synthgen.doors import Doors
from synthgen.errors import DamagedError, IncompleteError
from synthgen.evaluate.trials import Synthetic
from synthgen.plan import Plan
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
    """List the images of a run or a packed dataset by their records alone; of a curated run those that are kept.

    Args:
        root: The folder.
        doors: The strategies there are.
        scale: The study's skin-tone scale; a tone on another one is unknown.
        strategy_of: The strategy of entries that don't stand for themselves.
        pools: The real images that each adapter was trained on, by the records' ``adapter``.

    Raises:
        InputError: The folder is neither.
        IncompleteError: Work shards of the run are missing, or it is not judged by its manifest's rules.
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
    """Every stored sample that counts, and its shard; of those in tars the record alone is read."""
    rejected = frozenset[str]()
    if runs.is_run(root):
        shards, rejected = _shards_of_run(root, runs.read_plan(root, doors))
    else:
        shards = _shards_of_dataset(root)
    for shard in shards:
        read = tars.read(shard, only=("json",)) if shard.suffix == ".tar" else datasets_on_disk.read_shard(shard)
        yield from ((shard, stored) for stored in read if stored.key not in rejected)


def _shards_of_run(root: Path, plan: Plan) -> tuple[list[Path], frozenset[str]]:
    """The work shards of a run, and the keys of images that its verdicts reject."""
    found, curate = list(made.shards(root, plan)), plan.manifest.document.curate
    if len(found) < plan.shards:
        missing = plan.shards - len(found)
        raise IncompleteError(
            f"{root}: {missing} of {plan.shards} work shards are missing or damaged; run `synthgen generate` again"
        )
    digest = made.digest(shard.receipt.sha256 for shard in found)
    judged = verdicts.check(root, digest, curate.model_dump(mode="json") if curate else None)
    rejected = frozenset(key for key, accepted in verdicts.stream(root) if not accepted) if judged else frozenset[str]()
    return [shard.tar for shard in found], rejected


def _shards_of_dataset(root: Path) -> list[Path]:
    return [root / name for name in datasets_on_disk.shards(datasets_on_disk.read_provenance(root))]


def _record(shard: Path, stored: TarSample) -> Record:
    try:
        return Record.from_json(stored.files["json"])
    except (KeyError, ValueError) as error:
        raise DamagedError(f"{shard}: {stored.key}: {error}; run `synthgen verify`") from None
