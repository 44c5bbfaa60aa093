"""What a report tests: one primary family, what stands behind it where all of that is significant, and nothing else."""

import dataclasses
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

from synthgen.evaluate.analysis import families, statistics
from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.predictions import ArmKey, Predictions
from synthgen.evaluate.report import conclusions
from synthgen.plan.manifest.evaluate import Strategy

TEXT, PLAIN = Strategy("text"), Strategy("plain")


def cells(gain: float, strategies: tuple[Strategy, ...] = (TEXT, TEXT.uncurated)) -> dict[ArmKey, float]:
    """The true accuracies of a study with controls, in which synthetic images add so much."""
    found: dict[ArmKey, float] = {}
    for n in (8, 32):
        found |= {ArmKey(name, Strategy(), n, 0): 0.5 for name in ("real", "real+augment")}
        found |= {ArmKey("real-more", Strategy(), n, 2): 0.5}
        for strategy in strategies:
            found |= {ArmKey(name, strategy, n, 2): 0.5 + gain for name in ("real+synthetic", "synthetic-only")}
    return found


def analysed(simulated: ModuleType, gain: float, primary: dict[str, Any] | None = None, **changes: Any) -> Analysis:
    """A simulated study's analysis."""
    about = {"primary": primary or {}} | changes.pop("about", {})
    return Analysis(simulated.study(cells(gain, **changes), images=300, about=about), draws=150)


def test_the_default_family_is_real_and_synthetic_against_real(simulated: ModuleType) -> None:
    """Controls, images without curation and other arms are not in it, and Holm's correction is over it alone."""
    analysis = analysed(simulated, 0.1)
    named = [(one.arm.name, one.arm.strategy, one.arm.n_real, one.against.name, one.metric, one.subset)
             for one in analysis.primary]  # fmt: skip
    assert named == [("real+synthetic", TEXT, n, "real", "top1", "all") for n in (8, 32)]
    raw = [one.p_hypothesis for one in analysis.primary]
    assert all(one.p_hypothesis >= one.difference.p for one in analysis.primary)
    assert [one.p_holm for one in analysis.primary] == pytest.approx(list(multipletests(raw, method="holm")[1]))
    assert {one.family for one in analysis.primary} == {2}


@pytest.mark.parametrize(
    ("primary", "expected"),
    [
        ({"arms": ["synthetic-only"]}, {("synthetic-only", "real", "all")}),
        ({"against": "real-more", "n_real": [32]}, {("real+synthetic", "real-more", "all")}),
        ({"arms": ["synthetic-only"], "against": "real+augment"}, {("synthetic-only", "real+augment", "all")}),
        ({"against": "uncurated"}, {("real+synthetic", "real+synthetic", "all")}),
        ({"against": "plain", "strategies": ["text"]}, {("real+synthetic", "real+synthetic", "all")}),
        ({"subset": "gap"}, {("real+synthetic", "real", "light-dark gap")}),
    ],
)
def test_another_family_can_be_named(
    simulated: ModuleType, primary: dict[str, Any], expected: set[tuple[str, str, str]]
) -> None:
    """Of other arms, controls, sizes, images and groups."""
    about = {"against": {"text": "plain"}}
    analysis = analysed(simulated, 0.0, primary, strategies=(TEXT, TEXT.uncurated, PLAIN), about=about)
    assert {(one.arm.name, one.against.name, one.subset) for one in analysis.primary} == expected
    assert all(one.arm.strategy.curated for one in analysis.primary)


def test_one_training_counts_once(simulated: ModuleType) -> None:
    """Two strategies whose predictions are the same to the bit are one test, and both have its p."""
    known: Predictions = simulated.study(cells(0.1, strategies=(TEXT, PLAIN)), images=200)
    copied = known.probabilities.copy()
    for arm, rows in known.arms.items():
        if arm.strategy == PLAIN:
            copied[[*rows.values()]] = known.probabilities[
                [*known.arms[dataclasses.replace(arm, strategy=TEXT)].values()]
            ]
    analysis = Analysis(dataclasses.replace(known, probabilities=copied), draws=100)
    assert len(analysis.primary) == 4
    assert {one.family for one in analysis.primary} == {2}
    p = {one.arm: one.p_holm for one in analysis.primary}
    assert all(p[one] == p[dataclasses.replace(one, strategy=PLAIN)] for one in p if one.strategy == TEXT)


