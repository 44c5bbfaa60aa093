"""A run is judged from its receipts and scores alone, and its verdicts say what they follow from."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from synthgen import curate, study
from synthgen.curate import image_table, survivors_chart
from synthgen.errors import DamagedError, IncompleteError, InputError, UnavailableError
from synthgen.plan import Plan
from synthgen.runs import receipts, verdicts

MakePlan = Callable[..., Plan]
BLOCK: dict[str, Any] = {"scorers": {"fake": {}}, "keep": ["fake.chance < 0.6"]}


def keys_of(plan: Plan) -> list[str]:
    return [sample.key for entry in plan.entries.values() for n in range(entry.shards) for sample in entry.shard(n)]


@pytest.fixture(scope="module")
def whole(make_plan: MakePlan, make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 24 images, one of which could not be made; nobody changes it."""
    root = tmp_path_factory.mktemp("whole") / "run"
    make_images(make_plan(**changes()), root)
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path, write_scores: Callable[..., None], make_plan: MakePlan) -> Path:
    """A copy of the run, with scores."""
    copy = Path(shutil.copytree(whole, tmp_path / "run"))
    write_scores(copy, keys_of(make_plan(**changes()))[::-1])
    return copy


def changes(**block: Any) -> dict[str, Any]:
    settings = {"height": 32, "width": 32, "flat": [3], "flat_attempts": 9}
    entry = {"strategy": "fake", "per_cell": 4, "settings": settings}
    return {"generate": [entry], "curate": BLOCK | block}


def test_every_image_made_has_a_row(root: Path, make_plan: MakePlan, chance_of: Callable[[str], float]) -> None:
    """Rows are in the plan's order, whatever order the scores came in; an image that could not be made has none."""
    plan = make_plan(**changes())
    found = curate.judge(root, plan)
    rows = pyarrow.parquet.read_table(root / verdicts.FILE).to_pylist()
    keys = keys_of(plan)
    assert [row["key"] for row in rows] == keys[:3] + keys[4:]
    assert all(row["accepted"] == (chance_of(row["key"]) < 0.6) for row in rows)
    assert {tuple(row["reasons"]) for row in rows if not row["accepted"]} == {("fails fake.chance < 0.6",)}
    assert (found.facts.judged, found.facts.accepted) == (23, sum(row["accepted"] for row in rows))


def test_verdicts_are_the_same_to_the_byte(root: Path, make_plan: MakePlan) -> None:
    """Judged again, with the list of images kept or made anew, the file is the same."""
    plan = make_plan(**changes())
    curate.judge(root, plan)
    before = (root / verdicts.FILE).read_bytes()
    (root / "scores" / ".samples.parquet").unlink()
    curate.judge(root, plan)
    assert (root / verdicts.FILE).read_bytes() == before


def test_another_rule_needs_no_image(root: Path, make_plan: MakePlan, chance_of: Callable[[str], float]) -> None:
    """Tars can be away, as long as receipts say what was made."""
    curate.judge(root, make_plan(**changes()))
    stricter = curate.judge(root, make_plan(**changes(keep=["fake.chance < 0.1"])))
    facts = verdicts.read_summary(root)
    assert facts == stricter.facts
    assert facts is not None
    assert facts.accepted == sum(chance_of(key) < 0.1 for key, _ in verdicts.read_accepted(root))


def test_cells_are_counted(root: Path, make_plan: MakePlan) -> None:
    """Each cell says what was planned, judged, kept and rejected, and what a quota lacks."""
    found = curate.judge(root, make_plan(**changes(quota=4)))
    assert [(cell.planned, cell.judged) for cell in found.cells] == [(4, 3 if n == 3 else 4) for n in range(6)]
    assert all(cell.lacking == 4 - cell.kept == 4 - cell.accepted for cell in found.cells)
    assert all(cell.judged == cell.accepted + sum(cell.rejected.values()) for cell in found.cells)
    assert found.lacking == [cell for cell in found.cells if cell.accepted < 4] != []


def test_a_shard_made_anew_is_noticed(root: Path, make_plan: MakePlan, make_images: Callable[..., Any]) -> None:
    """The list of images that is kept follows the receipts."""
    plan = make_plan(**changes())
    first = image_table.read(root, plan)
    (root / "fake" / "00001.json").unlink()
    fewer = image_table.read(root, plan)
    make_images(plan, root)
    again = image_table.read(root, plan)
    assert (len(first.cell), len(fewer.cell), len(again.cell)) == (23, 18, 23)
    assert (
        first.run
        == again.run
        == receipts.shards_digest(one.receipt.sha256 for one in receipts.finished_shards(plan, root))
        != fewer.run
    )


