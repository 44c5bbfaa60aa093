"""A short form of the harness: of each kind of file and of damage one is seen, and a killed command ends the same."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.fspath(Path(__file__).parent))  # importlib mode finds no neighbours by itself

import damages
import kills
import page
import specimen

import manifests

KINDS, DAMAGES = len(specimen.KINDS), len(damages.DAMAGES)


def test_every_damage_is_seen_or_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of file in one way, and of all in every way; and first of all a whole study is whole."""
    monkeypatch.setitem(sys.modules, "torch", None)  # nothing here needs it, and it takes seconds
    targets = specimen.build(tmp_path)
    assert {one.kind for one in targets} == {kind for kind, _ in specimen.KINDS}
    assert [said for folder in dict.fromkeys(one.folder for one in targets) for said in damages.seen(folder)] == []
    found = list(damages.cases(targets, 3, [kind * DAMAGES + kind * 3 % DAMAGES for kind in range(KINDS)]))
    assert [case.where for case in found if case.outcome == "missed"] == []
    assert len({case.kind for case in found}) >= KINDS - 3  # zeros made zeros are no damage, nor is another file alike


@pytest.mark.parametrize("signals", [False, True], ids=["killed", "stopped"])
def test_a_killed_command_ends_the_same(*, signals: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is found to differ is named, and a command that was not killed differs in nothing."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(kills, "IMPORTED", ())
    monkeypatch.setattr(kills, "VERBS", {"generate": kills.VERBS["generate"], "curate": kills.VERBS["curate"]})
    for one, _ in zip(kills.episodes(tmp_path, 1, 60, signals=signals), range(2), strict=False):
        assert one.differs == ()


def test_a_changed_manifest_is_planned_or_refused_in_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is changed in whichever of those that ship, nothing ends in a traceback or hangs."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(manifests, "_names", lambda: ["da-fusion", "ham10000", "quickstart"])
    found = list(manifests.cases(tmp_path, 4, range(24)))
    assert [case.where for case in found if case.bad] == []
    assert {case.outcome for case in found} == {"refused", "planned"}


def test_the_page_tells_what_was_missed() -> None:
    """And of what kind."""
    found = [
        damages.Case("receipt", "flip", "missed", "work/a.json: flip"),
        damages.Case("scores", "edit", "seen", "x"),
    ]
    text = page.text({"damages": page.damages(found, 1)})
    assert "| receipt | 1 | 0 | 0 | 1 | 0/1 |" in text
    assert "- work/a.json: flip" in text
    assert "| **all** | 2 | 1 | 0 | 1 |" in text
    broken = manifests.Case("quickstart", "gone", "hangs", 20.0, "quickstart, gone: hangs")
    text = page.text({"manifests": page.manifests([broken], 1)})
    assert "| gone | 1 | 0 | 0 | 1 |" in text
    assert "- quickstart, gone: hangs" in text
