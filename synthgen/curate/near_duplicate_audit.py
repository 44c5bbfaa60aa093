"""The near-duplicate audit of a run: what the comparison of every image with the real ones found."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from synthgen.curate.rules import Scores, Verdicts
from synthgen.plan.real_index import Index
from synthgen.runs import run_file
from synthgen.runs.audit import Audit
from synthgen.vision import near_duplicates

SCORER = "near_copy"
_TRAINING, _HELD_OUT = f"{SCORER}.train_similarity", f"{SCORER}.test_similarity"
COLUMNS = frozenset((_TRAINING, _HELD_OUT))
BY_CHANCE = "copy"
"""The scorer whose columns are taken in place of :data:`SCORER`'s where both measured."""
_BY_CHANCE = {f"{BY_CHANCE}.train_chance": "training", f"{BY_CHANCE}.test_chance": "held-out"}


def columns(scorers: Collection[str]) -> frozenset[str]:
    """The columns that an audit reads of the scorers that measure; none where none looks for copies."""
    return frozenset(_BY_CHANCE) if BY_CHANCE in scorers else COLUMNS if SCORER in scorers else frozenset()


def audit(root: Path, judged: Verdicts, scores: Scores) -> Audit | None:
    """What was found among the images that are accepted; ``None`` where there was nothing to compare them with.

    Args:
        root: The run, whose index has the real images.
        judged: What became of the images.
        scores: Their scores, :func:`columns` among them where near-duplicates were looked for.
    """
    if set(scores) >= set(_BY_CHANCE) and (there := _real_images(root)):
        return _by_chance(judged, scores, there)
    if not set(scores) >= COLUMNS or not (known := _real_images(root)):
        return None
    accepted = judged.accepted
    close = {name: int((scores[name][accepted] >= near_duplicates.THRESHOLD).sum()) for name in (_TRAINING, _HELD_OUT)}
    highest = np.fmax(scores[_TRAINING], scores[_HELD_OUT])[accepted].max(initial=0)
    return Audit(
        f"each of {len(accepted):,} images was compared with {known:,} real images by scorer {SCORER}, leaving out the "
        f"one that it was made from; of the {int(accepted.sum()):,} accepted, {close[_TRAINING]:,} come as close to a "
        f"training image as a copy does (similarity {near_duplicates.THRESHOLD}), and {close[_HELD_OUT]:,} to a "
        f"held-out one; the closest has {highest:.3f}"
    )


def _by_chance(judged: Verdicts, scores: Scores, known: int) -> Audit:
    accepted, limit = judged.accepted, near_duplicates.CHANCE
    close = {name: int((scores[name][accepted] <= limit).sum()) for name in _BY_CHANCE}
    said = " and ".join(f"{count:,} a {_BY_CHANCE[name]} image" for name, count in close.items())
    return Audit(
        f"each of {len(accepted):,} images was compared with {known:,} real images by scorer {BY_CHANCE}, leaving out "
        f"the one that it was made from; of the {int(accepted.sum()):,} accepted, {said} resemble as closely as no "
        f"more than {100 * limit:g} in 100 unrelated images do"
    )


def _real_images(root: Path) -> int:
    """How many real images the run knows, of all splits: what the scorer had to compare with."""
    held = run_file.read(root) if run_file.is_run(root) else {}
    path = root / run_file.index_file(held)
    if not path.exists():
        return 0
    return sum(Index.read(path).without(run_file.excluded(held) or {}).account()["usable"].values())
