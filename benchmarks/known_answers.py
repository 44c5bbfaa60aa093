"""How well the statistics of `classifier-eval` do on simulated studies of which the truth is known.

A simulated study is a set of predictions: whether an arm's trial of a seed is right on a test image is drawn with
random effects of seeds, images, groups, and of the arm with each, crossed as in a real study. From them everything is
computed as from a real one. Run with ``python benchmarks/known_answers.py``; it writes docs/statistics.md.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from synthgen.evaluate.analysis import statistics
from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.predictions import ArmKey
from synthgen.evaluate.report import conclusions
from synthgen.plan.manifest.evaluate import Strategy

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/statistics.md"
SIZES = {1: 0.36, 8: 0.5, 32: 0.6}
TEXT = {n: ArmKey("real+synthetic", Strategy("text"), n, 2) for n in SIZES}
EFFECTS: dict[str, tuple[dict[str, float], int, int]] = {
    "as a study on drawn skin": ({}, 5, 1),
    "three seeds": ({}, 3, 1),
    "two seeds": ({}, 2, 1),
    "ten seeds": ({}, 10, 1),
    "seeds matter most": ({"seed_of_arm": 0.4, "image_of_arm": 0.2}, 5, 1),
    "seeds do not matter": ({"seed_of_arm": 0.0}, 5, 1),
    "patients of four images": ({"image": 0.5, "group": 0.8}, 5, 4),
    "no effect of an arm on single images": ({"image_of_arm": 0.0}, 5, 1),
}


def load_simulated() -> Any:
    """The simulated studies that the tests use."""
    spec = importlib.util.spec_from_file_location("simulated", ROOT / "tests/evaluate/simulated.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018, S101 - the file is there
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def coverage(simulated: Any, studies: int, what: tuple[dict[str, float], int, int], gain: float) -> tuple[float, float]:
    """How often 95 % intervals hold the true difference of two arms, and how often p is below 0.05."""
    effects, seeds, in_group = what
    noise, groups, levels = simulated.Noise(**effects), np.arange(240) // in_group, [0.0, gain]
    true = noise.accuracy(levels[1]) - noise.accuracy(levels[0])
    drawn = statistics.resampling([str(group) for group in groups], draws=400)
    held, below = 0, 0
    for number in range(studies):
        hits = simulated.hits(np.random.default_rng(number), levels, seeds, groups, noise).astype(float)
        a, b = (statistics.accuracy(drawn.images, one) for one in (hits[1], hits[0]))
        one = statistics.compare(a, b, drawn)
        held, below = held + (one.low <= true <= one.high), below + (one.p < 0.05)
    return held / studies, below / studies


def arms(gain: float) -> dict[ArmKey, float]:
    """The true accuracies of a study in which synthetic images add so much at every size."""
    real = {ArmKey("real", Strategy(), n, 0): value for n, value in SIZES.items()}
    return real | {TEXT[n]: value + gain for n, value in SIZES.items()}


def share(studies: int, analyse: Callable[[int], Analysis], claim: Callable[[Analysis], bool]) -> float:
    """The share of studies that claim something."""
    return sum(claim(analyse(number)) for number in range(studies)) / studies


def any_claim(analysis: Analysis) -> bool:
    """Whether the report claims a difference from real images alone, anywhere in the family."""
    return any(one.significant for one in analysis.primary)


def any_help(analysis: Analysis) -> bool:
    """Whether the report claims a gain, in its comparisons or in its sentences."""
    said = any("significantly better" in line for line in conclusions.findings(analysis))
    return said or any(one.significant and one.difference.value > 0 for one in analysis.primary)


def every_size_found(analysis: Analysis) -> bool:
    """Whether a gain is claimed at every size."""
    return all(one.significant and one.difference.value > 0 for one in analysis.primary)


def worth_one(analysis: Analysis) -> bool:
    """Whether a synthetic image is not told from a real one: its rate's interval holds 1."""
    rate = analysis.exchange(TEXT[8])
    return rate is not None and rate.low <= 1 <= rate.high


def against_more(analysis: Analysis) -> bool:
    """Whether the report claims a difference from as many more real images."""
    return any(one.significant for one in analysis.family("real-more"))