def test_an_image_without_a_score_is_said(root: Path, make_plan: MakePlan, write_scores: Callable[..., None]) -> None:
    """Scores of a part of the run are no scores of the run."""
    plan = make_plan(**changes())
    write_scores(root, keys_of(plan)[:-1])
    with pytest.raises(IncompleteError, match=rf"fake\.parquet: 1 of 23 .*`{keys_of(plan)[-1]}`"):
        curate.judge(root, plan)


def test_what_can_not_be_judged_is_said(
    root: Path, make_plan: MakePlan, write_scores: Callable[..., None], tmp_path: Path
) -> None:
    """No scores, a column of text, half a file, no block: each is one line."""
    plan = make_plan(**changes())
    write_scores(root, keys_of(plan), lambda _: {"chance": "a"})
    with pytest.raises(InputError, match=r"`fake\.chance`"):
        curate.judge(root, plan)
    (root / "scores" / "fake.parquet").write_bytes(b"PAR1")
    with pytest.raises(DamagedError, match=r"fake\.parquet: "):
        curate.judge(root, plan)
    (root / "scores" / "fake.parquet").unlink()
    with pytest.raises(IncompleteError, match=r"fake\.parquet: "):
        curate.judge(root, plan)
    with pytest.raises(InputError, match="`curate:`"):
        curate.judge(root, make_plan())
    with pytest.raises(IncompleteError, match=f"^{re.escape(str(tmp_path / 'empty'))}: "):
        curate.judge(tmp_path / "empty", plan)


def test_verdicts_are_refused_once_they_are_old(
    root: Path, make_plan: MakePlan, write_scores: Callable[..., None]
) -> None:
    """Other images, other rules, other scores, or no rules any more: each is said, with what to do."""
    plan = make_plan(**changes())
    facts = curate.judge(root, plan).facts
    run, block = facts.run, plan.manifest.document.curate
    assert block is not None
    assert verdicts.check(root, run, block) == facts
    for arguments, what in (
        (("other", block), "images"),
        ((run, block.model_copy(update={"quota": 5})), "rules"),
        ((run, None), "`curate:`"),
    ):
        with pytest.raises(IncompleteError, match=f"{verdicts.FILE}: .*{what}"):
            verdicts.check(root, *arguments)
    write_scores(root, keys_of(plan))
    with pytest.raises(IncompleteError, match=f"{verdicts.FILE}: .*scores"):
        verdicts.check(root, run, block)
    (root / verdicts.FILE).unlink()
    assert verdicts.check(root, run, None) is None
    with pytest.raises(IncompleteError, match=f"^{re.escape(str(root))}: "):
        verdicts.check(root, run, block)


def test_a_file_that_is_no_verdicts_is_damage(root: Path) -> None:
    """Half a file, or somebody else's, is said to be that."""
    (root / verdicts.FILE).write_bytes(b"PAR1")
    with pytest.raises(DamagedError, match=verdicts.FILE):
        verdicts.read_summary(root)
    pyarrow.parquet.write_table(pyarrow.table({"key": ["a"]}), root / verdicts.FILE)
    with pytest.raises(DamagedError, match=verdicts.FILE):
        verdicts.read_summary(root)


def test_the_chart_is_the_same_to_the_byte(root: Path, make_plan: MakePlan) -> None:
    """Survivors are drawn into the run."""
    found = curate.judge(root, make_plan(**changes()))
    first = survivors_chart.draw(found, root).read_bytes()
    assert first.startswith(b"\x89PNG")
    assert survivors_chart.draw(found, root).read_bytes() == first


def test_a_scorer_that_cannot_be_had_is_said_before_any_image(make_plan: MakePlan, tmp_path: Path) -> None:
    """Not after hours of generating."""
    plan = make_plan(curate={"scorers": {"domain": {"backbone": str(tmp_path)}}, "keep": ["domain.distance < 1"]})
    with pytest.raises(UnavailableError):
        list(study.run(plan, tmp_path / "study"))
    assert not list((tmp_path / "study").rglob("*.tar"))
