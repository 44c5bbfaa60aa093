"""Indexing by metadata: what rows mean, ids and groups and splits that hold still, and one line for what is wrong."""

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.core import yaml_documents
from synthgen.errors import InputError, ManifestError
from synthgen.plan.manifest.settings import Columns, SourceSettings
from synthgen.plan.real_index import Source
from synthgen.real.indexing import rows
from synthgen.real.indexing import splits as synthgen_splits
from synthgen.real.sources import SourceRow

LABELS = {"melanoma": "melanoma", "nevus": "melanocytic nevus"}


def row(location: str, /, **values: Any) -> SourceRow:
    return SourceRow(location, location.rpartition("/")[2].partition(".")[0], {"label": "nevus", **values}, location)


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        ("NEVUS", "nevus"),
        ("Melanocytic Nevus", "nevus"),
        ("nv", "nevus"),
        ("NV", "nevus"),
        ("mel", "melanoma"),
        (1, "nevus"),
    ],
)
def test_labels_are_matched(cell: object, label: str, given_rows: Callable[..., Any]) -> None:
    """By the mapping, then by a label or its words, in any case."""
    found = given_rows([row("a.png", label=cell)], {"labels": {"nv": "nevus", "mel": "melanoma", "1": "nevus"}})
    assert [one.label for one in found.sources] == [label]


def test_the_mapping_comes_first(given_rows: Callable[..., Any]) -> None:
    """A value that is a label's own name means what the mapping says."""
    found = given_rows([row("a.png", label="nevus")], {"labels": {"nevus": "melanoma"}})
    assert found.sources[0].label == "melanoma"


def test_what_is_left_out_is_counted(given_rows: Callable[..., Any]) -> None:
    """Each reason has its number, and unknown tones stay."""
    found = given_rows(
        [
            row("a.png", label="acne", fitzpatrick=1, qc="ok"),
            row("b.png", label="", fitzpatrick=1, qc="ok"),
            row("c.png", fitzpatrick=5, qc="ok"),
            row("d.png", fitzpatrick=1, qc="bad"),
            row("e.png", fitzpatrick=-1, qc="OK"),
            row("", fitzpatrick=1, qc="ok"),
        ],
        {"where": {"qc": ["ok"]}},
    )
    assert [one.id for one in found.sources] == ["e"]
    assert found.left_out == {
        "no image": 1,
        "no label of the manifest": 2,
        "no skin tone of the manifest": 1,
        "not among the values of `where`": 1,
    }


@pytest.mark.parametrize(
    ("written", "kept"),
    [("[yes]", ["a", "d", "e"]), ('["yes"]', ["a"]), ("[no]", ["b"]), ("[yes, maybe]", ["a", "c", "d", "e"])],
)
def test_yes_of_the_manifest_is_yes_of_the_data(written: str, kept: list[str], given_rows: Callable[..., Any]) -> None:
    """YAML reads `yes` as a truth value, which every word for it in the data is; a quoted one is that word alone."""
    said = {"a": "Yes", "b": "no", "c": "maybe", "d": "true", "e": True, "f": ""}
    rows = [row(f"{name}.png", fitzpatrick=1, consent=value) for name, value in said.items()]
    found = given_rows(rows, {"where": yaml_documents.parse(f"consent: {written}", "manifest")})
    assert [one.id for one in found.sources] == kept
    assert found.left_out == {"not among the values of `where`": 6 - len(kept)}


@pytest.mark.parametrize("said", ["yes", " Yes", "Y", "TRUE", True, "on", 1, 1.0, "1"])
def test_who_agreed_is_used(said: object, given_rows: Callable[..., Any]) -> None:
    """A column of consent keeps rows that say yes, as people and programs write it."""
    found = given_rows([row("a.png", agreed=said)], {"columns": {"consent": "agreed"}})
    assert [one.id for one in found.sources] == ["a"]


