"""A quota is filled by making more of the cells that lack images, and no others, a bounded number of times."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import curate, generate, study
from synthgen.core.devices import DeviceRequest
from synthgen.curate import Survivors
from synthgen.generate import reproduce
from synthgen.plan import Plan, top_ups
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import run_file, run_folder, tar_samples, verdicts, verify

BLOCK: dict[str, Any] = {"scorers": {"fake": {}}, "keep": ["fake.chance < 0.6"], "quota": 4}


def fill(plan: Plan, root: Path) -> list[Survivors]:
    """Generates, curates and tops up; returns what became of the images, round after round."""
    return [step for step in study.fill(plan, root, DeviceRequest(), stop=lambda: False) if isinstance(step, Survivors)]


@pytest.fixture(scope="module")
def filled(make_plan: Callable[..., Plan], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose every cell has its quota; nobody changes it."""
    root = tmp_path_factory.mktemp("filled") / "run"
    fill(make_plan(curate=BLOCK), root)
    return root


def test_every_cell_gets_its_quota(filled: Path, extensions: Extensions) -> None:
    """At the end each cell has four accepted images or more, and the run verifies with what was added."""
    plan = run_folder.read_plan(filled, extensions)
    outcome = curate.judge(filled, plan)
    assert plan.rounds
    assert outcome.lacking == []
    assert min(cell.accepted for cell in outcome.cells) >= 4
    found = list(verify.verify(filled, extensions))
    assert {one.state for one in found} == {"whole"}
    assert sum(one.samples for one in found) == plan.samples > 24


