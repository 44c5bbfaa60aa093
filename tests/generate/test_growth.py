"""A run grows: what is made stays as it lies, only what is new is made, and the whole equals one made at once."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from synthgen import generate
from synthgen.errors import PlanMismatchError
from synthgen.extensions import EXTENSIONS
from synthgen.pack import pack
from synthgen.plan import Plan, growth, manifest, top_ups
from synthgen.plan.sample import Record
from synthgen.runs import load_plan, run_folder
from synthgen.runs.folders import Run
from synthgen.runs.receipts import Receipt
from synthgen.runs.verify import verify

MakePlan = Callable[..., Plan]
MakeImages = Callable[..., list[Receipt]]
Tars = Callable[[Path], dict[str, bytes]]
LABELS = {"psoriasis": "psoriasis", "healthy": "healthy skin"}
SIZE = {"height": 32, "width": 32}
GROWN: dict[str, dict[str, Any]] = {
    "per_cell": {"generate": [{"strategy": "fake", "per_cell": 6, "settings": SIZE}]},
    "label": {"labels": LABELS | {"acne": "acne"}},
    "tone": {"skin_tones": {"scale": "fitzpatrick", "values": [1, 2, 3, 6]}},
    "order of tones": {"skin_tones": {"scale": "fitzpatrick", "values": [6, 3, 1]}},
    "shard size": {"output": {"image_format": "png", "shard_samples": 3}},
    "entry": {
        "generate": [
            {"strategy": "fake", "per_cell": 4, "settings": SIZE},
            {"name": "more", "strategy": "fake", "per_cell": 1, "settings": SIZE},
        ]
    },
}


def grow(plan: Plan, root: Path, **selection: Any) -> list[Receipt]:
    """Make what a plan has beyond a run; returns the receipts of what was made."""
    job = generate.prepare(plan, root, generate.Selection(**selection), EXTENSIONS)
    return list(generate.generate(job))


def records(root: Path) -> dict[str, Record]:
    """Every record of a run by key; the sha256 of its image is in it."""
    found = list(Run(root, EXTENSIONS).records())
    assert len({one.key for one in found}) == len(found)
    return {one.key: one for one in found}


@pytest.mark.parametrize("change", GROWN.values(), ids=GROWN)
def test_a_grown_run_equals_one_made_at_once(
    change: dict[str, Any], make_plan: MakePlan, make_images: MakeImages, tars_in: Tars, tmp_path: Path
) -> None:
    """Old shards stay to the byte, only what is new is made, and records and images are those of one made at once."""
    old, new = make_plan(), make_plan(**change)
    make_images(old, tmp_path / "grown")
    before = tars_in(tmp_path / "grown")
    made = grow(new, tmp_path / "grown")
    make_images(new, tmp_path / "once")
    assert sum(len(receipt.samples) for receipt in made) == new.samples - old.samples
    assert before.items() <= tars_in(tmp_path / "grown").items()
    assert records(tmp_path / "grown") == records(tmp_path / "once")
    assert {finding.state for finding in verify(tmp_path / "grown", EXTENSIONS)} == {"whole"}


def test_a_dataset_of_a_grown_run_is_that_of_one_made_at_once(
    make_plan: MakePlan, make_images: MakeImages, tmp_path: Path
) -> None:
    """Its shards are the same to the byte, and so are its metadata: images, records, order and places."""
    new = make_plan(**GROWN["tone"])
    make_images(make_plan(), tmp_path / "grown")
    grow(new, tmp_path / "grown")
    make_images(new, tmp_path / "once")
    files = list[dict[str, Any]]()
    for name in ("grown", "once"):
        list(pack(Run(tmp_path / name, EXTENSIONS), tmp_path / f"{name}-dataset"))
        files.append(json.loads((tmp_path / f"{name}-dataset" / "provenance.json").read_bytes())["files"])
    name_the_dataset = {"README.md", "croissant.json"}
    grown, once = ({k: v for k, v in one.items() if k not in name_the_dataset} for one in files)
    assert grown == once


def test_growth_that_was_broken_off_ends_with_the_same_bytes(
    make_plan: MakePlan, make_images: MakeImages, tars_in: Tars, tmp_path: Path
) -> None:
    """A run of which a part was made grows, is stopped, and goes on to the bytes of one that was never stopped."""
    old, new = make_plan(), make_plan(**GROWN["label"])
    make_images(old, tmp_path / "one")
    grow(new, tmp_path / "one")
    make_images(old, tmp_path / "other", limit=5)
    grow(new, tmp_path / "other", limit=10)
    grow(new, tmp_path / "other")
    assert tars_in(tmp_path / "one") == tars_in(tmp_path / "other")
    assert grow(new, tmp_path / "one") == []


def test_a_run_grows_again_and_again(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """After a label more images a cell: each time only what is new is made."""
    twice = make_plan(**GROWN["label"], **GROWN["per_cell"])
    make_images(make_plan(), tmp_path / "grown")
    grow(make_plan(**GROWN["label"]), tmp_path / "grown")
    assert sum(len(one.samples) for one in grow(twice, tmp_path / "grown")) == 54 - 36
    make_images(twice, tmp_path / "once")
    assert records(tmp_path / "grown") == records(tmp_path / "once")


def test_a_topped_up_run_grows(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """What was topped up stays, and takes part in the numbers that are planned now."""
    old, new = make_plan(), make_plan(**GROWN["per_cell"])
    root, rounds = tmp_path / "grown", ({"fake": {("healthy", 6): 3}},)
    make_images(old, root)
    top_ups.add(root, rounds[0], ())
    make_images(Plan(old.manifest, old.index, rounds), root)
    grow(Plan(new.manifest, new.index, rounds), root)
    make_images(Plan(new.manifest, new.index, rounds), tmp_path / "once")
    found = [one for one in records(root) if one.startswith("fake-healthy-6-")]
    assert sorted(found) == [f"fake-healthy-6-{number:07d}" for number in range(9)]
    top_ups.add(tmp_path / "once", rounds[0], ())
    assert records(root) == records(tmp_path / "once")


def test_images_made_from_those_of_a_grown_entry_grow_with_it(
    make_plan: MakePlan, make_images: MakeImages, tmp_path: Path
) -> None:
    """An entry that starts from another's images finds each in the shard that it lies in."""

    def entries(per_cell: int) -> list[dict[str, Any]]:
        child = {"name": "child", "strategy": "fake", "from": "fake", "settings": SIZE}
        return [{"strategy": "fake", "per_cell": per_cell, "settings": SIZE}, child]

    new = make_plan(generate=entries(6))
    make_images(make_plan(generate=entries(4)), tmp_path / "grown")
    child = run_folder.compared(tmp_path / "grown", new, EXTENSIONS)[1]
    assert (child.new, child.changes) == (12, ("generate.fake.per_cell: 4 -> 6",))
    grow(new, tmp_path / "grown")
    make_images(new, tmp_path / "once")
    assert records(tmp_path / "grown") == records(tmp_path / "once")


