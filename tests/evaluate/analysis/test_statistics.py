"""Intervals cover what is true, Holm's correction is Holm's, and paired draws are paired."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind
from sklearn.metrics import balanced_accuracy_score, f1_score
from statsmodels.stats.multitest import multipletests

from synthgen.evaluate.analysis import statistics


def compared(simulated: ModuleType, noise: Any, levels: list[float], seeds: int, groups: np.ndarray) -> list[Any]:
    """The estimate of each of 200 simulated studies of two arms."""
    drawn = statistics.resampling([str(group) for group in groups], draws=400)
    found = []
    for number in range(200):
        hits = simulated.hits(np.random.default_rng(number), levels, seeds, groups, noise).astype(float)
        a, b = (statistics.accuracy(drawn.images, one) for one in (hits[1], hits[0]))
        found.append(statistics.compare(a, b, drawn))
    return found


@pytest.mark.parametrize(
    ("effects", "seeds", "in_group"),
    [
        ({}, 5, 1),
        ({}, 3, 1),
        ({"seed_of_arm": 0.4, "image_of_arm": 0.2}, 5, 1),  # seeds matter most
        ({"seed_of_arm": 0.0}, 5, 1),  # images alone matter
        ({"image": 0.5, "group": 0.8}, 5, 4),  # patients of four images each
    ],
)
def test_intervals_cover_what_is_true(
    simulated: ModuleType, effects: dict[str, float], seeds: int, in_group: int
) -> None:
    """Of nominal 95 % intervals 90 to 99 % hold the true difference, which is known to the last digit."""
    noise, levels = simulated.Noise(**effects), [0.0, 0.2]
    true = noise.accuracy(levels[1]) - noise.accuracy(levels[0])
    found = compared(simulated, noise, levels, seeds, np.arange(240) // in_group)
    assert 0.9 <= np.mean([one.low <= true <= one.high for one in found]) <= 0.995


@pytest.mark.parametrize("seeds", [3, 5])
def test_no_effect_is_rarely_significant(simulated: ModuleType, seeds: int) -> None:
    """Without an effect at most 5 %, and two standard errors of 200 studies, have p below 0.05."""
    found = compared(simulated, simulated.Noise(), [0.1, 0.1], seeds, np.arange(240))
    assert np.mean([one.p < 0.05 for one in found]) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_groups_are_drawn_as_wholes() -> None:
    """Images of a group are drawn equally often, and an interval over few groups is wider for it."""
    drawn = statistics.resampling(["a", "b", "a", "c"], draws=50)
    assert (drawn.images[:, 0] == drawn.images[:, 2]).all()
    assert drawn.groups == 3
    hits = np.repeat(np.random.default_rng(0).random((1, 50)) < 0.5, 4, axis=1).astype(float)
    errors = []
    for names in (np.arange(200), np.arange(200) // 4):
        drawn = statistics.resampling([str(name) for name in names])
        errors.append(statistics.estimate(statistics.accuracy(drawn.images, hits), drawn).standard_error)
    assert errors[1] == pytest.approx(2 * errors[0], rel=0.1)


@pytest.mark.parametrize("figure", ["tone group", "gap"])
def test_a_tone_group_of_few_patients_proves_little(simulated: ModuleType, figure: str) -> None:
    """Three patients among 219 groups have two degrees of freedom: without an effect 5 % at most have p below 0.05."""
    noise = simulated.Noise(image=0.5, group=0.6, image_of_arm=0.2, group_of_arm=0.6)
    groups = np.concatenate([np.arange(24) // 8, 3 + np.arange(216)])
    few = groups < 3
    whole = statistics.resampling([str(group) for group in groups], draws=200)
    wrong = 0
    for number in range(200):
        hits = simulated.hits(np.random.default_rng(number), [0.1, 0.1], 5, groups, noise).astype(float)
        parts = []
        for members in (few, ~few):
            drawn = whole.among(members)
            a, b = (statistics.accuracy(drawn.images, one[:, members]) for one in (hits[1], hits[0]))
            parts.append(statistics.Part(a - b, drawn.groups))
        if figure == "gap":
            found = statistics.estimate(parts[0].scores - parts[1].scores, whole, parts=parts)
        else:
            found = statistics.estimate(parts[0].scores, whole.among(few))
        wrong += found.p < 0.05
    assert wrong / 200 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_the_parts_of_a_gap_are_welchs() -> None:
    """Of images alone, the gap of two sets has the standard error and degrees of freedom of Welch's unpaired test."""
    rng = np.random.default_rng(2)
    few, many = np.arange(200) < 12, np.arange(200) >= 12
    hits = (rng.random((1, 200)) < 0.4).astype(float)
    whole = statistics.resampling([str(number) for number in range(200)], draws=20_000)
    parts = []
    for members in (few, many):
        drawn = whole.among(members)
        parts.append(statistics.Part(statistics.accuracy(drawn.images, hits[:, members]), drawn.groups))
    found = statistics.estimate(parts[0].scores - parts[1].scores, whole, parts=parts)
    test = ttest_ind(hits[0, few], hits[0, many], equal_var=False)
    assert found.degrees_of_freedom == pytest.approx(test.df, rel=0.15)
    assert found.value / found.standard_error == pytest.approx(test.statistic, rel=0.12)


