"""Judges a run: reads its image table and scores, applies the rules, and writes ``verdicts.parquet``."""

from pathlib import Path

from synthgen.curate import image_table, near_duplicate_audit, parity, rules, score_columns, survivors
from synthgen.curate.survivors import Survivors
from synthgen.errors import IncompleteError, InputError
from synthgen.plan import Plan
from synthgen.plan.manifest import Curation
from synthgen.runs import verdicts
from synthgen.runs.verdicts import CurationSummary


def curation_of(plan: Plan) -> Curation:
    """The checked ``curate`` block of a plan's manifest.

    Raises:
        InputError: It has none.
    """
    if plan.manifest.curation is None:
        raise InputError("the manifest has no `curate:`, so nothing says what to keep; see docs/curate.md")
    return plan.manifest.curation


def judge(root: Path, plan: Plan) -> Survivors:
    """What became of every image of a run by the rules of its manifest; writes ``verdicts.parquet``, reads no image.

    Raises:
        InputError: The manifest does not say what to keep, or a rule compares a column that holds no numbers.
        IncompleteError: The run has no image, or an image has no score yet.
    """
    import pyarrow

    curation, images = curation_of(plan), image_table.read(root, plan)
    if not len(images.cell):
        raise IncompleteError(f"{root}: the run holds no image yet; run `synthgen generate` first")
    columns = curation.columns | near_duplicate_audit.columns(curation.scorers)
    scores = score_columns.read(root, images, columns)
    judged = rules.judge(curation, images, scores)
    summary = CurationSummary(
        run=images.run,
        scores={name: verdicts.score_digest(root, name) for name in sorted({one.partition(".")[0] for one in columns})},
        curate=curation.written.model_dump(mode="json"),
        judged=len(images.cell),
        accepted=int(judged.accepted.sum()),
        filters=judged.filters,
        parity=parity.ratios(judged, plan.manifest.document.skin_tones.scale),
        audit=near_duplicate_audit.audit(root, judged, scores),
    )
    verdicts.write(root, images.keys, pyarrow.array(judged.accepted), judged.reasons(), summary)
    return survivors.count_survivors(plan, curation, judged, summary)
