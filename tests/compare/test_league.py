"""Intervals, who is told apart by them, and what pairs show."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synthgen.compare import intervals, pairs
from synthgen.compare.intervals import Estimate
from synthgen.compare.league import League, Row, groups, written
from synthgen.compare.matching import Asked, Matched
from synthgen.compare.page import summary_lines
from synthgen.compare.scores import ImageScores
from synthgen.compare.sheet import choose


def league(measure: str, **found: Estimate) -> League:
    """A league of one measure of all images."""
    return League(("all",), tuple(found), tuple(Row("all", name, measure, one) for name, one in found.items()))


def images(*tones: str) -> tuple[Asked, ...]:
    """Images of one label, one for each tone."""
    return tuple(Asked(f"text-{number}", "text", "psoriasis", tone, "") for number, tone in enumerate(tones))


def test_the_interval_of_a_share_is_wilson_s() -> None:
    """R. G. Newcombe's example (Statistics in Medicine 1998, 17:857): 81 of 263."""
    found = intervals.share(np.arange(263) < 81)
    assert (found.value, found.low, found.high, found.n) == pytest.approx((81 / 263, 0.2553, 0.3662, 263), abs=5e-5)


def test_a_share_of_nothing_has_an_interval_that_is_more_than_a_point() -> None:
    """So that three of three are not said to be all there will ever be."""
    found = intervals.share(np.ones(3, bool))
    assert found.value == 1
    assert found.low == pytest.approx(3 / (3 + 1.959964**2))


def test_the_interval_of_a_median_lies_between_order_statistics() -> None:
    """Of 20 values the sixth and the fifteenth, as tables of the sign test have it."""
    found = intervals.median(np.arange(1.0, 21))
    assert (found.value, found.low, found.high) == (10.5, 6, 15)


def test_a_median_of_few_has_no_interval() -> None:
    """Five values can't hold it in 95 of 100 samples, and then nothing is told apart."""
    found = intervals.median(np.arange(5.0))
    assert (found.value, found.bounded) == (2, False)


def test_intervals_that_overlap_name_no_winner() -> None:
    """However far values lie apart."""
    found = league("agreement", a=Estimate(0.9, 0.7, 0.97, 20), b=Estimate(0.6, 0.4, 0.71, 20))
    assert found.told_apart("all", "agreement") == []
    assert any("Not told apart" in line for line in summary_lines(found))


@pytest.mark.parametrize(("measure", "better"), [("agreement", ("b", "a")), ("kid", ("a", "b"))])
def test_intervals_apart_name_the_better_one(measure: str, better: tuple[str, str]) -> None:
    """The higher one of an agreement, the lower one of a distance."""
    found = league(measure, a=Estimate(0.1, 0.05, 0.2, 50), b=Estimate(0.6, 0.5, 0.7, 50))
    assert found.told_apart("all", measure) == [better]
    assert any(f"{better[0]} better than {better[1]}" in line for line in summary_lines(found))


@pytest.mark.parametrize("measure", ["seconds", "cost_kept", "vendi", "density"])
def test_what_has_no_interval_or_no_direction_names_nobody(measure: str) -> None:
    """Of time nobody knows how it varies, which costs follow; of diversity, which way is better."""
    ends = (math.nan, math.nan) if measure == "seconds" else (0.9, 1.1)
    found = league(measure, a=Estimate(1, *ends, 50), b=Estimate(9, *(8 + end for end in ends), 50))
    assert found.told_apart("all", measure) == []


def rank(image: Asked) -> tuple[int, str]:
    """From light to dark."""
    return ["I", "II", "III", "IV", "V", "VI"].index(image.tone), image.key


def paired(measure: str, first: Any, second: Any) -> list[pairs.Pairing]:
    """The pairs of two generators of one label on light skin."""
    both = images(*["I"] * len(first))
    scored = [ImageScores({measure: np.array(values, float)}, {}) for values in (first, second)]
    generators: Any = [type("Named", (), {"name": name}) for name in ("a", "b")]
    matched = Matched(tuple(generators), both, "fitzpatrick", 0)
    return list(pairs.pairings(matched, groups(both, "fitzpatrick"), scored))


def test_pairs_show_what_intervals_hide() -> None:
    """Ten pairs of 40 where the second sees the label and the first does not, none the other way round."""
    found = paired("agreement", [0] * 10 + [1] * 30, [1] * 40)[0]
    assert (found.n, found.better, found.worse, found.verdict) == (40, 10, 0, "better")


def test_fewer_degrees_are_better() -> None:
    """And a pair of which one is not known is none."""
    found = paired("tone_distance", [0, 0, 0, 0, 0, 0, 0, math.nan], [5, 5, 5, 5, 5, 5, 5, 5])[0]
    assert (found.n, found.better, found.worse, found.verdict) == (7, 0, 7, "worse")


def test_few_pairs_show_nothing() -> None:
    """Three of three are what chance gives once in eight."""
    assert paired("agreement", [0, 0, 0], [1, 1, 1])[0].verdict == "not shown"


def test_a_number_of_other_images_says_so() -> None:
    """Where a measure is known of fewer images than the row is of."""
    assert written("agreement", Estimate(0.5, 0.4, 0.6, 90), 96) == "50.0% (40.0% to 60.0%), n = 90"
    assert written("agreement", Estimate(math.nan), 96) == "-"


def test_the_sheet_has_light_and_dark_skin_of_each_label() -> None:
    """One of each label first, then light and dark in turn, however many there are of each."""
    light = images("I", "II", "III", "II", "I", "VI")
    found = choose(light, "fitzpatrick", 2)
    assert ["dark" if one.tone == "VI" else "light" for one in found] == ["light", "dark"]
    others = tuple(replace(one, key=f"other-{one.key}", label="healthy") for one in light)
    assert {one.label for one in choose(light + others, "fitzpatrick", 2)} == {"psoriasis", "healthy"}
    assert choose(light + others, "fitzpatrick", 100) == sorted(light, key=rank) + sorted(others, key=rank)