@pytest.mark.parametrize(
    "refused",
    [
        ({"seed": 8}, "seed: 7 -> 8"),
        ({"labels": LABELS | {"healthy": "bare skin"}}, 'labels.healthy: "healthy skin" -> "bare skin"'),
        ({"labels": {"acne": "acne", **LABELS}}, 'labels.acne: nothing -> "acne"'),
        ({"labels": {"healthy": "healthy skin"}}, 'labels.psoriasis: "psoriasis" -> nothing'),
        ({"generate": [{"strategy": "fake", "per_cell": 3, "settings": SIZE}]}, "generate.fake.per_cell: 4 -> 3"),
        ({"output": {"image_format": "webp", "shard_samples": 5}}, 'output.image_format: "png" -> "webp"'),
    ],
    ids=str,
)
def test_a_change_of_what_is_made_is_refused_by_its_key(
    refused: tuple[dict[str, Any], str],
    make_plan: MakePlan,
    make_images: MakeImages,
    tars_in: Tars,
    tmp_path: Path,
) -> None:
    """The line names the key with its old and its new value, and nothing in the run changes."""
    change, said = refused
    make_images(make_plan(), tmp_path)
    before = tars_in(tmp_path) | {"run.json": (tmp_path / "run.json").read_bytes()}
    with pytest.raises(PlanMismatchError) as caught:
        grow(make_plan(**change), tmp_path)
    [line] = caught.value.args
    assert said in str(line)
    assert "--accept-changes" in str(line)
    assert tars_in(tmp_path) | {"run.json": (tmp_path / "run.json").read_bytes()} == before


def test_a_run_of_an_earlier_version_grows(tmp_path: Path) -> None:
    """Every image that version 0.1.0 made and topped up stays, and only those beyond are to be made."""
    shutil.copytree(Path(__file__).parents[1] / "compat" / "v0.1.0", tmp_path, dirs_exist_ok=True)
    root, text = tmp_path / "runs" / "study" / "work", (tmp_path / "study.yaml").read_text()
    held = Run(root, EXTENSIONS).plan.samples
    asked = manifest.parse(text.replace("per_cell: 3", "per_cell: 9"), EXTENSIONS, base=tmp_path, where="study.yaml")
    job = generate.prepare(load_plan.plan_manifest(asked, root), root, extensions=EXTENSIONS)
    assert sum(job.finished) == held < job.plan.samples
    assert job.samples == job.plan.samples - held


def test_two_plans_of_a_run_are_told_apart_image_by_image(
    make_plan: MakePlan, make_images: MakeImages, tmp_path: Path
) -> None:
    """A tone more is only new images; another word makes that label's anew; a label less leaves its images out."""
    make_images(make_plan(), tmp_path)

    def differences(plan: Plan) -> Sequence[growth.Difference]:
        return run_folder.compared(tmp_path, plan, EXTENSIONS)

    [tone] = differences(make_plan(**GROWN["tone"]))
    assert (tone.new, tone.stays, tone.anew, tone.gone, tone.aside, tone.grows) == (8, 24, 0, 0, 0, True)
    [word] = differences(make_plan(labels=LABELS | {"healthy": "bare skin"}))
    assert (word.new, word.stays, word.anew, word.gone, word.aside, word.grows) == (0, 12, 12, 0, 12, False)
    [label] = differences(make_plan(labels={"psoriasis": "psoriasis"}))
    assert (label.new, label.stays, label.anew, label.gone, label.aside) == (0, 12, 0, 12, 12)
    assert label.changes == ('labels.healthy: "healthy skin" -> nothing',)
    assert [one.new for one in differences(make_plan(**GROWN["entry"]))] == [0, 6]
