"""The near-duplicate audit is one thing in verdicts, card and provenance: made, or not made."""

from pathlib import Path

import pyarrow
import pytest

from synthgen.runs import audit, verdicts
from synthgen.runs.audit import Audit

FOUND = Audit("each of 4 images was compared with 3 real images")


def test_an_audit_comes_back_from_provenance() -> None:
    """What is written of an audit is read as that audit, and of none as none."""
    for real_images in (False, True):
        assert audit.from_provenance(audit.text(FOUND, real_images=real_images)) == FOUND
        assert audit.from_provenance(audit.text(None, real_images=real_images)) is None


@pytest.mark.parametrize("recorded", ["not done: no time", " Not done", "", None, {}])
def test_what_says_not_done_is_none(recorded: object) -> None:
    """A provenance that others changed may say it in words of their own, or not at all."""
    assert audit.from_provenance(recorded) is None


def test_another_comparison_is_an_audit() -> None:
    """Numbers that somebody put there are a result too."""
    assert audit.from_provenance({"threshold": 0.95, "found": 0}) is not None


@pytest.mark.parametrize("made", [FOUND, None])
def test_verdicts_keep_an_audit(made: Audit | None, tmp_path: Path) -> None:
    """A run's verdicts give back the audit that they were written with, or none."""
    summary = verdicts.CurationSummary(
        run="0", scores={}, curate={}, judged=1, accepted=1, filters=[], parity=[], audit=made
    )
    reasons = pyarrow.array([[]], pyarrow.list_(pyarrow.string()))
    verdicts.write(tmp_path, pyarrow.array(["a"]), pyarrow.array([True]), reasons, summary)
    assert verdicts.read_summary(tmp_path) == summary