@pytest.mark.parametrize("said", ["no", "", None, float("nan"), "withdrawn", "yes?", "2", 0, False, "n/a", "not yes"])
def test_who_did_not_agree_is_left_out(said: object, given_rows: Callable[..., Any]) -> None:
    """Anything but yes leaves a row out, under its own reason; a blank cell is no yes."""
    found = given_rows([row("a.png", agreed=said), row("b.png", agreed="yes")], {"columns": {"consent": "agreed"}})
    assert [one.id for one in found.sources] == ["b"]
    assert found.left_out == {"no consent": 1}


def test_a_column_of_consent_that_is_not_there_is_a_fault(given_rows: Callable[..., Any]) -> None:
    """Nobody's yes is guessed from a column that the data lack."""
    with pytest.raises(ManifestError, match=r"^real\.columns\.consent: no column `agreed`"):
        given_rows([row("a.png", consent="yes")], {"columns": {"consent": "agreed"}})


def test_a_list_of_images_from_before_there_was_consent_is_the_same() -> None:
    """Nothing enters the digest of an index where no column of consent is named."""
    assert "consent" not in Columns(label="dx").model_dump(mode="json")
    assert Columns(consent="agreed").model_dump(mode="json")["consent"] == "agreed"


def test_a_strange_tone_is_a_fault_of_its_row(given_rows: Callable[..., Any]) -> None:
    """A value that is on no scale is counted among the bad images, and crashes nothing."""
    found = given_rows([row("a.png", fitzpatrick=8), row("b.png", fitzpatrick=2)])
    assert [one.fault for one in found.sources] == ["skin tone `8` is not on the scale fitzpatrick", ""]


def test_a_mapping_of_tones_comes_first(given_rows: Callable[..., Any]) -> None:
    """What the mapping says counts, for texts and for numbers."""
    found = given_rows(
        [row("a.png", tone="light"), row("b.png", tone=3.0), row("c.png", tone="II"), row("d.png", tone="dark")],
        {"columns": {"skin_tone": "tone"}, "skin_tones": {"light": 1, "3": 2, "dark": 0}},
    )
    assert [one.tone for one in found.sources] == [1, 2, 2, 0]


def test_the_first_known_tone_counts(given_rows: Callable[..., Any]) -> None:
    """Of several columns the first that says something; a strange one matters only where none does."""
    settings = {"columns": {"skin_tone": ["one", "two"]}}
    found = given_rows(
        [row("a", one="", two="2"), row("b", one="x", two="3"), row("c", one="x", two=""), row("d", one=1, two=2)],
        settings,
    )
    assert [one.tone for one in found.sources] == [2, 3, 0, 1]
    assert [bool(one.fault) for one in found.sources] == [False, False, True, False]


def test_fitzpatrick_types_never_pass_for_monk_tones(given_rows: Callable[..., Any]) -> None:
    """A column that is called `fitzpatrick` is not read on the other scale unless it is named."""
    found = given_rows([row("a.png", fitzpatrick=3)], scale="monk", tones=[3])
    assert found.sources[0].tone == 0


def test_the_first_group_counts(given_rows: Callable[..., Any]) -> None:
    """Of several columns the first that is not empty; the id where all are."""
    settings = {"columns": {"group": ["patient", "lesion"]}}
    found = given_rows(
        [row("a", patient=1.0, lesion="x"), row("b", patient="", lesion="x"), row("c", patient=None, lesion="")],
        settings,
    )
    assert [one.group for one in found.sources] == ["1", "x", "c"]


def test_the_licence_is_the_row_s_or_the_manifest_s(given_rows: Callable[..., Any]) -> None:
    """A column goes before what the manifest says of all."""
    settings = {"columns": {"license": "rights"}, "license": "CC0-1.0", "dataset": "Mine"}
    found = given_rows([row("a", rights="CC-BY-4.0"), row("b", rights="")], settings)
    assert [(one.license, one.dataset) for one in found.sources] == [("CC-BY-4.0", "Mine"), ("CC0-1.0", "Mine")]


def test_a_split_column_is_kept(given_rows: Callable[..., Any]) -> None:
    """What the data say counts, and what they can't mean is a fault."""
    found = given_rows(
        [row("a", fold="Training"), row("b", fold="val"), row("c", fold="5")], {"columns": {"split": "fold"}}
    )
    assert [one.split for one in found.sources[:2]] == ["train", "validation"]
    assert found.sources[2].fault == "split `5` is none of train, validation and test"


