"""Judges a run: reads its scores, decides by the rules of its manifest, and writes the verdicts; no image is read."""

from pathlib import Path

from synthgen.curate import image_table, near_duplicate_audit, rules, score_columns
from synthgen.curate.rules import Verdicts
from synthgen.curate.survivors import Survivors, outcome
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
    """Judge every image of a run, and write ``verdicts.parquet``.

    Raises:
        InputError: The manifest does not say what to keep, or a rule compares a column that holds no numbers.
        IncompleteError: The run has no image, or an image has no score yet.
    """
    curation, found = curation_of(plan), image_table.take(root, plan)
    if not len(found.cell):
        raise IncompleteError(f"{root}: the run holds no image yet; run `synthgen generate` first")
    columns = curation.columns | (
        near_duplicate_audit.COLUMNS if near_duplicate_audit.SCORER in curation.scorers else frozenset()
    )
    read = score_columns.read(root, found, columns)
    judged = rules.judge(curation, found, read)
    facts = CurationSummary(
        run=found.run,
        scores={name: verdicts.score_digest(root, name) for name in sorted({one.partition(".")[0] for one in columns})},
        curate=curation.written.model_dump(mode="json"),
        judged=len(found.cell),
        accepted=int(judged.accepted.sum()),
        filters=judged.filters,
        parity=rules.ratios(judged, plan.manifest.document.skin_tones.scale),
        audit=near_duplicate_audit.audit(root, judged, read),
    )
    _write(root, judged, facts)
    return outcome(plan, curation, judged, facts)


def _write(root: Path, judged: Verdicts, facts: CurationSummary) -> None:
    """Write the verdicts, where they are not there already."""
    import pyarrow

    verdicts.write(root, judged.samples.keys, pyarrow.array(judged.accepted), judged.reasons(), facts)
