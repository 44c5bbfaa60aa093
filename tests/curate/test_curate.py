"""Curation scores a run once, judges it as often as asked, and pack takes what is kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from synthgen import curate, preview, study, verdicts
from synthgen.curate import Judged, Scored
from synthgen.doors import Doors
from synthgen.errors import IncompleteError, InputError, StoppedError
from synthgen.ledger import Receipt
from synthgen.plan import Plan

FAKE = {"scorers": {"fake": {}}, "keep": ["fake.chance < 0.5"]}


@pytest.fixture
def run(
    tmp_path: Path, make_plan: Callable[..., Plan], make_images: Callable[..., list[Receipt]]
) -> Callable[..., Plan]:
    """Makes the small run with a curation in ``tmp_path / "run"``; asked again, claims it with another."""

    def make(curation: dict[str, Any], **changes: Any) -> Plan:
        plan = make_plan(curate=curation, **changes)
        make_images(plan, tmp_path / "run")
        return plan

    return make


def steps(plan: Plan, root: Path) -> tuple[list[Scored], Judged]:
    """What a curation yields."""
    *scored, judged = curate.curate(curate.prepare(plan, root))
    assert isinstance(judged, Judged)
    return [one for one in scored if isinstance(one, Scored)], judged


def test_every_image_has_a_row_and_a_reason(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """Each image is scored and judged; one that is rejected says by which rule."""
    scored, judged = steps(run(FAKE), tmp_path / "run")
    assert sum(one.images for one in scored) == 24
    scores = pq.read_table(tmp_path / "run/scores/fake.parquet").to_pylist()
    rows = pq.read_table(tmp_path / "run/verdicts.parquet").to_pylist()
    assert [row["key"] for row in rows] == [row["key"] for row in scores]
    assert all(row["accepted"] == (score["chance"] < 0.5) for row, score in zip(rows, scores, strict=True))
    assert {row["reason"] for row in rows} == {"", "fake.chance < 0.5"}
    assert judged.verdicts.reasons() == {"fake.chance < 0.5": sum(not row["accepted"] for row in rows)}


def test_scores_say_what_they_were_made_by(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """The file's metadata holds the scorer, its settings, its method and a digest."""
    steps(run(FAKE | {"scorers": {"fake": {"offset": 2.0}}}), tmp_path / "run")
    facts = json.loads(pq.read_schema(tmp_path / "run/scores/fake.parquet").metadata[b"synthgen"])
    assert facts["scorer"] == "fake"
    assert facts["settings"] == {"offset": 2.0}
    assert facts["method"] == "fake-1"
    assert len(facts["digest"]) == 64