def test_figures_of_one_training_are_tests_of_their_own(simulated: ModuleType) -> None:
    """Beside a primary family of one size, the others' figures on each group of tones keep p values of their own."""
    analysis = analysed(simulated, 0.35, {"n_real": [8]})
    apart = [one for one in analysis.comparisons if one.subset != "all" and one.arm.name == "real+synthetic"]
    assert len({one.subset for one in apart}) == 4
    assert all(one.p_holm >= one.p_hypothesis for one in apart)
    assert all(one.p_report >= one.p_hypothesis for one in analysis.comparisons if one.tested)


def test_a_wider_gap_is_not_called_better(simulated: ModuleType) -> None:
    """Where the primary family is of the gap, its sentences say wider or narrower."""
    tones = np.arange(300) % 6 + 1
    known: Predictions = simulated.study(cells(0.0), images=300, tones=tones, about={"primary": {"subset": "gap"}})
    sure = np.eye(known.probabilities.shape[-1], dtype=np.float32)[known.labels]
    probabilities = known.probabilities.copy()
    for arm, rows in known.arms.items():
        if arm.name == "real+synthetic":
            probabilities[np.ix_([*rows.values()], np.flatnonzero(tones < 3))] = sure[tones < 3]
    analysis = Analysis(dataclasses.replace(known, probabilities=probabilities), draws=200)
    (said,) = (line for line in conclusions.findings(analysis) if line.startswith("Adding") and "the gap" in line)
    assert "significantly wider in 2 of 2" in said


def test_a_family_that_could_not_all_be_tested_opens_no_gate(simulated: ModuleType) -> None:
    """One comparison without a p value is not significant, so what stands behind the family is not tested."""
    analysis = analysed(simulated, 0.35)
    first, *rest = analysis.primary
    assert families.gate(analysis.primary) < 0.05
    assert families.gate([dataclasses.replace(first, p_holm=float("nan")), *rest]) == 1


def test_nothing_behind_a_family_that_is_not_all_significant_is_claimed(simulated: ModuleType) -> None:
    """A real difference of a control is described, and no sentence calls it significant."""
    truth = cells(0.0) | {ArmKey("real-more", Strategy(), 8, 2): 0.95}
    analysis = Analysis(simulated.study(truth, images=400), draws=200)
    assert not analysis.gate_open
    great = next(one for one in analysis.family("real") if one.arm.name == "real-more" and one.arm.n_real == 8)
    assert great.p_holm < 0.001
    assert not great.significant
    assert not any("significantly" in line for line in conclusions.findings(analysis))


def test_behind_a_family_that_is_all_significant_all_questions_are_one_family(simulated: ModuleType) -> None:
    """Controls, other arms, curation and the gap are corrected together; other figures and single tones are not."""
    analysis = analysed(simulated, 0.35)
    assert analysis.gate_open
    behind = [one for one in analysis.comparisons if one.tested and not one.primary]
    assert {one.kind for one in behind} == {"arms", "curation"}
    assert {one.subset for one in behind} == {"all", "light-dark gap"}
    assert {one.metric for one in behind} == {"top1"}
    adjusted = multipletests([one.p_hypothesis for one in behind], method="holm")[1]
    highest = max(one.p_holm for one in analysis.primary)
    assert [one.p_report for one in behind] == pytest.approx(list(np.maximum(adjusted, highest)))
    assert {one.tests for one in behind} == {len(behind)}


def test_no_single_tone_is_ever_claimed(simulated: ModuleType) -> None:
    """The change of the gap tells for whom; groups are shown together, with the smallest change it could find."""
    analysis = analysed(simulated, 0.35)
    assert not any(one.significant for one in analysis.comparisons if one.subset in analysis.tone_groups)
    (line,) = (line for line in conclusions.findings(analysis) if line.startswith("By skin"))
    assert all(f"on {name}" in line for name in ("light", "medium", "dark"))
    assert "smallest change that could have been found" in line


