"""Judging is a pure function of columns and rules."""

import numpy as np
import numpy.typing as npt

from synthgen import rules
from synthgen.curate.judging import judge, reasons
from synthgen.curate.parity import parity

NAN = float("nan")
VALUES = {"s.a": np.array([0.1, 0.9, NAN, 0.5, 0.7, 0.2]), "s.b": np.array([1.0, 2, 3, 4, 5, 6])}
LABELS = np.array([0, 0, 0, 0, 1, 1])
TONES = np.array([0, 0, 1, 1, 0, 1])


def kept(*texts: str) -> tuple[list[list[bool]], list[str]]:
    """What keeps each rule, and the reasons."""
    parsed = [rules.parse(text, {"s": ("a", "b")}) for text in texts]
    found: list[npt.NDArray[np.bool_]] = judge(parsed, VALUES, LABELS, TONES)
    return [each.tolist() for each in found], reasons(parsed, found, len(LABELS))


def test_a_value_that_is_not_there_breaks_no_rule() -> None:
    """NaN is kept by a comparison whichever way it goes."""
    assert kept("s.a < 0.6", "s.a > 0.6")[0] == [
        [True, False, True, True, False, True],
        [False, True, True, False, True, False],
    ]


def test_all_broken_rules_are_reasons() -> None:
    """An image's reason names every rule that it breaks, and is empty where it keeps all."""
    assert kept("s.a < 0.6", "s.b < 5")[1] == ["", "s.a < 0.6", "", "", "s.a < 0.6; s.b < 5", "s.b < 5"]


def test_without_rules_everything_is_kept() -> None:
    """No rule rejects nothing."""
    assert kept() == ([], [""] * 6)


def test_the_best_of_each_cell_are_chosen_among_those_that_are_left() -> None:
    """The highest of each label and tone, by value, of those that no comparison rejects."""
    found, why = kept("s.a < 0.6", "highest 1 by s.b")
    assert found[1] == [True, True, False, True, True, True]
    assert why == ["", "s.a < 0.6", "highest 1 by s.b", "", "s.a < 0.6", ""]


def test_an_image_without_a_value_is_chosen_last() -> None:
    """NaN loses to any number, highest or lowest."""
    assert kept("highest 1 by s.a")[0][0][2:4] == [False, True]
    assert kept("lowest 1 by s.a")[0][0][2:4] == [False, True]


def test_of_equal_ones_the_first_is_chosen() -> None:
    """Ties go to the earlier image."""
    found = judge([rules.parse("highest 2 by s.a", {"s": ("a",)})], {"s.a": np.zeros(4)}, LABELS[:4] * 0, TONES[:4] * 0)
    assert found[0].tolist() == [True, True, False, False]


def test_balance_keeps_as_many_of_every_tone_as_of_the_rarest() -> None:
    """Of each label, tones keep equal numbers; a tone that a label never had does not count."""
    labels, tones = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 0, 0])
    found = judge([rules.parse("balance skin_tone", {})], {}, labels, tones)
    assert found[0].tolist() == [True, False, False, True, True, True]


def test_parity_is_the_ratio_of_shares_rejected() -> None:
    """Twice as many dark images rejected is a ratio near 2, and its interval holds it."""
    told = parity({"VI": 200, "I": 100}, {"VI": 1000, "I": 1000})
    assert 1.95 < told.ratio < 2.05
    assert told.low < 2 < told.high
    assert told.missed(0.95)
    assert not told.missed(0.8)


def test_parity_needs_both_halves() -> None:
    """With light skin alone there is no ratio, and nothing is missed."""
    told = parity({"I": 5}, {"I": 10, "unknown": 4})
    assert told.ratio != told.ratio
    assert not told.missed(1.0)


def test_rules_that_reject_nothing_give_a_ratio_of_one() -> None:
    """Without a rejection the ratio is 1, not a division by zero."""
    assert parity({}, {"V": 10, "II": 10}).ratio == 1
