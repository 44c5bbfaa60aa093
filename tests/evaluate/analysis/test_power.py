"""What a study could find is told before anything is made, and is about what published studies could."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.core.yaml_documents import validate
from synthgen.evaluate.analysis import power, statistics
from synthgen.plan.manifest.evaluate import Evaluate
from synthgen.plan.real_index import Source

DOCS = Path(__file__).parents[3] / "docs"
BLANK = Source("", "", "nevus", 0, "test", "", "", "")


def read(**written: Any) -> Evaluate:
    settings, faults = validate(Evaluate, written, "evaluate")
    assert settings is not None, faults
    return settings


def images(count: int, of_each: int = 1) -> list[Source]:
    """Test images of every Fitzpatrick type in turn, so many of a patient."""
    return [replace(BLANK, id=str(one), group=str(one // of_each), tone=1 + one // of_each % 6) for one in range(count)]


@pytest.mark.parametrize("study", ["evaluate-phantom", "sagers2023-phantom", "akrout2023-phantom"])
def test_what_is_assumed_is_what_studies_found(study: str) -> None:
    """Of most published comparisons from 8 real images on the standard error is within what a plan expects."""
    tested = re.search(r"the same ([\d,]+) real images", (DOCS / study / "report.md").read_text())
    assert tested is not None
    groups = int(tested[1].replace(",", ""))
    with (DOCS / study / "comparisons.csv").open(encoding="utf-8", newline="") as file:
        rows = [one for one in csv.DictReader(file) if one["standard_error"] and int(one["n_real"]) >= 8]
    rows = [one for one in rows if (one["arm"], one["against"], one["subset"]) == ("real+synthetic", "real", "all")]
    rows = [
        one for one in rows if one["metric"] == "top1" and one["seeds"] == "5" and "uncurated" not in one["strategy"]
    ]
    low, high = power.standard_errors(5, groups)
    inside = [low <= float(one["standard_error"]) <= high for one in rows]
    assert np.mean(inside) >= 0.8


def test_more_seeds_and_patients_find_less_and_more_questions_more() -> None:
    """Images of one patient count once, and every comparison of the family makes it harder."""
    one = power.expected(read(seeds=5), images(600), ["text"], "fitzpatrick")
    assert 0.01 < one.low < one.high < 0.2
    assert power.expected(read(seeds=10), images(600), ["text"], "fitzpatrick").high < one.high
    few = power.expected(read(seeds=5), images(600, of_each=20), ["text"], "fitzpatrick")
    assert (few.groups, one.groups) == (30, 600)
    assert few.low > 1.5 * one.low
    several = power.expected(read(seeds=5), images(600), ["text", "painted"], "fitzpatrick")
    assert (several.comparisons, one.comparisons) == (16, 8)
    assert several.low > one.low
    assert one.gap_low > 0.01


def test_the_primary_family_is_counted_as_named() -> None:
    """Arms, sizes and ratios that are named alone; half and all of `substitute`."""
    named = read(primary={"n_real": [8], "ratios": [10]})
    assert power.comparisons(named, ["text", "painted"]) == 2
    assert power.comparisons(read(primary={"arms": ["substitute"]}), ["text"]) == 7  # n = 1 has no half
    assert power.comparisons(read(arms=["real", "real+augment"]), []) == 4


@pytest.mark.parametrize(("seeds", "tested"), [(2, 600), (5, 1)])
def test_what_can_not_be_tested_is_said(seeds: int, tested: int) -> None:
    """Two seeds, or one patient, can find nothing."""
    assert "too few to test anything" in str(power.expected(read(seeds=seeds), images(tested), ["text"], "fitzpatrick"))


def test_a_planned_error_is_that_of_a_study_that_varies_so() -> None:
    """Scores with the assumed deviations have the standard error, and its degrees of freedom, that was planned."""
    rng = np.random.default_rng(1)
    drawn = statistics.resampling([str(one) for one in range(200)], draws=500)
    found = []
    for _ in range(40):
        per_image = 0.3 * rng.standard_normal(200) + 0.03 * rng.standard_normal((5, 1))
        found.append(statistics.estimate(statistics.accuracy(drawn.images, per_image), drawn))
    expected = statistics.planned(0.3, 0.03, 5, [200])
    assert np.mean([one.standard_error**2 for one in found]) ** 0.5 == pytest.approx(expected.standard_error, rel=0.1)
    assert np.median([one.cautious_freedom for one in found]) == pytest.approx(expected.cautious_freedom, rel=0.35)