def test_a_seed_alone_has_an_interval_of_images() -> None:
    """With one seed the interval is that of the test images: a binomial's, near enough."""
    hits = (np.arange(400) % 4 == 0)[None].astype(float)
    drawn = statistics.resampling([str(number) for number in range(400)])
    found = statistics.estimate(statistics.accuracy(drawn.images, hits), drawn)
    assert (found.value, found.seeds) == (0.25, 1)
    assert found.standard_error == pytest.approx(np.sqrt(0.25 * 0.75 / 400), rel=0.06)


def test_equal_arms_do_not_differ() -> None:
    """Arms with the same predictions differ by 0, surely, with p = 1."""
    drawn = statistics.resampling(["a", "b", "c"], draws=20)
    scores = statistics.accuracy(drawn.images, np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]))
    found = statistics.compare(scores, scores, drawn)
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_few_images_that_agree_prove_little() -> None:
    """Three test images that all get better are not significant; one has no interval."""
    for images, sure in ((3, False), (1, None)):
        drawn = statistics.resampling([str(number) for number in range(images)], draws=20)
        found = statistics.estimate(statistics.accuracy(drawn.images, np.ones((5, images))), drawn)
        assert np.isnan(found.p) if sure is None else found.p > 0.05


def test_the_same_draws_give_the_same_numbers() -> None:
    """Draws depend on their seed and number alone."""
    names = [str(number) for number in range(30)]
    one, other = statistics.resampling(names, 10, 3), statistics.resampling(names, 10, 3)
    assert (one.images == other.images).all()
    assert (one.seeds(4) == other.seeds(4)).all()
    assert not np.array_equal(one.images, statistics.resampling(names, 10, 4).images)


def test_resampled_metrics_are_those_of_the_drawn_images() -> None:
    """Under each draw, balanced accuracy and macro-F1 equal scikit-learn's of the images repeated so often."""
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 3, 60), rng.integers(0, 3, (2, 60))
    drawn = statistics.resampling([str(number) for number in range(60)], draws=4).images
    for row, times in enumerate(drawn.astype(int)):
        true = np.repeat(labels, times)
        for trial in range(2):
            taken = np.repeat(predicted[trial], times)
            balanced = statistics.balanced_accuracy(drawn, predicted, labels)[row, trial]
            assert balanced == pytest.approx(balanced_accuracy_score(true, taken))
            f1 = statistics.macro_f1(drawn, predicted, labels)[row, trial]
            assert f1 == pytest.approx(f1_score(true, taken, average="macro"))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=20)
def test_holm_is_holm(values: list[float]) -> None:
    """Adjusted p values are statsmodels', and the step-down formula's written out."""
    found = statistics.holm(values)
    assert found == pytest.approx(list(multipletests(values, method="holm")[1]))
    order, so_far = np.argsort(values, kind="stable"), 0.0
    for rank, place in enumerate(order):
        so_far = max(so_far, min(1.0, (len(values) - rank) * values[place]))
        assert found[place] == pytest.approx(so_far)


def test_holm_leaves_out_what_has_no_p() -> None:
    """A comparison without p does not count, and a family of none is fine."""
    assert statistics.holm([0.01, float("nan"), 0.04]) == pytest.approx([0.02, float("nan"), 0.04], nan_ok=True)
    assert np.isnan(statistics.holm([float("nan")])).all()
    assert statistics.holm([]) == []