def test_a_group_in_two_splits_stays_in_the_one_held_back(given_rows: Callable[..., Any]) -> None:
    """Data that leak a patient from test into train lose the images in train."""
    settings = {"columns": {"split": "fold", "group": "patient"}}
    found = given_rows(
        [row("a", fold="train", patient="p"), row("b", fold="test", patient="p"), row("c", fold="train", patient="q")],
        settings,
    )
    assert [one.fault for one in found.sources] == ["group `p` is in test too", "", ""]


def test_names_become_ids(given_rows: Callable[..., Any]) -> None:
    """Ids hold small letters, digits and dashes only, whatever the files are called."""
    found = given_rows(
        [row("IMG_0001 (Copy).JPG"), row("é.png"), row("图像.png"), row("x" * 200 + ".png"), row("---.png")]
    )
    for one in found.sources:
        Source(**{name: getattr(one, name) for name in Source.__dataclass_fields__})
        assert one.id
        assert len(one.id) <= 60
        assert set(one.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert one.id.strip("-") == one.id
    assert len({one.id for one in found.sources}) == 5


def test_names_that_clash_are_numbered(given_rows: Callable[..., Any]) -> None:
    """All but the first get a number that no other name has."""
    found = given_rows([row("b/a.png"), row("a/a.png"), row("c/a.png"), row("a-2.png")])
    assert {one.location: one.id for one in found.sources} == {
        "a/a.png": "a",
        "b/a.png": "a-3",
        "c/a.png": "a-4",
        "a-2.png": "a-2",
    }


def test_images_of_one_id_are_one_group(given_rows: Callable[..., Any]) -> None:
    """Several images of a case that only its id names are never on two sides."""
    found = given_rows([row("x.png", case="7"), row("y.png", case="7")], {"columns": {"id": "case"}})
    assert [(one.id, one.group) for one in found.sources] == [("7", "7"), ("7-2", "7")]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"columns": {"label": "lable"}}, "real.columns.label: no column `lable`; did you mean `label`?"),
        ({"columns": {"group": ["patient", "leson"]}}, "real.columns.group: no column `leson`; did you mean `lesion`?"),
        (
            {"columns": {"skin_tone": "tone"}},
            "real.columns.skin_tone: no column `tone`; there are: label, lesion, patient",
        ),
        ({"where": {"q": ["1"]}}, "real.where.q: no column `q`; there are: label, lesion, patient"),
        ({"labels": {"nv": "nevuss"}}, "real.labels.nv: the manifest has no label `nevuss`; did you mean `nevus`?"),
        ({"skin_tones": {"x": 7}}, "real.skin_tones.x: 7 is not on the scale fitzpatrick; there are: 0, 1, 2"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    settings: dict[str, Any], fault: str, given_rows: Callable[..., Any]
) -> None:
    """A column or label that is not there is bad input, in a line that says what was meant."""
    with pytest.raises(InputError) as caught:
        given_rows([row("a", lesion="1", patient="2")], settings)
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(fault)


def test_names_that_clash_leave_groups_alone(given_rows: Callable[..., Any]) -> None:
    """A row whose name becomes another's id takes its number, not its group, and so moves it to no other split."""
    before = given_rows([row("b/a.png")]).sources[0]
    after = next(one for one in given_rows([row("b/a.png"), row("a/a.png")]).sources if one.location == "b/a.png")
    assert (before.id, after.id) == ("a", "a-2")
    assert (before.group, before.split) == (after.group, after.split)


names = st.text("aA1-_é", max_size=3)
cases = st.fixed_dictionaries(
    {"id": names, "patient": st.sampled_from(["", "p", "q"]), "fold": st.sampled_from(["train", "val", "test", "?"])}
)
columns = st.fixed_dictionaries(
    {},
    optional={"id": st.just("id"), "group": st.just("patient"), "split": st.just("fold")},
)


