"""The synthetic images of a run or a packed dataset: what a study's design knows of each, and where its bytes lie."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthgen import made, runs, skin_tones, stored, verdicts
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
    images, places, accepted = [], {}, None
    for record, place in stored.listed(root, doors):
        accepted = accepted or _accepted(root, doors)  # once it is sure that no shard is missing
        if not accepted(record.key):
            continue
        tone = tones.get(record.skin_tone, 0) if record.skin_tone_scale == scale else 0
        entry = strategy_of.get(record.entry, record.entry)
        pool = pools.get(record.adapter) if record.adapter else frozenset[str]()
        images.append(Synthetic(record.key, entry, record.label, tone, record.source_id, record.image_sha256, pool))
        places[record.key] = place
    return Listed(tuple(images), places)


def _accepted(root: Path, doors: Doors) -> Callable[[str], bool]:
    """Whether a sample is not rejected, asked in the order of the shards; a dataset holds no other."""
    if not runs.is_run(root):
        return lambda _: True
    plan = runs.read_plan(root, doors)
    run = made.digest(shard.receipt.sha256 for shard in made.shards(root, plan))
    return verdicts.in_order(root, verdicts.check(root, run, plan.manifest.document.curate))
