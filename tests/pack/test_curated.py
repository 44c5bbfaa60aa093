"""Packing takes what was accepted, and says what the filters rejected."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthgen import study
from synthgen.errors import IncompleteError, InputError
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import dataset_folder, verdicts, verify
from synthgen.runs.audit import Audit

BLOCK: dict[str, Any] = {"scorers": {"fake": {}}, "keep": ["fake.chance < 0.6"]}


@pytest.fixture(scope="module")
def judged(run_of: Callable[..., Path]) -> Path:
    """A run of 24 images of which some are rejected; nobody changes it."""
    root = run_of(curate=BLOCK, pack={"images_per_shard": 7}, publish={"license": "openrail"})
    list(study.curate(root))
    return root


@pytest.fixture
def judged_copy(judged: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(judged, tmp_path / "run"))


def test_only_what_is_accepted_is_packed(
    judged: Path, pack: Any, rows: Any, provenance: Any, extensions: Extensions
) -> None:
    """Keys in the dataset are those accepted; it verifies; provenance counts the rejected by reason."""
    dataset = pack(judged)
    accepted = {key for key, kept in verdicts.read_accepted(judged) if kept}
    assert 0 < len(accepted) < 24
    assert {row["key"] for row in rows(dataset)} == accepted
    assert {finding.state for finding in verify.verify(dataset, extensions)} == {"whole"}
    found = provenance(dataset)
    assert (found["packed"], found["near_copy_audit"]) == (len(accepted), "not done: no real images were used")
    assert found["curation"]["filters"] == [
        {"reason": "fails fake.chance < 0.6", "rejected": 24 - len(accepted), "alone": 24 - len(accepted)}
    ]


def test_the_card_says_what_was_filtered(judged: Path, small: Path, pack: Any) -> None:
    """A table of filters with what they rejected, and of dark beside light skin; nothing of it where none was asked."""
    text = (pack(judged) / dataset_folder.CARD).read_text()
    rejected = sum(not kept for _, kept in verdicts.read_accepted(judged))
    assert f"; {rejected} that were made are not here, since a filter rejected them." in text
    assert f"| fails fake.chance &lt; 0.6 | {rejected} | {rejected} |" in text
    assert "dark : light" in text
    assert "Nothing was filtered" not in text
    plain = (pack(small, "plain") / dataset_folder.CARD).read_text()
    assert "Nothing was filtered" in plain
    assert "### Filters" not in plain


def test_the_audit_is_on_record(judged_copy: Path, pack: Any, provenance: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the near-duplicate audit found stands in provenance and in the card, so publish finds it."""
    facts = verdicts.read_summary(judged_copy)
    assert facts is not None
    said = "each of 24 images was compared with 9 real images"
    monkeypatch.setattr(verdicts, "check", lambda *_: replace(facts, audit=Audit(said)))
    dataset = pack(judged_copy)
    assert provenance(dataset)["near_copy_audit"] == said
    assert f"Near-copy audit: {said}." in (dataset / dataset_folder.CARD).read_text()


def test_other_verdicts_make_another_dataset(
    judged_copy: Path, pack: Any, provenance: Any, write_manifest: Callable[..., Path]
) -> None:
    """Judged by another rule, the run's dataset takes the place of the one that is there."""
    packed = provenance(pack(judged_copy))["packed"]
    other = write_manifest(
        curate=BLOCK | {"keep": ["fake.chance < 0.7"]}, pack={"images_per_shard": 7}, publish={"license": "openrail"}
    )
    list(study.curate(judged_copy, manifest=other))
    assert provenance(pack(judged_copy))["packed"] > packed


def test_a_run_that_is_not_judged_is_refused(judged_copy: Path, pack: Any) -> None:
    """Where the manifest says what to keep, nothing is packed before it is judged."""
    (judged_copy / verdicts.FILE).unlink()
    with pytest.raises(IncompleteError, match=f"^{re.escape(str(judged_copy))}: "):
        pack(judged_copy)


def test_a_run_that_keeps_nothing_is_refused(judged_copy: Path, pack: Any, write_manifest: Callable[..., Path]) -> None:
    """Rules that reject every image leave nothing to pack."""
    none = write_manifest(
        curate=BLOCK | {"keep": ["fake.chance < 0"]}, pack={"images_per_shard": 7}, publish={"license": "openrail"}
    )
    list(study.curate(judged_copy, manifest=none))
    with pytest.raises(InputError, match=r"`curate\.keep`"):
        pack(judged_copy)
