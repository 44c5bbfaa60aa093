"""The scoring of a run, made ready: its shards, its scorers, and what these may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synthgen.curate.judge import curation_of
from synthgen.curate.scorers import Context
from synthgen.curate.scoring import Scoring, Shard, work_shards
from synthgen.errors import IncompleteError, InputError
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.plan.real_index import Source
from synthgen.real import indexing
from synthgen.runs import load_plan, receipts
from synthgen.vision.images import untrusted


@dataclass(frozen=True, slots=True)
class CurateJob:
    """The shards and scorers of a run that is to be scored.

    Attributes:
        plan: The run's plan.
        root: The run.
        shards: The work shards that there are.
        scorings: The scorers, ready.
        device: What networks of scorers compute on, as it was asked for.
    """

    plan: Plan
    root: Path
    shards: tuple[Shard, ...]
    scorings: tuple[Scoring, ...]
    device: str

    @property
    def images(self) -> int:
        """How many scores are to be made: images times scorers, less those that there are."""
        return sum(shard.images for each in self.scorings for shard in each.unscored(self.shards))


def check(plan: Plan, root: Path) -> None:
    """Refuse scorers that can't be had here, before any image is made; nothing is done where nothing is curated.

    Args:
        plan: The plan.
        root: The run's folder, where real images are indexed.

    Raises:
        InputError: A scorer needs what the manifest does not say.
        UnavailableError: A model, a package or real images that a scorer needs are not there.
    """
    if plan.manifest.curation is None:
        return
    context = replace(_context(plan, root, (), None), images=plan.samples, device="cpu")
    for name, settings in plan.manifest.curation.scorers.items():
        Scoring(name, settings, context, root)


def prepare(
    plan: Plan, root: Path, progress: Callable[[int, int], None] | None = None, device: str = "auto"
) -> CurateJob:
    """The job of scoring a run; what is scored already is not looked at again.

    Args:
        plan: The run's plan.
        root: The run.
        progress: Told of real images as they are indexed, where that was not done yet.
        device: What networks of scorers compute on: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        InputError: The manifest does not say what to keep, or a scorer can't be had here.
        IncompleteError: The run holds no image yet.
    """
    curation, shards = curation_of(plan), tuple(work_shards(root, plan))
    if not shards:
        raise IncompleteError(f"{root}: the run holds no image yet; run `synthgen generate` first")
    return scoring_job(plan, root, shards, curation.scorers, progress=progress, device=device)


def scoring_job(
    plan: Plan,
    root: Path,
    shards: tuple[Shard, ...],
    scorers: Mapping[str, ScorerSettings],
    *,
    progress: Callable[[int, int], None] | None = None,
    device: str = "auto",
) -> CurateJob:
    """The job of measuring some images of a run by some scorers, whatever its manifest says of either.

    Args:
        plan: The run's plan.
        root: The run.
        shards: The images; what of a work shard is set aside is not looked at.
        scorers: The settings of each scorer, by its name.
        progress: As of :func:`prepare`.
        device: As of :func:`prepare`.

    Raises:
        UnavailableError: A scorer can't be had here.
    """
    context = replace(_context(plan, root, shards, progress), device=device)
    scorings = tuple(Scoring(name, settings, context, root) for name, settings in scorers.items())
    return CurateJob(plan, root, shards, scorings, device)


def _context(plan: Plan, root: Path, shards: tuple[Shard, ...], progress: Callable[[int, int], None] | None) -> Context:
    """What scorers may look at beside the images."""
    document, real = plan.manifest.document, plan.manifest.real
    index = load_plan.index(plan.manifest, real, root, progress, other=True) if real else None  # it decides no image
    usable = [source for split in ("train", "validation", "test") for source in (index.usable(split) if index else ())]
    settings = next(iter(plan.entries.values())).recipe.settings
    height, width = settings.height or 64, settings.width or 64
    opened = indexing.open_images(real.source, real.settings, plan.manifest.base, root) if real else None

    def read(source: Source) -> Any:
        if opened is None:
            raise InputError("the manifest says nothing of real images")
        return untrusted.fit(untrusted.open_photograph(opened(source)), height, width, "crop")

    return Context(
        labels=tuple(document.labels),
        scale=document.skin_tones.scale,
        seed=document.seed,
        sources=tuple(usable),
        read=read,
        batches=lambda: (shard.batch() for shard in shards),
        run_digest=receipts.shards_digest(shard.digest for shard in shards),
        cache=root / "scores" / ".features",
        base=plan.manifest.base,
        images=sum(shard.images for shard in shards),
        words=dict(document.labels),
    )
