"""Rules over scores are read by a grammar of their own, and judge whole columns at once."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.errors import ManifestError
from synthgen.plan.manifest import rules

SCORES = {"a.x": np.array([0.0, 1.0, 2.0, math.nan]), "b.y": np.array([5.0, math.nan, 7.0, 7.0])}


def kept(text: str) -> list[bool]:
    return [bool(one) for one in rules.parse(text).judge(SCORES).holds]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.x < 1", [True, False, False, False]),
        ("a.x <= 1", [True, True, False, False]),
        ("a.x>=1", [False, True, True, False]),
        ("1 < a.x", [False, False, True, False]),
        ("a.x == 2", [False, False, True, False]),
        ("a.x != 2", [True, True, False, False]),
        ("not a.x < 1", [False, True, True, False]),
        ("a.x < 1 or b.y > 6", [True, False, True, True]),
        ("a.x < 3 and b.y > 6", [False, False, True, False]),
        ("a.x < 1 or a.x > 0 and b.y > 6", [True, False, True, False]),
        ("(a.x < 1 or a.x > 0) and b.y > 4", [True, False, True, False]),
        ("not (a.x < 1 or b.y > 6)", [False, False, False, False]),
        ("not not a.x > -1e0", [True, True, True, False]),
        ("a.x > .5", [False, True, True, False]),
    ],
)
def test_a_rule_holds_where_it_is_known_to(text: str, expected: list[bool]) -> None:
    """`and` binds before `or`, `not` before both, and what is not known is never kept."""
    assert kept(text) == expected


def test_a_rule_names_its_columns() -> None:
    """All columns that a rule reads are known before any is read."""
    assert rules.parse("not (a.x < 1 or b.y > 2) and c.z == 0").columns == {"a.x", "b.y", "c.z"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "expected a column, as in `near_copy.similarity`, at character 1, the rule ends there"),
        ("similarity < 1", "expected a column, as in `near_copy.similarity`, at character 1, found `similarity`"),
        ("a.x", "expected one of <, <=, >, >=, ==, != at character 4, the rule ends there"),
        ("a.x = 1", "expected a column, a number or a comparison at character 5, found `=`"),
        ("a.x < b.y", "expected a number at character 7, found `b.y`"),
        ("a.x < 1 a.x < 2", "expected `and`, `or` or the end at character 9, found `a.x`"),
        ("(a.x < 1", "expected `)` at character 9, the rule ends there"),
        ("a.x < 1)", "expected `and`, `or` or the end at character 8, found `)`"),
        ("1 < 2", "expected a column, as in `near_copy.similarity`, at character 5, found `2`"),
        ("__import__('os').system('ls') < 1", "expected a column, as in `near_copy.similarity`, at character 1"),
        ("a.x < nan", "expected a number at character 7, found `nan`"),
        ("(" * 60 + "a.x < 1" + ")" * 60, "more than 50 parentheses"),
        ("a.x < 1 or " * 300 + "a.x < 1", "longer than 2000 characters"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(text: str, fault: str) -> None:
    """A fault says what was expected, at which character, and what stands there."""
    with pytest.raises(ManifestError) as caught:
        rules.parse(text)
    assert caught.value.faults[0].startswith(fault)


@given(st.text(alphabet="ab.xy_019<>=!()- \tandornot", max_size=60))
def test_any_text_is_a_rule_or_a_fault(text: str) -> None:
    """No text makes the reader fail in another way."""
    with contextlib.suppress(ManifestError):
        assert rules.parse(text).columns


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_can_be_written(number: float) -> None:
    """A number is read as the one that Python writes."""
    rule = rules.parse(f"a.x <= {number!r}")
    assert isinstance(rule, rules.Comparison)
    assert rule.number == number


def test_an_unknown_score_stays_unknown_through_and_and_or() -> None:
    """False and unknown is false, true or unknown is true; all else with an unknown is unknown, as Kleene has it."""
    both = rules.parse("a.x < 1 and b.y > 0").judge({"a.x": np.array([0.0, 2.0]), "b.y": np.array([math.nan] * 2)})
    assert (both.holds.tolist(), both.fails.tolist()) == ([False, False], [False, True])
    either = rules.parse("a.x < 1 or b.y > 0").judge({"a.x": np.array([0.0, 2.0]), "b.y": np.array([math.nan] * 2)})
    assert (either.holds.tolist(), either.fails.tolist()) == ([True, False], [False, False])
