"""Every row under one reason with an example, words that YAML reads otherwise, and what the data say unasked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from synthgen.core import yaml_documents
from synthgen.plan import real_account
from synthgen.plan.real_index import Index, Source
from synthgen.real.sources import SourceRow

LABELS = {"melanoma": "melanoma", "nevus": "melanocytic nevus"}


def row(location: str, /, **values: Any) -> SourceRow:
    return SourceRow(location, location, {"label": "nevus", "fitzpatrick": 1, **values}, location)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("NO", ["NO", "no", "Off", "false", False]),
        ("yes", ["Yes", "YES", "on", "true", True]),
        ("01", ["01", "1", "1.0", 1, 1.0]),
        ("1", ["01", "1.0"]),
        ("1.0", ["1", "1.0"]),
        ("'01'", ["01"]),
    ],
)
def test_a_key_means_what_the_data_say(written: str, said: list[Any], given_rows: Callable[..., Any]) -> None:
    """YAML makes truth values and numbers of `NO` and `01`; each way to write the same is meant."""
    found = given_rows(
        [row(f"{number}.png", label=value) for number, value in enumerate(said)],
        yaml_documents.parse(f"labels: {{{written}: melanoma}}", "manifest"),
    )
    assert [one.label for one in found.sources] == ["melanoma"] * len(said)


def test_a_quoted_key_is_that_word_alone(given_rows: Callable[..., Any]) -> None:
    """No other word for the same truth value is taken for it, and another key always comes first."""
    labels = yaml_documents.parse('labels: {"no": melanoma, yes: nevus, "on": melanoma}', "manifest")
    found = given_rows([row(f"{value}.png", label=value) for value in ("no", "off", "yes", "on")], labels)
    assert [(one.location, one.label) for one in found.sources] == [
        ("no.png", "melanoma"),
        ("on.png", "melanoma"),
        ("yes.png", "nevus"),
    ]
    assert found.left_out == {"no label of the manifest": 1}


def test_where_takes_a_number_as_people_write_it(given_rows: Callable[..., Any]) -> None:
    """`1` keeps rows that say `1.0` and `01`, and never those that say nothing."""
    rows = [row(f"{number}.png", visit=value) for number, value in enumerate(["1.0", "01", 1, "", None, "2"])]
    found = given_rows(rows, {"where": {"visit": ["1"]}})
    assert len(found.sources) == 3


def test_each_reason_has_an_example(given_rows: Callable[..., Any]) -> None:
    """The value that is not known, the column and value that `where` drops, the file that is not there."""
    found = given_rows(
        [
            row("a.png", label="MM (superficial)"),
            row("b.png", label="MM (superficial)"),
            row("c.png", label=""),
            row("d.png", fitzpatrick=6),
            row("e.png", qc="bad"),
            row("f.png", fitzpatrick="pale"),
            row("g.png"),
        ],
        {"where": {"qc": ["", "ok"]}},
    )
    assert real_account.examples(found) == {
        "no label of the manifest": {"MM (superficial)": 2, "(nothing)": 1},
        "no skin tone of the manifest": {"VI": 1},
        "not among the values of `where`": {"qc: bad": 1},
        "skin tone is not on the scale": {"pale": 1},
    }
    assert {reason: sum(values.values()) for reason, values in found.left_out_values.items()} == found.left_out


def test_a_block_of_labels_can_be_pasted() -> None:
    """It is YAML whatever the values are; a value with a label in it is taken for that, and nothing else is guessed."""
    values = {'say "x": \\ #1': 3, "no": 2, "Plaque melanoma": 5, "melanoma or nevus": 1, "(nothing)": 9}
    block = real_account.labels_block(Index((), left_out_values={"no label of the manifest": values}), LABELS)
    assert yaml_documents.parse("\n".join(block), "block") == {
        "real": {
            "labels": {
                "Plaque melanoma": "melanoma",
                'say "x": \\ #1': "LABEL",
                "no": "LABEL",
                "melanoma or nevus": "LABEL",
            }
        }
    }
    assert real_account.labels_block(Index(()), LABELS) == []


@pytest.mark.parametrize("column", ["folder", "hub_split"])
def test_splits_of_the_data_that_are_not_used_are_said(column: str, given_rows: Callable[..., Any]) -> None:
    """With their sizes and the key that uses them; not where they are used, nor where the column says other things."""
    rows = [row(f"{number}.png", **{column: "Test" if number % 3 else "train"}) for number in range(6)]
    [note] = given_rows(rows).notes
    assert f"`{column}` (train 2, test 4)" in note
    assert f"columns: {{split: {column}}}" in note
    assert not given_rows(rows, {"columns": {"split": column}}).notes
    assert not given_rows([*rows, row("9.png", **{column: "psoriasis"})]).notes


def test_a_column_that_holds_the_labels_is_named_where_none_fits(given_rows: Callable[..., Any]) -> None:
    """Folders of patients below those of labels; nothing is said where some rows have a label already."""
    rows = [row(f"{number}.png", label=f"patient{number}", folder="melanoma") for number in range(3)]
    [note] = given_rows(rows).notes
    assert "columns: {label: folder}" in note
    assert not given_rows([*rows, row("9.png")]).notes


def test_skin_tones_without_images_are_said() -> None:
    """Those that no image has, and those that training or test images lack; nothing where nobody knows a tone."""
    images = tuple(
        Source(f"{split}{tone}", "nevus", tone, f"{split}{tone}", split, "", "d", f"{split}{tone}.png")
        for split, tone in (("train", 1), ("train", 3), ("validation", 3), ("test", 1), ("test", 0))
    )
    assert [line.partition(";")[0] for line in real_account.warnings(Index(images), ["nevus"], [1, 3, 5])] == [
        "no real image of skin tone 5",
        "no test image of skin tone 3",
    ]
    unknown = tuple(replace(one, tone=0) for one in images)
    assert real_account.warnings(Index(unknown), ["nevus"], [1, 3, 5]) == []


def test_labels_and_splits_without_images_are_said() -> None:
    """A line for labels without any, without training or test images, and for each split that is empty."""
    one = Source("a", "melanoma", 1, "a", "train", "", "d", "a.png")
    assert [line.partition(";")[0] for line in real_account.warnings(Index((one,)), LABELS)] == [
        "no real image of `nevus`",
        "no real image is in the test split",
        "no real image is in the validation split",
    ]
    others = (
        Source("b", "nevus", 1, "b", "test", "", "d", "b.png"),
        Source("c", "nevus", 0, "c", "validation", "", "d", "c"),
    )
    assert [line.partition(";")[0] for line in real_account.warnings(Index((one, *others)), LABELS)] == [
        "no training image of `nevus`",
        "no test image of `melanoma`",
    ]
