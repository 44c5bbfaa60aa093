"""Cells of other people's tables mean what their makers meant."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.plan import skin_tones
from synthgen.real.indexing import cell_values
from synthgen.real.sources import text

TYPES = {1: "1 I i FST1 FSTI fst_1 Type-I 1.0", 3: "3 III FST3 FSTIII Fitzpatrick3 3. 03", 6: "6 VI FSTVI MIXED"}


@pytest.mark.parametrize(("tone", "cell"), [(tone, one) for tone, many in TYPES.items() for one in many.split()[:-1]])
def test_fitzpatrick_types_are_understood(tone: int, cell: str) -> None:
    """Arabic, Roman, with a prefix or a decimal point, in any case."""
    assert cell_values.tone("fitzpatrick", cell) == tone


@pytest.mark.parametrize(
    ("scale", "cell", "tone"),
    [
        ("fitzpatrick", 3, 3),
        ("fitzpatrick", 3.0, 3),
        ("fitzpatrick", "Fitzpatrick skin type IV", 4),
        ("fitzpatrick-groups", 12, 12),
        ("fitzpatrick-groups", "34", 34),
        ("fitzpatrick-groups", 56.0, 56),
        ("fitzpatrick-groups", "I-II", 12),
        ("fitzpatrick-groups", "3-4", 34),
        ("fitzpatrick-groups", "FST5", 56),
        ("monk", "10", 10),
        ("monk", 7.0, 7),
        ("monk", "MST 2", 2),
    ],
)
def test_each_scale_has_its_own_spellings(scale: str, cell: object, tone: int) -> None:
    """Numbers and texts of a scale are understood without a mapping."""
    assert cell_values.tone(scale, cell) == tone


@pytest.mark.parametrize("scale", list(skin_tones.NAMES))
@pytest.mark.parametrize(
    "cell", [None, math.nan, "", " ", -1, "-1", 0, "0", 0.0, "-1.0", "NaN", "unknown", "NONE_SELECTED"]
)
def test_unknown_is_unknown_on_every_scale(scale: str, cell: object) -> None:
    """What data write for a tone that nobody knows is 0."""
    assert cell_values.tone(scale, cell) == 0


@pytest.mark.parametrize(
    ("scale", "cell"),
    [
        ("fitzpatrick", 8),
        ("fitzpatrick", "3.5"),
        ("fitzpatrick", "-3"),
        ("fitzpatrick", "I-II"),
        ("fitzpatrick", "MST 3"),
        ("fitzpatrick", "FST"),
        ("fitzpatrick", "light"),
        ("fitzpatrick", True),
        ("fitzpatrick", 12),
        ("fitzpatrick-groups", 13),
        ("monk", 11),
        ("monk", "III"),
        ("monk", math.inf),
    ],
)
def test_what_is_not_on_the_scale_is_nothing(scale: str, cell: object) -> None:
    """A value of no meaning is never taken for a near one."""
    assert cell_values.tone(scale, cell) is None


@given(st.sampled_from(list(skin_tones.NAMES)), st.text() | st.integers() | st.floats() | st.none() | st.booleans())
def test_no_cell_breaks_it(scale: str, cell: Any) -> None:
    """Whatever stands in a cell, the answer is a value of the scale, unknown, or none."""
    assert cell_values.tone(scale, cell) in (None, 0, *skin_tones.NAMES[scale])
    assert isinstance(cell_values.label(cell), str)


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        ("{'Eczema': 0.67, 'Acne': .33}", "Eczema"),
        ('{"Acne": 0.2, "Eczema": 0.8}', "Eczema"),
        ("{'Acne': 0.5, 'Eczema': 0.5}", "Acne"),
        ({"Acne": None, "Eczema": 1.0}, "Eczema"),
        ("{}", ""),
        ("['Tinea', 'Acne']", "Tinea"),
        (["Tinea"], "Tinea"),
        ("[]", ""),
        ("[BCC] nodular", "[BCC] nodular"),
        ("{'a': __import__('os')}", "{'a': __import__('os')}"),
        ("{'a': 'b'}", "{'a': 'b'}"),
        (" psoriasis ", "psoriasis"),
        (2, "2"),
        (True, "True"),
        (None, ""),
    ],
)
def test_a_cell_has_one_label(cell: object, label: str) -> None:
    """The largest of a mapping, the first of a list, and otherwise the text."""
    assert cell_values.label(cell) == label


@pytest.mark.parametrize(
    ("cell", "split"), [("train", "train"), ("VAL", "validation"), ("Test", "test"), ("holdout", None)]
)
def test_splits_have_several_names(cell: str, split: str | None) -> None:
    """The usual names of splits are understood, others are not."""
    assert cell_values.split(cell) == split


def test_numbers_read_as_people_write_them() -> None:
    """A table read as floats gives the texts that it was written with."""
    assert [text(cell) for cell in (3.0, 3.5, 3, math.nan, None, " a ", math.inf)] == [
        "3",
        "3.5",
        "3",
        "",
        "",
        "a",
        "inf",
    ]
