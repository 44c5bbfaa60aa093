"""The synthetic images of a run or a packed dataset: what a study's design knows of each, and where its bytes lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from synthgen import skin_tones, stored
from synthgen.doors import Doors
from synthgen.evaluate.trials import Synthetic
from synthgen.stored import Place

Pools = Mapping[str, frozenset[str] | None]


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
    for record, place in stored.listed(root, doors):
        tone = tones.get(record.skin_tone, 0) if record.skin_tone_scale == scale else 0
        entry = strategy_of.get(record.entry, record.entry)
        pool = pools.get(record.adapter) if record.adapter else frozenset[str]()
        images.append(Synthetic(record.key, entry, record.label, tone, record.source_id, record.image_sha256, pool))
        places[record.key] = place
    return Listed(tuple(images), places)
