"""A filter that rejects dark skin more often than light is found, with its interval."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats.contingency import relative_risk
from statsmodels.stats.contingency_tables import StratifiedTable

from synthgen.curate import parity
from synthgen.curate import rules as synthgen_rules
from synthgen.curate.image_table import ImageTable
from synthgen.plan.manifest import Curation
from synthgen.runs.verdicts import Ratio

ImagesOf = Callable[..., ImageTable]
CurationOf = Callable[..., Curation]


def ratios(images: ImageTable, curation: Curation, value: list[float], scale: str = "fitzpatrick") -> list[Ratio]:
    scores = {"fake.chance": np.array(value), "fake.brightness": np.zeros(len(value))}
    return parity.ratios(synthgen_rules.judge(curation, images, scores), scale)


def by_label(images: ImageTable, curation: Curation, value: list[float]) -> list[parity.LabelParity]:
    scores = {"fake.chance": np.array(value), "fake.brightness": np.zeros(len(value))}
    return parity.by_label(synthgen_rules.judge(curation, images, scores), "fitzpatrick")


def test_rates_are_of_light_and_of_dark_skin(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Types I and II beside V and VI; those between count in neither."""
    images = images_of({("a", "b", tone): 10 for tone in range(1, 7)})
    value = [0.9] * 2 + [0.1] * 18 + [0.9] * 20 + [0.9] * 8 + [0.1] * 12
    (found,) = ratios(images, curation_of(keep=["fake.chance < 0.5"]), value)
    assert (found.light, found.light_rejected, found.dark, found.dark_rejected) == (20, 2, 20, 8)
    assert found.ratio == pytest.approx(4.0)
    assert found.low < 4 < found.high


def test_all_rules_together_have_a_ratio_of_their_own(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """An image that two rules reject is rejected once; what only counts images has no ratio."""
    images = images_of({("a", "b", 1): 4, ("a", "b", 6): 4})
    rules = ["fake.chance < 0.5", "fake.chance < 0.4"]
    found = ratios(images, curation_of(keep=rules, balance_skin_tones=True), [0.9, 0, 0, 0, 0.9, 0.45, 0, 0])
    assert [(one.reason, one.light_rejected, one.dark_rejected) for one in found] == [
        ("fails fake.chance < 0.5", 1, 1), ("fails fake.chance < 0.4", 1, 2), ("", 1, 2),
    ]  # fmt: skip


def test_one_group_alone_has_no_ratio(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Without images of light or of dark skin there is nothing to compare."""
    assert ratios(images_of({("a", "b", 6): 2}), curation_of(keep=["fake.chance < 0.5"]), [0.1, 0.9]) == []


def test_no_rejection_of_light_skin_has_an_interval_yet(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Where the ratio itself would be infinite, its interval still says how much is known."""
    images = images_of({("a", "b", 1): 50, ("a", "b", 6): 50})
    (found,) = ratios(images, curation_of(keep=["fake.chance < 0.5"]), [0.1] * 50 + [0.9] * 40 + [0.1] * 10)
    assert found.ratio is None
    assert 1 < found.low < found.high < float("inf")


def test_the_interval_is_that_of_katz_where_counts_are_large() -> None:
    """With many cases, half a case more makes no difference to scipy's log interval."""
    expected = relative_risk(3000, 10_000, 2000, 10_000).confidence_interval(0.95)
    assert parity.interval(3000, 10_000, 2000, 10_000) == pytest.approx((expected.low, expected.high), rel=1e-3)


@pytest.mark.parametrize("counts", [(0, 5, 0, 5), (5, 5, 5, 5), (0, 1, 1, 1)])
def test_the_interval_is_finite_and_holds_an_even_ratio_where_nothing_is_known(
    counts: tuple[int, int, int, int],
) -> None:
    """Counts of 0 and of all give an interval too."""
    low, high = parity.interval(*counts)
    assert 0 < low <= 1 <= high < float("inf")


def test_the_pooled_ratio_is_mantel_and_haenszels() -> None:
    """As statsmodels pools it, with Greenland and Robins' interval worked out by hand."""
    strata = [parity.Counts(166, 200, 124, 200), parity.Counts(42, 200, 113, 200), parity.Counts(1, 150, 3, 90)]
    tables = [np.array([[a, n - a], [b, m - b]]) for a, n, b, m in strata]
    found, low, high = parity.pooled_ratio(strata)
    assert found == pytest.approx(StratifiedTable(tables).riskratio_pooled)
    above = sum(a * m / (n + m) for a, n, b, m in strata)
    below = sum(b * n / (n + m) for a, n, b, m in strata)
    top = sum(((a + b) * n * m - a * b * (n + m)) / (n + m) ** 2 for a, n, b, m in strata)
    assert np.log(high / low) / 2 == pytest.approx(1.959964 * np.sqrt(top / (above * below)), rel=1e-5)
    assert np.sqrt(low * high) == pytest.approx(found)


def test_a_label_in_which_dark_skin_fares_worse_is_not_hidden_by_others(
    images_of: ImagesOf, curation_of: CurationOf
) -> None:
    """Over all labels a filter spares dark skin; in one it rejects more of it, which is named, and marked."""
    images = images_of(
        {(entry, label, tone): 100 for entry in "a" for label in ("psoriasis", "nevus") for tone in (1, 6)}
    )
    rejected = {("psoriasis", 1): 62, ("psoriasis", 6): 83, ("nevus", 1): 60, ("nevus", 6): 10}
    value = [0.9 if n < count else 0.1 for count in (rejected[label, tone] for _, label, tone in images.cells)
             for n in range(100)]  # fmt: skip
    (whole,) = ratios(images, curation_of(keep=["fake.chance < 0.5"]), value)
    assert whole.high < 1
    (found,) = by_label(images, curation_of(keep=["fake.chance < 0.5"]), value)
    assert (found.worst_label, found.worst) == ("psoriasis", pytest.approx(83 / 62))
    assert found.worst_low > 1
    assert found.labels_differ
    assert found.uneven(1.0)
    assert not found.uneven(1.5)


def test_other_shares_of_labels_are_no_unevenness(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Where each label is rejected alike, pooling finds 1, though dark skin has more of the label that is rejected."""
    counts = {("psoriasis", 1): 50, ("psoriasis", 6): 250, ("nevus", 1): 250, ("nevus", 6): 50}
    images = images_of({("a", *cell): count for cell, count in counts.items()})
    rejected = {("psoriasis", 1): 40, ("psoriasis", 6): 200, ("nevus", 1): 25, ("nevus", 6): 5}
    value = [0.9 if n < rejected[label, tone] else 0.1 for _, label, tone in images.cells
             for n in range(counts[label, tone])]  # fmt: skip
    (whole,) = ratios(images, curation_of(keep=["fake.chance < 0.5"]), value)
    assert whole.low > 1
    (found,) = by_label(images, curation_of(keep=["fake.chance < 0.5"]), value)
    assert found.ratio == pytest.approx(1)
    assert not found.labels_differ
    assert not found.uneven(1.0)


def test_one_label_has_nothing_to_pool(images_of: ImagesOf, curation_of: CurationOf) -> None:
    """Its ratio is the one there is."""
    images = images_of({("a", "b", 1): 4, ("a", "b", 6): 4})
    assert by_label(images, curation_of(keep=["fake.chance < 0.5"]), [0.9] * 8) == []