def test_another_rule_scores_nothing_again(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """A rule is changed and all is judged anew, though no image could be read."""
    steps(run(FAKE), tmp_path / "run")
    plan = run(FAKE | {"keep": ["fake.chance < 0.5", "highest 1 by fake.brightness"]})
    job = curate.prepare(plan, tmp_path / "run")
    for tar in (tmp_path / "run/fake").glob("*.tar"):
        tar.write_bytes(b"")
    *scored, judged = curate.curate(job)
    assert scored == []
    assert isinstance(judged, Judged)
    assert max(count for (*_, reason), count in judged.counts.items() if not reason) == 1


def test_a_curation_that_was_stopped_ends_with_the_same_bytes(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """What was scored before a stop is kept, and the files are those of one that was never stopped."""
    plan, root = run(FAKE), tmp_path / "run"
    steps(plan, root)
    files = [root / "scores/fake.parquet", root / "verdicts.parquet"]
    before = [file.read_bytes() for file in files]
    parts = sorted((root / "scores/.parts").rglob("*.parquet"))
    for file in (*files, *parts[1:]):
        file.unlink()
    seen: list[object] = []
    with pytest.raises(StoppedError):
        seen.extend(curate.curate(curate.prepare(plan, root), lambda: True))
    assert len(list((root / "scores/.parts").rglob("*.parquet"))) == 1
    assert len(steps(plan, root)[0]) == len(parts) - 1
    assert [file.read_bytes() for file in files] == before


def test_other_settings_are_scored_anew(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """A scorer with other settings measures everything again, beside what was measured before."""
    steps(run(FAKE), tmp_path / "run")
    assert len(steps(run(FAKE | {"scorers": {"fake": {"offset": 1.0}}}), tmp_path / "run")[0]) == 5


def test_pack_takes_what_is_kept(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """The dataset holds the accepted images alone; card and provenance say what was rejected and why."""
    plan, root, out = run(FAKE), tmp_path / "run", tmp_path / "dataset"
    with pytest.raises(IncompleteError, match="no verdicts yet; run `synthgen curate"):
        list(study.pack(root, out))
    steps(plan, root)
    list(study.pack(root, out))
    kept = {row["key"] for row in pq.read_table(root / "verdicts.parquet").to_pylist() if row["accepted"]}
    assert set(pq.read_table(out / "metadata.parquet")["key"].to_pylist()) == kept
    provenance = json.loads((out / "provenance.json").read_bytes())
    assert provenance["rejected"] == 24 - len(kept)
    assert provenance["curation"]["rules"] == ["fake.chance < 0.5"]
    card = (out / "README.md").read_text()
    assert f"{24 - len(kept)} were rejected" in card
    assert "| fake.chance &lt; 0.5 |" in card
    assert "Nothing was filtered" not in card


def test_pack_refuses_verdicts_by_other_rules(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """Verdicts must be by the manifest's rules, and rules that keep nothing make no dataset."""
    steps(run(FAKE), tmp_path / "run")
    plan = run(FAKE | {"keep": ["fake.chance < -1"]})
    with pytest.raises(IncompleteError, match="its verdicts are of other images or rules"):
        list(study.pack(tmp_path / "run", tmp_path / "dataset"))
    steps(plan, tmp_path / "run")
    with pytest.raises(InputError, match="keep no image"):
        list(study.pack(tmp_path / "run", tmp_path / "dataset"))


def test_other_verdicts_are_another_dataset(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """The dataset's digest holds the verdicts."""
    digests = set()
    for number, rule in enumerate(("fake.chance < 0.5", "fake.chance < 0.6")):
        steps(run(FAKE | {"keep": [rule]}), tmp_path / "run")
        list(study.pack(tmp_path / "run", tmp_path / f"dataset-{number}"))
        digests.add(json.loads((tmp_path / f"dataset-{number}/provenance.json").read_bytes())["dataset_digest"])
    assert len(digests) == 2


def test_a_quota_that_is_missed_is_told_by_cell(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """What each label and skin tone lacks of the quota is counted."""
    _, judged = steps(
        run({"scorers": {"fake": {}}, "keep": ["highest 3 by fake.chance"], "quota": 4}), tmp_path / "run"
    )
    assert set(judged.lacking.values()) == {1}
    assert len(judged.lacking) == 6


def test_verdicts_are_read_as_they_were_written(tmp_path: Path, run: Callable[..., Plan]) -> None:
    """Verdicts come back with their facts; a folder without any says what to do."""
    with pytest.raises(IncompleteError, match="no verdicts yet"):
        verdicts.read(tmp_path)
    _, judged = steps(run(FAKE), tmp_path / "run")
    found = verdicts.read(tmp_path / "run")
    assert found.facts == judged.verdicts.facts
    assert found.counts() == judged.counts


def test_a_manifest_without_curation_is_refused(tmp_path: Path, make_plan: Callable[..., Plan]) -> None:
    """Where nothing is asked for, the line says what to write."""
    with pytest.raises(InputError, match="the manifest has no `curate:`"):
        curate.prepare(make_plan(), tmp_path)


def test_the_gallery_shows_what_was_rejected_and_why(tmp_path: Path, run: Callable[..., Plan], doors: Doors) -> None:
    """Rejected pictures are in the page with their reason, and a filter; without curation there is none."""
    plan, root = run(FAKE), tmp_path / "run"
    preview.show(root, tmp_path / "before.html", doors)
    steps(plan, root)
    preview.show(root, tmp_path / "after.html", doors)
    before, after = ((tmp_path / f"{name}.html").read_text() for name in ("before", "after"))
    assert '<select id="verdict"' not in before
    assert '<select id="verdict"' in after
    assert "rejected: fake.chance \\u003c 0.5" in after