def drafted(values: list[dict[str, str]], mapped: dict[str, str]) -> tuple[rows.Understanding, list[SourceRow]]:
    settings = SourceSettings.model_validate({"columns": mapped})
    found = [row(f"{number % 2}/{case['id'] or 'x'}{number}.png", **case) for number, case in enumerate(values)]
    return rows.understand(["label", "id", "patient", "fold"], settings, LABELS, "fitzpatrick", [1]), found


def indexed(understanding: rows.Understanding, found: list[SourceRow]) -> list[Source]:
    drafts = [draft for one in found if isinstance(draft := understanding.draft(one), rows.Draft)]
    return synthgen_splits.sources(drafts, 7, {"train": 0.5, "validation": 0.25, "test": 0.25}, "d")


@given(st.lists(cases, max_size=12), columns, st.randoms(use_true_random=False))
def test_no_order_of_rows_changes_anything(
    values: list[dict[str, str]], mapped: dict[str, str], rng: random.Random
) -> None:
    """Rows in another order give the same ids, groups and splits, and ids are unique."""
    understanding, found = drafted(values, mapped)
    before = indexed(understanding, found)
    rng.shuffle(found)
    assert indexed(understanding, found) == before
    assert len({one.id for one in before}) == len(before) == len(values)


@given(st.lists(cases, max_size=12), columns)
def test_no_group_is_on_two_sides(values: list[dict[str, str]], mapped: dict[str, str]) -> None:
    """Usable images of one group have one split, whatever the data say."""
    held = defaultdict(set)
    for one in indexed(*drafted(values, mapped)):
        if not one.fault:
            held[one.group].add(one.split)
    assert all(len(splits) == 1 for splits in held.values())


@given(st.lists(cases, max_size=12), st.integers(0, 12), st.sampled_from([{}, {"id": "id"}, {"group": "patient"}]))
def test_added_rows_move_no_image(values: list[dict[str, str]], first: int, mapped: dict[str, str]) -> None:
    """Where no column says the split, an image stays in its own when others are added."""
    understanding, found = drafted(values, mapped)
    after = {one.location: (one.group, one.split) for one in indexed(understanding, found)}
    before = {one.location: (one.group, one.split) for one in indexed(understanding, found[:first])}
    assert before.items() <= after.items()


def test_captions_and_attributes_are_read(given_rows: Callable[..., Any]) -> None:
    """As the data say them, blanks evened out; what nobody knows is not there."""
    columns = {"caption": "text", "attributes": {"age": "age_approx", "site": "place"}}
    rows = [
        row("a.png", text="A  mole\n on the back.", age_approx=45.0, place="torso"),
        row("b.png", text="", age_approx=None, place="NA"),
    ]
    one, two = given_rows(rows, {"columns": columns}).sources
    assert one.about == {"age": "45", "caption": "A mole on the back.", "site": "torso"}
    assert (two.about, two.attributes) == ({}, "")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"caption": "words"}, r"real\.columns\.caption: no column `words`"),
        ({"attributes": {"age": "years"}}, r"real\.columns\.attributes\.age: no column `years`"),
    ],
)
def test_a_column_that_is_not_there_is_a_fault(columns: Any, said: str, given_rows: Callable[..., Any]) -> None:
    """By the key that names it."""
    with pytest.raises(ManifestError, match=said):
        given_rows([row("a.png", text="a mole")], {"columns": columns})


@pytest.mark.parametrize("name", ["label", "skin_tone", "caption", "from", "body site", "mask_sha256"])
def test_an_attribute_has_a_name_of_its_own(name: str) -> None:
    """Not one that prompts or records have a meaning for, and one that a template can hold."""
    with pytest.raises(ValueError, match=f"`{name}` can't name an attribute"):
        Columns(attributes={name: "column"})


def test_a_list_of_attributes_names_columns() -> None:
    """Each by its own name; left out, indexes are named as before."""
    assert Columns.model_validate({"attributes": ["sex", "age"]}).attributes == {"age": "age", "sex": "sex"}
    assert not {"caption", "attributes"} & set(Columns().model_dump(mode="json"))
