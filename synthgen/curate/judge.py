"""Judges a run: reads its scores, decides by the rules of its manifest, and writes the verdicts; no image is read."""

from pathlib import Path

import numpy as np

from synthgen import verdicts
from synthgen.curate import judging, parity, samples, scores
from synthgen.curate.judging import Verdicts
from synthgen.curate.outcome import Outcome, outcome
from synthgen.errors import IncompleteError, InputError
from synthgen.manifest import Curation
from synthgen.plan import Plan
from synthgen.verdicts import Facts

_AUDIT = "near_copy"
_SIMILARITY = f"{_AUDIT}.similarity"


def curation_of(plan: Plan) -> Curation:
    """The checked ``curate`` block of a plan's manifest.

    Raises:
        InputError: It has none.
    """
    if plan.manifest.curation is None:
        raise InputError("the manifest has no `curate:`, so nothing says what to keep; see docs/curate.md")
    return plan.manifest.curation


def judge(root: Path, plan: Plan) -> Outcome:
    """Judge every image of a run, and write ``verdicts.parquet``.

    Raises:
        InputError: The manifest does not say what to keep, or a rule compares a column that holds no numbers.
        IncompleteError: The run has no image, or an image has no score yet.
    """
    curation, found = curation_of(plan), samples.take(root, plan)
    if not len(found.cell):
        raise IncompleteError(f"{root}: the run holds no image yet; run `synthgen generate` first")
    audited = {_SIMILARITY} if _AUDIT in curation.scorers else set[str]()
    columns = curation.columns | audited
    read = scores.read(root, found, columns)
    judged = judging.judge(curation, found, read)
    facts = Facts(
        run=found.run,
        scores={name: verdicts.score_digest(root, name) for name in sorted({one.partition(".")[0] for one in columns})},
        curate=curation.written.model_dump(mode="json"),
        judged=len(found.cell),
        accepted=int(judged.accepted.sum()),
        filters=judged.filters,
        parity=parity.ratios(judged, plan.manifest.document.skin_tones.scale),
        audit=_audit(judged, read) if audited else "",
    )
    _write(root, judged, facts)
    return outcome(plan, curation, judged, facts)


def _write(root: Path, judged: Verdicts, facts: Facts) -> None:
    """Write the verdicts, where they are not there already."""
    import pyarrow

    verdicts.write(root, judged.samples.keys, pyarrow.array(judged.accepted), judged.reasons(), facts)


def _audit(judged: Verdicts, read: judging.Scores) -> str:
    """What the comparison with real images found, in one sentence."""
    values, accepted = read[_SIMILARITY], judged.accepted
    rejected = [mask for reason, mask in judged.rejected.items() if _SIMILARITY in reason]
    out = int(np.logical_or.reduce(rejected).sum()) if rejected else 0
    known = values[accepted & ~np.isnan(values)]
    closest = (
        f"the closest of the {len(known):,} kept has similarity {known.max():.3f}" if len(known) else "none is kept"
    )
    return (
        f"each of {len(values):,} images was compared with the real images (scorer `{_AUDIT}`); "
        f"{out:,} were rejected as too close, and {closest}"
    )
