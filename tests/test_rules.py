"""Rules are parsed by a small grammar, and what is no rule is refused with what is near."""

import pytest

from synthgen import rules
from synthgen.rules import Balance, Best, Compare

COLUMNS = {"near_copy": ("similarity", "test_similarity"), "agreement": ("probability",)}


@pytest.mark.parametrize(
    ("text", "operator", "value"),
    [
        ("near_copy.similarity < 0.95", "<", 0.95),
        ("near_copy.similarity<=.5", "<=", 0.5),
        ("  near_copy.similarity   >=  -1e-3 ", ">=", -0.001),
        ("near_copy.similarity != 1", "!=", 1.0),
    ],
)
def test_a_comparison_is_read(text: str, operator: str, value: float) -> None:
    """A comparison has a column, an operator and a number, with any white space."""
    found = rules.parse(text, COLUMNS)
    assert isinstance(found, Compare)
    assert (found.column, found.operator, found.value) == ("near_copy.similarity", operator, value)


def test_the_best_of_each_cell_is_read() -> None:
    """`highest` and `lowest` take a count and a column."""
    found = rules.parse("highest 50 by agreement.probability", COLUMNS)
    assert found == Best("highest 50 by agreement.probability", "agreement.probability", True, 50)
    lowest = rules.parse("lowest 3 by near_copy.similarity", COLUMNS)
    assert isinstance(lowest, Best)
    assert not lowest.highest


def test_balance_is_read() -> None:
    """`balance skin_tone` needs no column."""
    assert rules.parse("balance  skin_tone", COLUMNS) == Balance("balance skin_tone")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("near_copy.similarty < 0.5", "did you mean `similarity`"),
        ("nearcopy.similarity < 0.5", "did you mean `near_copy`"),
        ("quality.faults < 1", "no scorer `quality` under `curate.scorers`"),
        ("near_copy.similarity < high", "is no rule; write one like"),
        ("__import__('os').system('true')", "is no rule"),
        ("near_copy.similarity < 0.5 or 1", "is no rule"),
        ("highest 0 by agreement.probability", "is no rule"),
        ("balance label", "is no rule"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, advice: str) -> None:
    """A name that is not there gets a suggestion, and anything else an example; nothing is evaluated."""
    with pytest.raises(ValueError, match=advice.replace("(", r"\(")):
        rules.parse(text, COLUMNS)
