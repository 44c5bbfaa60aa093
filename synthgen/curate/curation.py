"""Curates a run: scores what is unscored, then judges every image by the manifest's rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen import indexing, near_copies, photographs, planning, verdicts
from synthgen.curate import judging
from synthgen.curate.parity import Parity, parity
from synthgen.curate.scoring import Scored, Scoring
from synthgen.curate.shards import Shard, finished
from synthgen.errors import IncompleteError, InputError
from synthgen.manifest import Curation
from synthgen.plan import Plan
from synthgen.real import Source
from synthgen.scorers import Context
from synthgen.verdicts import Verdicts


@dataclass(frozen=True, slots=True)
class Curated:
    """What there is to do in a run.

    Attributes:
        plan: Its plan.
        root: Its folder.
        curation: What the manifest asks for.
        shards: The work shards that there are.
        scorings: The scorers, ready.
    """

    plan: Plan
    root: Path
    curation: Curation
    shards: tuple[Shard, ...]
    scorings: tuple[Scoring, ...]

    @property
    def images(self) -> int:
        """How many times an image is to be scored."""
        return sum(shard.images for each in self.scorings for shard in each.unscored(self.shards))


@dataclass(frozen=True, slots=True)
class Judged:
    """Every image was judged.

    Attributes:
        verdicts: What became of each.
        counts: Images by (label, skin tone, reason); the reason is empty for those that are kept.
        parity: Whether dark skin is rejected more often than light.
        lacking: By how many images a label and skin tone misses the quota, where there is one and it does.
        unfair: Whether the manifest's ``parity``, or 0.8 where it has none, is missed.
    """

    verdicts: Verdicts
    counts: Counter[tuple[str, str, str]]
    parity: Parity
    lacking: Mapping[tuple[str, str], int]
    unfair: bool


_FOUR_FIFTHS = 0.8  # the four-fifths rule of the US Uniform Guidelines on Employee Selection Procedures, 1978


def prepare(plan: Plan, root: Path, progress: Callable[[int, int], None] | None = None) -> Curated:
    """Find what is to be scored.

    Args:
        plan: The run's plan.
        root: The run.
        progress: Told of real images as they are indexed, where that was not done yet.

    Raises:
        InputError: The manifest says nothing of curation, or a scorer can't be had here.
        IncompleteError: The run holds no image yet.
    """
    curation = plan.manifest.curation
    if curation is None:
        raise InputError(f"{root}: the manifest has no `curate:`; say there what is measured, and what is kept")
    shards = tuple(finished(root, plan))
    if not shards:
        raise IncompleteError(f"{root}: the run holds no image yet; run `synthgen generate` first")
    context = _context(plan, root, shards, progress)
    scorings = [Scoring(name, settings, context, root) for name, settings in curation.scorers.items()]
    return Curated(plan, root, curation, shards, tuple(scorings))


def curate(job: Curated, stop: Callable[[], bool] = lambda: False) -> Iterator[Scored | Judged]:
    """Score what is unscored and judge all; yields each shard as it is scored, and last what was judged.

    Raises:
        StoppedError: ``stop`` said so; what was scored is kept.
    """
    tables = {}
    for scoring in job.scorings:
        yield from scoring.score(scoring.unscored(job.shards), stop)
        tables[scoring.name] = scoring.finish(job.shards)
    found = _judged(job, tables)
    verdicts.write(job.root, found)
    yield _summed(job, found)


def _judged(job: Curated, tables: Mapping[str, Any]) -> Verdicts:
    import numpy as np
    import pyarrow as pa

    first = next(iter(tables.values()))
    codes = {}
    for name in ("label", "skin_tone"):
        codes[name] = first[name].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    wanted = {getattr(rule, "column", "") for rule in job.curation.rules} - {""}
    scores = {name: tables[name.partition(".")[0]][name.partition(".")[2]].to_numpy() for name in wanted}
    kept = judging.judge(job.curation.rules, scores, codes["label"], codes["skin_tone"])
    texts = judging.reasons(job.curation.rules, kept, first.num_rows)
    accepted = pa.array([not text for text in texts], pa.bool_())
    rows = pa.table(
        {name: first[name] for name in ("key", "label", "skin_tone")} | {"accepted": accepted, "reason": texts}
    )
    facts = {
        "rules": [rule.text for rule in job.curation.rules],
        "scores": {scoring.name: scoring.digest for scoring in job.scorings},
        "images": verdicts.images_digest([shard.sha256 for shard in job.shards]),
        "audit": _audit(tables.get("near_copy"), np.asarray(accepted)),
    }
    return Verdicts(rows, facts)


def _audit(table: Any, accepted: Any) -> dict[str, Any]:
    """What the search for near-copies found among the images that are kept; empty where there was none."""
    if table is None:
        return {}
    threshold = near_copies.THRESHOLD
    found: dict[str, Any] = {"threshold": threshold, "images": int(accepted.sum())}
    for name in ("similarity", "train_similarity", "test_similarity", "other_similarity"):
        values = table[name].to_numpy()[accepted]
        found[name] = {"above": int((values > threshold).sum()), "highest": round(float(values.max(initial=0)), 4)}
    return found


def _summed(job: Curated, found: Verdicts) -> Judged:
    counts = found.counts()
    kept, totals, rejected = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    for (label, tone, reason), count in counts.items():
        totals[tone] += count
        if reason:
            rejected[tone] += count
        else:
            kept[label, tone] += count
    told = parity(rejected, totals)
    cells = dict.fromkeys((label, tone) for label, tone, _ in counts)
    quota = job.curation.quota or 0
    lacking = {cell: quota - kept[cell] for cell in cells if kept[cell] < quota}
    return Judged(found, counts, told, lacking, told.missed(job.curation.parity or _FOUR_FIFTHS))


def _context(plan: Plan, root: Path, shards: tuple[Shard, ...], progress: Callable[[int, int], None] | None) -> Context:
    document, real = plan.manifest.document, plan.manifest.real
    index = planning.index(plan.manifest, real, root, progress) if real else None
    usable = [source for split in ("train", "validation", "test") for source in (index.usable(split) if index else ())]
    settings = next(iter(plan.entries.values())).recipe.settings
    height, width = settings.height or 64, settings.width or 64
    opened = indexing.open_images(real.source, real.settings, plan.manifest.base, root) if real else None

    def read(source: Source) -> Any:
        if opened is None:
            raise InputError("the manifest says nothing of real images")
        return photographs.fit(photographs.open_photograph(opened(source)), height, width, "crop")

    return Context(
        labels=tuple(document.labels),
        scale=document.skin_tones.scale,
        seed=document.seed,
        sources=tuple(usable),
        read=read,
        batches=lambda: (shard.batch() for shard in shards),
        run_digest=verdicts.images_digest([shard.sha256 for shard in shards]),
        cache=root / "scores" / ".features",
    )