def test_a_manifest_of_other_tones_is_filled_at_once(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    """Scorers see the real images as the new manifest reads them; nobody has to run `generate` by itself before."""
    block, real = BLOCK | {"quota": 1}, {"source": "phantom", "count": 12}
    before, after = ({"scale": "fitzpatrick", "values": values} for values in ([1], [1, 6]))
    list(
        study.fill(make_plan(curate=block, real=real, skin_tones=before), tmp_path, DeviceRequest(), stop=lambda: False)
    )
    planned = make_plan(curate=block, real=real, skin_tones=after)
    steps = study.fill(planned, tmp_path, DeviceRequest(), stop=lambda: False, accept_changes=True)
    *_, last = [step for step in steps if isinstance(step, Survivors)]
    assert {cell.tone for cell in last.cells} == {1, 6}


def test_it_is_a_pure_function_of_the_manifest(filled: Path, make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    """Made again elsewhere, rounds, images and verdicts are the same to the byte."""
    fill(make_plan(curate=BLOCK), tmp_path / "run")
    for name in (top_ups.FILE, verdicts.FILE, *(path.relative_to(filled) for path in filled.rglob("*.tar"))):
        assert (tmp_path / "run" / name).read_bytes() == (filled / name).read_bytes()


def test_two_that_fill_one_run_add_each_round_once(
    filled: Path, make_plan: Callable[..., Plan], tmp_path: Path, extensions: Extensions
) -> None:
    """Whoever comes first adds a round, and the other makes the images of it; the run is that of one alone."""
    plan, root = make_plan(curate=BLOCK), tmp_path / "run"
    both = [study.fill(plan, root, DeviceRequest(), stop=lambda: False) for _ in range(2)]
    while both:
        both = [one for one in both if next(one, None) is not None]
    for name in (top_ups.FILE, verdicts.FILE, *(path.relative_to(filled) for path in filled.rglob("*.tar"))):
        assert (root / name).read_bytes() == (filled / name).read_bytes()
    assert {one.state for one in verify.verify(root, extensions)} == {"whole"}


def test_one_that_comes_late_makes_the_rounds_of_the_other(make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    """A run that was topped up since a plan was made keeps its rounds in its file, and the plan gets them."""
    plan = make_plan(curate=BLOCK)
    fill(plan, tmp_path / "run")
    before = run_file.read(tmp_path / "run")
    assert generate.prepare(plan, tmp_path / "run").plan.rounds == top_ups.read(tmp_path / "run")
    assert run_file.read(tmp_path / "run") == before


def test_a_run_that_is_filled_is_left_alone(filled: Path, extensions: Extensions) -> None:
    """Topped up again, nothing is made and no round is added."""
    before = {path: path.stat().st_mtime_ns for path in filled.rglob("*.tar")}
    rounds = top_ups.read(filled)
    fill(run_folder.read_plan(filled, extensions), filled)
    assert {path: path.stat().st_mtime_ns for path in filled.rglob("*.tar")} == before
    assert top_ups.read(filled) == rounds


def test_what_was_added_is_packed_and_made_again(filled: Path, tmp_path: Path, extensions: Extensions) -> None:
    """The dataset knows the images beyond the plan: it verifies, and one of them is reproduced to the byte."""
    dataset = tmp_path / "dataset"
    list(study.pack(filled, dataset))
    assert {one.state for one in verify.verify(dataset, extensions)} == {"whole"}
    last = max(path for path in filled.rglob("*.tar"))
    accepted = {key for key, kept in verdicts.read_accepted(filled) if kept}
    key = next(sample.key for sample in tar_samples.read(last) if sample.key in accepted)
    assert reproduce.reproduce(dataset, key, extensions).identical
    assert reproduce.reproduce(filled, key, extensions).identical


def test_more_is_made_where_less_is_kept(make_plan: Callable[..., Plan], filled: Path) -> None:
    """A cell gets what it lacks over the share that is kept of it, four times that at the most, and others nothing."""
    plan = make_plan(curate=BLOCK)
    outcome = curate.judge(filled, run_folder.read_plan(filled, study.EXTENSIONS))

    def cell(**facts: Any) -> curate.CellSurvivors:
        given = {"entry": "fake", "label": "healthy", "skin_tone": "I", "judged": 8, "accepted": 0, "rejected": {}}
        return curate.CellSurvivors(**{**given, "planned": 8, **facts})

    lacking = [
        cell(tone=1, kept=4, lacking=3), cell(tone=3, kept=1, lacking=3), cell(tone=6, kept=0, lacking=2),
        cell(tone=1, label="psoriasis", kept=9, lacking=0),
    ]  # fmt: skip
    found = curate.next_round(plan, Survivors(outcome.facts, lacking, 1.0, requires_parity=False))
    assert found == {"fake": {("healthy", 1): 6, ("healthy", 3): 12, ("healthy", 6): 8}}


def test_what_an_entry_lacks_is_asked_of_the_one_it_starts_from(make_plan: Callable[..., Plan], filled: Path) -> None:
    """More of the first entry are made, label by label of it, since each gives one image of the second."""
    entries = [
        {"strategy": "fake", "per_cell": 4},
        {"name": "turned", "strategy": "fake", "from": "fake", "target_label": "healthy"},
    ]
    plan = make_plan(generate=entries, curate=BLOCK)
    facts = curate.judge(filled, run_folder.read_plan(filled, study.EXTENSIONS)).facts
    lacking = curate.CellSurvivors("turned", "healthy", 6, "VI", 8, 8, 4, 4, {}, 2)
    found = curate.next_round(plan, Survivors(facts, [lacking], 1.0, requires_parity=False))
    assert found == {"fake": {("healthy", 6): 2, ("psoriasis", 6): 2}}


def test_a_cell_that_can_not_be_filled_ends_it(
    make_plan: Callable[..., Plan], tmp_path: Path, extensions: Extensions
) -> None:
    """After the rounds that the manifest allows, what is lacking is said, and what was made is kept."""
    plan = make_plan(curate=BLOCK | {"keep": ["fake.chance < 0"], "quota": 1, "top_up_rounds": 2})
    outcomes = fill(plan, tmp_path / "run")
    assert len(outcomes) == 3
    assert len(outcomes[-1].lacking) == 6
    assert len(run_folder.read_plan(tmp_path / "run", extensions).rounds) == 2


def test_a_round_that_was_broken_off_is_finished(filled: Path, tmp_path: Path, extensions: Extensions) -> None:
    """Killed after a round was written and before it was made, the same command ends with the same bytes."""
    run = Path(shutil.copytree(filled, tmp_path / "run"))
    last = max(path for path in run.rglob("*.tar"))
    for path in (last, last.with_suffix(".json"), run / verdicts.FILE):
        path.unlink()
    fill(run_folder.read_plan(run, extensions), run)
    for name in (top_ups.FILE, verdicts.FILE, last.relative_to(run)):
        assert (run / name).read_bytes() == (filled / name).read_bytes()
