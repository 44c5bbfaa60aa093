"""Runs of other models, adapters or settings have the same keys, seeds and prompts; any other difference is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import synthgen
from synthgen.compare.matching import match
from synthgen.errors import IncompleteError, InputError
from synthgen.plan import Plan
from synthgen.runs.folders import Run

ENTRY = {"name": "text", "strategy": "text2img", "per_cell": 2, "settings": {"height": 64, "width": 64}}
LCM = {"accelerate": "phantom-lcm"}


@pytest.fixture(scope="module")
def first(make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run without real images; nobody changes it."""
    return make_run(tmp_path_factory.mktemp("matching") / "first")


@pytest.mark.parametrize(
    "change",
    [LCM, LCM | {"settings": {"height": 64, "width": 64, "num_inference_steps": 2}}, {"model": "other"}],
    ids=["accelerate", "settings", "model"],
)
def test_what_makes_images_alone_changes_no_key_seed_or_prompt(
    change: dict[str, Any], make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """So a manifest for each generator is all that a comparison takes."""
    if "model" in change:
        change = {"model": str(shutil.copytree(Path(synthgen.__path__[0], "phantom", "weights"), tmp_path / "other"))}
    one, other = (make_plan(model="phantom", generate=[ENTRY | more]) for more in ({}, change))
    assert one.digest != other.digest
    asked = [
        [(sample.key, sample.seed, sample.prompt, sample.negative_prompt) for sample in plan.entries["text"]]
        for plan in (one, other)
    ]
    assert asked[0] == asked[1]


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("seed", {"seed": 8}),
        ("labels.healthy", {"labels": {"psoriasis": "psoriasis", "healthy": "bare skin"}}),
        ("labels", {"labels": {"healthy": "healthy skin", "psoriasis": "psoriasis"}}),
        ("skin_tones.values", {"skin_tones": {"scale": "fitzpatrick", "values": [1, 6]}}),
        ("skin_tones.scale", {"skin_tones": {"scale": "monk", "values": [1, 3, 6]}}),
        ("prompts", {"prompts_text": "templates: ['a photograph of {label}']"}),
    ],
)
def test_another_question_is_refused_by_the_key_that_asks_it(
    key: str, change: dict[str, Any], first: Run, make_run: Callable[..., Run], tmp_path: Path
) -> None:
    """In one line, which names both folders."""
    other = make_run(tmp_path / "other", **change)
    with pytest.raises(InputError) as raised:
        match([first, other])
    [fault] = raised.value.faults
    assert fault.path.startswith(key)
    assert str(first.root) in fault
    assert str(other.root) in fault


def test_other_real_images_are_refused(
    make_run: Callable[..., Run], real: dict[str, Any], tmp_path: Path, first: Run
) -> None:
    """What is measured against others can't be set side by side."""
    with pytest.raises(InputError, match="real"):
        match([first, make_run(tmp_path / "other", real=real)])


def test_another_entry_has_no_partner(first: Run, make_run: Callable[..., Run], tmp_path: Path) -> None:
    """Keys, and so seeds, begin with the entry's name."""
    entry = {"name": "other", "strategy": "fake", "per_cell": 4, "settings": {"height": 32, "width": 32}}
    with pytest.raises(InputError, match="name them alike"):
        match([first, make_run(tmp_path / "other", generate=[entry])])


def test_images_that_only_one_run_has_are_left_out(first: Run, make_run: Callable[..., Run], tmp_path: Path) -> None:
    """A longer run is compared by what the shorter one has, and scorers see no other image."""
    longer = make_run(tmp_path / "longer", per_cell=6)
    found = match([longer, first])
    assert len(found.images) == 24
    assert [one.made for one in found.generators] == [36, 24]
    assert [sum(shard.images for shard in one.shards) for one in found.generators] == [24, 24]


def test_one_run_twice_is_refused(first: Run) -> None:
    """It would be found to be like itself."""
    with pytest.raises(InputError, match="2 times"):
        match([first, first])


def test_one_run_is_nothing_to_compare(first: Run) -> None:
    """And none is neither."""
    with pytest.raises(InputError, match="two runs or more"):
        match([first])


def test_a_run_without_images_says_what_to_do(first: Run, make_run: Callable[..., Run], tmp_path: Path) -> None:
    """Where nothing is made yet there is nothing to compare."""
    empty = make_run(tmp_path / "empty")
    for receipt in (empty.root / "text").glob("*.json"):
        receipt.unlink()
    with pytest.raises(IncompleteError, match="synthgen generate"):
        match([first, empty])
