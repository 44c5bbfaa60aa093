"""What is known of real images reaches prompts, records and adapters, and what can't be said is told beforehand."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen.errors import InputError
from synthgen.finetune import latents
from synthgen.plan import Plan, manifest
from synthgen.plan.manifest.settings import Columns, Extensions
from synthgen.plan.real_index import Index, Source
from synthgen.plan.sample import record

TEXTS = "templates: ['{caption}', '{label}, {sex}']\n"
COLUMNS = {"caption": "text", "attributes": ["sex", "age"]}
SIZE = {"height": 32, "width": 32}
SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 1,
    "labels": {"psoriasis": "psoriasis"},
    "skin_tones": {"scale": "fitzpatrick", "values": [1]},
    "real": {"source": "phantom", "count": 1, "columns": COLUMNS},
    "generate": [{"name": "inside", "strategy": "fake", "per_source": 12, "settings": SIZE}],
}


def source(name: str, caption: str = "", **known: str) -> Source:
    """A real training image of which so much is known."""
    one = Source(name, "psoriasis", 1, name, "train", "", "d", name, sha256=name)
    return replace(one, caption=caption, attributes=json.dumps(known) if known else "")


@pytest.fixture
def planned(extensions: Extensions, tmp_path: Path) -> Callable[..., Plan]:
    """A plan of images that start from some real ones."""

    def plan(*sources: Source, prompts: str = TEXTS, **changes: Any) -> Plan:
        text = yaml.safe_dump(SMALL | changes)
        read = manifest.parse(text, extensions, base=tmp_path, where="manifest.yaml", prompts_text=prompts)
        return Plan(read, Index(sources))

    return plan


def test_each_image_has_the_words_of_its_own_photograph(planned: Callable[..., Plan]) -> None:
    """In its prompt, among the prompts that are encoded beforehand, and its attributes in its record."""
    entry = planned(source("a", "scaly plaques", sex="woman", age="45"), source("b", sex="man")).entries["inside"]
    samples = [entry.sample(index) for index in range(entry.samples)]
    texts = {name: {one.prompt for one in samples if one.source and one.source.id == name} for name in "ab"}
    assert texts == {"a": {"scaly plaques", "psoriasis, woman"}, "b": {"psoriasis, man"}}
    assert {one.text for one in entry.prompts_with(None)} == texts["a"] | texts["b"]
    kept = [json.loads(record(one, image_sha256="", model_revision="", generator="").attributes) for one in samples]
    assert [one for one in kept if one["sex"] == "woman"] == [{"age": "45", "sex": "woman"}] * 12


def test_an_adapter_is_trained_on_them(planned: Callable[..., Plan]) -> None:
    """By the prompts of each image; another caption is another adapter."""
    tuned = {"finetune": [{"name": "tuned", "method": "lora", "strategy": "text2img"}]}
    adapters = []
    for caption in ("scaly plaques", "red plaques"):
        plan = planned(source("a", caption), source("b", sex="man"), **tuned)
        adapters.append(plan.adapter_plans["tuned"])
        assert latents.pool_prompts(plan.manifest, adapters[-1]) == [(caption,), ("psoriasis, man",)]
    assert adapters[0].adapter.digest != adapters[1].adapter.digest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            r"entry `inside`: its templates need \{caption\}, \{sex\}, which is not known of 2 real images \(`b` is",
        ),
        (
            {"generate": [{"name": "text", "strategy": "fake", "per_cell": 1, "settings": SIZE}]},
            r"entry `text`: its templates need \{caption\}, \{sex\}, which is known of real images alone",
        ),
    ],
)
def test_prompts_that_can_not_be_filled_in_are_refused(changes: Any, said: str, planned: Callable[..., Plan]) -> None:
    """Before anything is made, with how many images it is of, and one of them."""
    with pytest.raises(InputError, match=said):
        planned(source("a", "scaly plaques"), source("b"), source("c"), **changes)


def test_digests_without_columns_are_what_they_were(planned: Callable[..., Plan]) -> None:
    """Columns that nobody names, and a template that reads none, leave an entry's digest as it was."""
    plain = {"real": {"source": "phantom", "count": 1}}
    text = "templates: ['{label}']\n"
    digests = {planned(source("a"), prompts=text, **changes).entries["inside"].digest for changes in (plain, {})}
    assert digests == {"47739162a841991f5e29c27bce24934d1215f9fe5073e8652e7498e9ac11a204"}


def test_captions_that_are_cut_are_known(planned: Callable[..., Plan]) -> None:
    """Of a plan, so that who reads it sees how many."""
    plan = planned(source("a", "scaly red plaques"), source("b", "plaques"), prompts=TEXTS + "max_caption_words: 2\n")
    assert [one.id for one in plan.cut_captions] == ["a"]


@pytest.mark.parametrize("columns", [{"group": "patient", "attributes": {"pid": "patient"}},
                                     {"id": "scan", "attributes": ["scan"]}, {"attributes": ["edges"]}])  # fmt: skip
def test_what_names_a_person_is_no_attribute(columns: dict[str, Any]) -> None:
    """A patient's number would stand in every record beside the pseudonym; nor is what records say themselves."""
    with pytest.raises(ValueError, match="attribute"):
        Columns.model_validate(columns)