def test_non_inferiority_and_equivalence_are_shown_where_they_are(simulated: ModuleType) -> None:
    """Arms that do not differ are within ten points, and an arm that is ten points worse is not within five."""
    noise = simulated.Noise(seed_of_arm=0.02, image_of_arm=0.1)
    for hypothesis, said in (("non-inferiority", "non-inferior to"), ("equivalence", "equivalent to")):
        named = {"arms": ["synthetic-only"], "hypothesis": hypothesis, "margin": 0.1}
        same = Analysis(simulated.study(cells(0.0), images=1000, noise=noise, about={"primary": named}), draws=200)
        assert all(one.significant for one in same.primary)
        assert any(f"shown to be {said} real images alone" in line for line in conclusions.findings(same))
        worse = Analysis(
            simulated.study(cells(-0.1), images=1000, noise=noise, about={"primary": named | {"margin": 0.05}}),
            draws=200,
        )
        assert not any(one.significant for one in worse.primary)
        assert any(f"{hypothesis} to real images alone" in line for line in conclusions.findings(worse))


def test_equivalence_is_two_one_sided_tests() -> None:
    """The p values are statsmodels' of the same mean, error and degrees of freedom, doubled."""
    sample = np.random.default_rng(0).normal(0.01, 0.1, 80)
    known = DescrStatsW(sample)
    estimate = statistics.Estimate(float(sample.mean()), -1, 1, 0.5, float(known.std_mean), 79, 5)
    equivalent, (_, lower, _), _ = known.ttost_mean(-0.04, 0.04)
    assert statistics.p_of(estimate, "equivalence", 0.04) == pytest.approx(2 * equivalent)
    assert statistics.p_of(estimate, "non-inferiority", 0.04) == pytest.approx(2 * lower)
    assert statistics.p_of(estimate, "difference") == pytest.approx(2 * (1 - t(79).cdf(sample.mean() / known.std_mean)))


def test_a_family_of_few_seeds_that_matter_most_rarely_claims_anything() -> None:
    """Far out in the tail p is small no oftener than it should be, where plain degrees of freedom fail fivefold."""
    rng = np.random.default_rng(0)
    drawn, seeds, comparisons, wrong = statistics.resampling([str(n) for n in range(40)], 60), 3, 8, {True: 0, False: 0}
    for _ in range(1200):
        of_images = 0.12 * rng.standard_normal(40)
        scores = rng.normal(0, 0.06, (1, seeds)) + (drawn.images @ of_images / 40)[:, None]
        found = statistics.estimate(scores, drawn)
        for cautious in wrong:
            p = statistics.p_of(found, "difference") if cautious else found.p
            wrong[cautious] += p < 0.05 / comparisons
    expected = 1200 * 0.05 / comparisons
    assert wrong[True] <= expected + 2 * np.sqrt(expected) < wrong[False]


def test_the_smallest_detectable_difference_is_that_of_power_analysis() -> None:
    """With 80 % power, as statsmodels solves for it."""
    effect = TTestPower().solve_power(nobs=40, alpha=0.05, power=0.8)
    estimate = statistics.Estimate(0, -1, 1, 0.5, 1 / np.sqrt(40), 39, 5)
    assert statistics.smallest_detectable(estimate) == pytest.approx(effect, rel=0.01)
    corrected = TTestPower().solve_power(nobs=40, alpha=0.05 / 7, power=0.8)
    assert statistics.smallest_detectable(estimate, 7) == pytest.approx(corrected, rel=0.01)


def test_a_study_without_real_and_synthetic_has_a_family_too(simulated: ModuleType) -> None:
    """Of what else is synthetic, or else of every arm."""
    real = {ArmKey("real", Strategy(), 8, 0): 0.5, ArmKey("real+augment", Strategy(), 8, 0): 0.5}
    alone = Analysis(simulated.study(real, images=60), draws=20)
    assert [one.arm.name for one in alone.primary] == ["real+augment"]
    replaced = real | {ArmKey("substitute", TEXT, 8, 1): 0.5}
    analysis = Analysis(simulated.study(replaced, images=60), draws=20)
    assert [one.arm.name for one in analysis.primary] == ["substitute"]
