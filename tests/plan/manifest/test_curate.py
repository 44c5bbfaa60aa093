"""The ``curate:`` block is checked against the scorers there are, before anything is measured."""

from collections.abc import Callable
from typing import Any

import pytest

from synthgen.errors import ManifestError
from synthgen.plan import Plan

MakePlan = Callable[..., Plan]
GOOD: dict[str, Any] = {"scorers": {"fake": {}}, "keep": ["fake.chance  < 0.9", "not fake.brightness > 0.8"]}


def test_a_block_is_read(make_plan: MakePlan) -> None:
    """Scorers have their settings, rules their text and the columns that they read."""
    found = make_plan(curate=GOOD).manifest.curation
    assert found is not None
    assert list(found.scorers) == ["fake"]
    assert [text for text, _ in found.rules] == ["fake.chance < 0.9", "not fake.brightness > 0.8"]
    assert found.columns == {"fake.chance", "fake.brightness"}


def test_no_block_is_no_curation(make_plan: MakePlan) -> None:
    """A manifest that does not say what to keep keeps everything."""
    assert make_plan().manifest.curation is None


def test_rules_enter_no_digest(make_plan: MakePlan) -> None:
    """Other rules make no other images, so a run can be judged again."""
    assert make_plan(curate=GOOD).digest == make_plan().digest


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"scorers": {}, "keep": []}, "curate.scorers: Dictionary should have at least 1 item"),
        ({"scorers": {"fkae": {}}, "keep": []}, "curate.scorers: no scorer `fkae`; did you mean `fake`?"),
        ({"scorers": {"fkae": {}}, "keep": ["fkae.chance < 1"]}, "curate.scorers: no scorer `fkae`; did you mean"),
        (
            {"scorers": {"near_copy": {}}, "keep": ["near_copy.id == 1"]},
            "curate.keep[0]: column `id` of scorer `near_copy` is text, which can't be compared; there are: similarity",
        ),
        ({"scorers": {"fake": {"x": 1}}}, "curate.scorers.fake.x: unknown key"),
        ({"keep": ["fake.chanec < 1"]}, "curate.keep[0]: scorer `fake` has no column `chanec`; did you mean `chance`?"),
        ({"keep": ["fake.chance <"]}, "curate.keep[0]: expected a number at character 14, the rule ends there"),
        ({"keep": ["faek.value < 1"]}, "curate.keep[0]: no scorer `faek` in `curate.scorers`; did you mean `fake`?"),
        ({"best": {"per_cell": 1, "by": "fake.no"}}, "curate.best.by: scorer `fake` has no column `no`"),
        (
            {"best": {"per_cell": 2, "by": "fake.chance"}, "quota": 3},
            "curate.quota: 3 can't be reached; `best` keeps 2",
        ),
        ({"quota": 0}, "curate.quota: "),
        ({"parity": {"max_ratio": 0.5}}, "curate.parity.max_ratio: "),
        ({"keeps": []}, "curate.keeps: unknown key; did you mean `keep`?"),
    ],
)
def test_a_fault_is_said_with_its_place(make_plan: MakePlan, changes: dict[str, Any], fault: str) -> None:
    """One fault of the block is one line, with its path."""
    with pytest.raises(ManifestError) as caught:
        make_plan(curate=GOOD | changes)
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(fault)


def test_all_faults_are_listed_with_those_of_the_rest(make_plan: MakePlan) -> None:
    """A fault of another part hides none of this one, and one rule's none of the next."""
    with pytest.raises(ManifestError) as caught:
        make_plan(name="No!", curate={"scorers": {"fake": {}}, "keep": ["x", "fake.no < 1"], "quota": "5"})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "curate.quota", "name", "curate.keep[0]", "curate.keep[1]",
    ]  # fmt: skip
