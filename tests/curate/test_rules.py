"""Judging is a pure function of scores and rules, and says every reason."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from synthgen.curate import rules
from synthgen.curate.image_table import ImageTable
from synthgen.plan.manifest import Curation

ImagesOf = Callable[..., ImageTable]
CurationOf = Callable[..., Curation]
LIGHT, DARK = ("text", "acne", 1), ("text", "acne", 6)


def judged(curation: Curation, images: ImageTable, value: list[float], other: list[float] | None = None) -> Any:
    scores = {"fake.chance": np.array(value), "fake.brightness": np.array(other or [0.0] * len(value))}
    found = rules.judge(curation, images, scores)
    return found.accepted.tolist(), found.reasons().to_pylist()


def test_an_image_must_keep_every_rule(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Each rule that fails is a reason of its own."""
    curation = curation_of(keep=["fake.chance < 0.5", "fake.brightness  <  0.5"])
    accepted, reasons = judged(curation, images_of({LIGHT: 4}), [0.1, 0.6, 0.1, 0.6], [0.1, 0.1, 0.6, 0.6])
    assert accepted == [True, False, False, False]
    first, second = "fails fake.chance < 0.5", "fails fake.brightness < 0.5"
    assert reasons == [[], [first], [second], [first, second]]


def test_a_score_that_is_not_known_is_a_reason(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """An image that a rule can't be checked of is not kept, and its reason says so."""
    accepted, reasons = judged(curation_of(keep=["not fake.chance < 0.5"]), images_of({LIGHT: 2}), [math.nan, 0.9])
    assert (accepted, reasons) == ([False, True], [["not known: not fake.chance < 0.5"], []])


def test_no_rule_keeps_everything(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Scores alone reject nothing."""
    assert judged(curation_of(), images_of({LIGHT: 2}), [0.1, math.nan]) == ([True, True], [[], []])


def test_the_best_of_each_cell_are_kept(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Of those that keep the rules, the highest of each cell; what is not known comes last."""
    curation = curation_of(keep=["fake.brightness < 0.5"], best={"per_cell": 2, "by": "fake.chance"})
    values, other = [0.1, 0.9, 0.5, 0.7, 0.2, math.nan, 0.3], [0.0, 0.9, 0, 0, 0, 0, 0]
    accepted, reasons = judged(curation, images_of({LIGHT: 4, DARK: 3}), values, other)
    assert accepted == [False, False, True, True, True, False, True]
    assert reasons[0] == ["not among the best 2 of its cell by fake.chance (highest)"]
    assert reasons[1] == ["fails fake.brightness < 0.5"]


def test_the_lowest_can_be_the_best(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """`order: lowest` turns it round; of equal ones the earlier is kept."""
    curation = curation_of(best={"per_cell": 1, "by": "fake.chance", "order": "lowest"})
    assert judged(curation, images_of({LIGHT: 3}), [0.3, 0.2, 0.2])[0] == [False, True, False]


def test_tones_are_balanced_within_an_entry_and_label(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Every tone keeps as many as the one with the fewest; another label has its own balance."""
    curation = curation_of(keep=["fake.chance < 0.5"], balance_skin_tones=True)
    images = images_of({LIGHT: 3, DARK: 2, ("text", "healthy", 1): 2})
    accepted, reasons = judged(curation, images, [0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1])
    assert accepted == [True, False, False, False, True, True, True]
    assert reasons[1] == [rules.BALANCE]


def test_what_each_reason_rejects_is_counted(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """A filter counts all whom it rejects, and whom nothing else does."""
    curation = curation_of(keep=["fake.chance < 0.5", "fake.brightness < 0.5"])
    scores = {"fake.chance": np.array([0.1, 0.6, 0.6]), "fake.brightness": np.array([0.1, 0.1, 0.6])}
    found = rules.judge(curation, images_of({LIGHT: 3}), scores).filters
    assert [(one.rejected, one.alone) for one in found] == [(2, 1), (1, 0)]


def test_nothing_to_judge_is_judged(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """No image at all is no error here."""
    curation = curation_of(best={"per_cell": 1, "by": "fake.chance"}, balance_skin_tones=True)
    assert judged(curation, images_of({LIGHT: 0}), []) == ([], [])