def second_pool() -> dict[ArmKey, float]:
    """The true accuracies of a study whose synthetic images are real ones in truth."""
    accuracy = {n: 0.36 + 0.08 * float(np.log(n)) for n in (1, 8, 24, 32, 96)}
    study = {ArmKey("real", Strategy(), n, 0): accuracy[n] for n in (1, 8, 32)}
    for n in (8, 32):
        study |= {ArmKey("real-more", Strategy(), n, 2): accuracy[3 * n], TEXT[n]: accuracy[3 * n]}
    return study


def whole_studies(simulated: Any, studies: int) -> Iterator[tuple[str, str, float]]:
    """What should be, and what was, of whole studies with reports."""

    def of(gain: float, images: int = 240, **noise: float) -> Callable[[int], Analysis]:
        known = simulated.Noise(**noise)
        return lambda number: Analysis(
            simulated.study(arms(gain), images=images, noise=known, seed=number, scale=""), draws=300
        )

    def pool(number: int) -> Analysis:
        noise = simulated.Noise(seed=0.05, seed_of_arm=0.02)
        return Analysis(simulated.study(second_pool(), images=1500, noise=noise, seed=number, scale=""), draws=300)

    few = max(20, studies // 10)
    yield "no effect: any difference claimed in the family", "5 % or less", share(studies, of(0.0), any_claim)
    yield "labels shuffled, -3 points: any gain claimed", "5 % or less", share(studies, of(-0.03), any_help)
    found = share(studies, of(0.05), any_help)
    yield "+5 points, 240 test images: a gain claimed at some size", "the higher, the better", found
    found = share(few, of(0.05, 1500, seed_of_arm=0.02), every_size_found)
    yield "+5 points, 1,500 test images: a gain claimed at every size", "near 100 %", found
    yield (
        "a second pool of real images: a difference from more real ones",
        "5 % or less",
        share(few, pool, against_more),
    )
    yield "a second pool of real images: its worth's interval holds 1", "95 % or more", share(few, pool, worth_one)


def page(studies: int) -> Iterator[str]:
    """The page's lines."""
    simulated, began = load_simulated(), time.perf_counter()
    yield "# The statistics of classifier-eval against known answers"
    yield ""
    yield f"Written by `python benchmarks/known_answers.py --studies {studies}`."
    yield "Simulated studies are predictions drawn with random effects of seeds, images, groups, and of the arm with"
    yield "each (tests/evaluate/simulated.py); what is true of them is known."
    error = 200 * np.sqrt(0.05 * 0.95 / studies)
    yield ""
    yield f"Two arms, 240 test images, {studies} studies a row: shares of 95 % and 5 % are known to {error:.1f} points."
    yield ""
    yield "| simulated | seeds | 95 % intervals that hold the true difference | p < 0.05 without a difference |"
    yield "|---|---:|---:|---:|"
    for name, what in EFFECTS.items():
        held, wrong = coverage(simulated, studies, what, 0.2)[0], coverage(simulated, studies, what, 0.0)[1]
        yield f"| {name} | {what[1]} | {100 * held:.1f} % | {100 * wrong:.1f} % |"
    yield ""
    yield "Below three seeds a report gives intervals and no p value."
    yield ""
    yield "Whole studies: three sizes, five seeds, Holm's correction over the family, and the sentences of the report."
    yield ""
    yield "| simulated, and what is counted | should be | was |"
    yield "|---|---|---:|"
    for what, should, was in whole_studies(simulated, studies):
        yield f"| {what} | {should} | {100 * was:.1f} % |"
    yield ""
    yield "Rows with 1,500 test images, and those of a second pool, are of a tenth as many studies, 20 at the least."
    yield "That Holm's correction equals statsmodels' is a test (tests/evaluate/analysis/test_statistics.py), and so is"
    yield "that planted leaks and near-copies are caught end to end (tests/evaluate/test_evaluate.py)."
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    lines = list(page(parser.parse_args().studies))
    _, below, rest = PAGE.read_text(encoding="utf-8").partition("\n## Whole reports")  # by whole_reports.py
    PAGE.write_text("\n".join(lines) + "\n" + below + rest, encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))
