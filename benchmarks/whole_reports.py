"""How often a whole report of `classifier-eval` claims what is false, on simulated studies of which the truth is known.

A report has many tables, groups of skin tones, controls and curves. Each study here is simulated as predictions
(tests/evaluate/simulated.py), analysed as a real one, and its sentences are read: what they claim is held against the
truth. Run with ``python benchmarks/whole_reports.py``; it writes its table into docs/statistics.md. What each study
came to is kept in runs/whole_reports.jsonl, so a run that was killed goes on, as long as no line of the analysis has
changed.
"""

import argparse
import concurrent.futures
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from known_answers import load_simulated
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from synthgen.evaluate.analysis.comparison import ALL, GAP, Comparison
from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.predictions import ArmKey
from synthgen.evaluate.report import conclusions, result_tables
from synthgen.plan.manifest.evaluate import Strategy

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/statistics.md"
BEGIN, END = "<!-- whole reports: made by `python benchmarks/whole_reports.py` -->", "<!-- /whole reports -->"
CLAIMS = ("significantly", "shown to be", "still rising")
TEXT, PAINTED = Strategy("text"), Strategy("painted")
Truth = dict[ArmKey, float]


@dataclass(frozen=True)
class Study:
    """A kind of study.

    Attributes:
        name: What is simulated.
        truth: The true accuracy of every arm.
        seeds: How many.
        noise: The random effects that differ from the usual ones.
        patients: The images of each patient, light ones first, then medium and dark; one a patient where empty.
        primary: As the manifest names it; the default where empty.
    """

    name: str
    truth: Callable[[], Truth]
    seeds: int = 5
    noise: Mapping[str, float] = field(default_factory=dict)
    patients: tuple[tuple[int, ...], ...] = ()
    primary: Mapping[str, object] = field(default_factory=dict)


def arms(gain: Callable[[int, Strategy], float], ratios: tuple[int, ...] = (1, 10)) -> Truth:
    """Two ways of making images at two sizes, with and without curation, and every control; all else is null."""
    found: Truth = {}
    for n in (8, 32):
        for name in ("real", "real+augment"):
            found[ArmKey(name, Strategy(), n, 0)] = 0.55
        for ratio in ratios:
            found[ArmKey("real-more", Strategy(), n, ratio)] = 0.55
            found[ArmKey("real-duplicated", Strategy(), n, ratio)] = 0.55
        for strategy in (TEXT, PAINTED, TEXT.uncurated, PAINTED.uncurated):
            for ratio in ratios:
                accuracy = 0.55 + gain(ratio, strategy)
                found[ArmKey("real+synthetic", strategy, n, ratio)] = accuracy
                found[ArmKey("synthetic-only", strategy, n, ratio)] = accuracy
            for share in (0.5, 1):
                found[ArmKey("substitute", strategy, n, share)] = 0.55
    return found


def null() -> Truth:
    """Nothing differs from anything."""
    return arms(lambda _ratio, _strategy: 0.0)


def flat() -> Truth:
    """A great gain that is the same at every one of four ratios."""
    return arms(lambda _ratio, _strategy: 0.25, (1, 10, 25, 75))


def half() -> Truth:
    """One way of making images helps much, the other not at all."""
    return arms(lambda _ratio, strategy: 0.25 if strategy.name == "text" else 0.0)


def at_margin() -> Truth:
    """Synthetic images cost exactly the margin."""
    return arms(lambda _ratio, _strategy: -0.05)


FEW = ((12,) * 9, (12,) * 9, (20,) * 4)
UNEQUAL = ((40, 30, 20, *[4] * 8), (40, 30, 20, *[4] * 8), (30, 10, 6, 4))
PATIENTS = {"image": 0.5, "group": 0.6, "image_of_arm": 0.2, "group_of_arm": 0.4}
SEEDS = {"seed_of_arm": 0.4, "image_of_arm": 0.2}
TO_MARGIN = {"hypothesis": "non-inferiority", "margin": 0.05}
STUDIES = (
    Study("nothing differs", null),
    Study("nothing differs, four dark patients of twenty images", null, noise=PATIENTS, patients=FEW),
    Study("nothing differs, patients of 4 to 40 images", null, noise=PATIENTS, patients=UNEQUAL),
    Study("nothing differs, seeds matter most", null, noise=SEEDS),
    Study("nothing differs, three seeds", null, seeds=3),
    Study("nothing differs, three seeds, which matter most", null, seeds=3, noise=SEEDS),
    Study("nothing differs, two seeds", null, seeds=2, noise=SEEDS),
    Study("nothing differs, one seed", null, seeds=1, noise=SEEDS),
    Study("nothing differs, the gap is named", null, noise=PATIENTS, patients=FEW, primary={"subset": "gap"}),
    Study("+25 points at each of four ratios alike", flat),
    Study("+25 points by one of two strategies", half),
    Study("worse by the margin, non-inferiority is named", at_margin, primary=TO_MARGIN),
)


def places(patients: tuple[tuple[int, ...], ...]) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """The patient and the skin tone of each test image; none where they are drawn."""
    if not patients:
        return None, None
    sizes = [size for of_tone in patients for size in of_tone]
    tones = [tone for tone, of_tone in zip((1, 3, 6), patients, strict=True) for _ in of_tone]
    return np.repeat(np.arange(len(sizes)), sizes), np.repeat(tones, sizes)


def claims(simulated: Any, kind: Study, number: int) -> tuple[bool, bool]:
    """Whether the report of one study claims anything, and whether anything that is false."""
    truth, (groups, tones) = kind.truth(), places(kind.patients)
    known = simulated.study(
        truth, seeds=kind.seeds, images=300, noise=simulated.Noise(**kind.noise), seed=number, groups=groups,
        tones=tones, about={"primary": kind.primary},
    )  # fmt: skip
    analysis = Analysis(known, draws=250)
    said = "\n".join(conclusions.findings(analysis)) + str([table.rows for table in result_tables.worth(analysis)])
    claimed = [one for one in analysis.comparisons if one.significant]
    assert bool(claimed) == any(word in said for word in CLAIMS)  # noqa: S101 - sentences and figures say the same
    return bool(claimed), any(is_false(one, truth) for one in claimed)


def is_false(one: Comparison, truth: Truth) -> bool:
    """Whether what a report claims is not so."""
    true = 0.0 if one.subset == GAP else truth[one.arm] - truth[one.against]
    assert one.subset in (ALL, GAP)  # noqa: S101 - nothing else is claimed
    if one.hypothesis != "difference":
        return true <= -one.margin + 1e-9
    return abs(true) < 1e-9 or true * one.difference.value < 0


def analysis_digest() -> str:
    """The sha256 of all that decides what a simulated study comes to: analysis, report, simulation and this file."""
    parts = [ROOT / "synthgen/evaluate" / part for part in ("analysis", "report")]
    files = sorted(path for part in parts for path in part.rglob("*.py"))
    files += [ROOT / "synthgen/plan/manifest/primary.py", ROOT / "tests/evaluate/simulated.py", Path(__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def kept(path: Path) -> dict[tuple[str, int], tuple[bool, bool]]:
    """What earlier runs of the same analysis found, by a study's kind and number."""
    if not path.is_file():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    now = analysis_digest()
    return {(one["study"], one["number"]): (one["any"], one["false"]) for one in lines if one["analysis"] == now}


def share(kind: Study, studies: int, processes: int, path: Path) -> tuple[float, float]:
    """The share of studies whose reports claim anything, and of those that claim anything false."""
    known, now = kept(path), analysis_digest()
    todo = [(STUDIES.index(kind), number) for number in range(studies) if (kind.name, number) not in known]
    path.parent.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ProcessPoolExecutor(processes) as pool, path.open("a", encoding="utf-8") as file:
        for (_, number), found in zip(todo, pool.map(_claims, todo), strict=True):
            known[kind.name, number] = found
            line = {"study": kind.name, "number": number, "any": found[0], "false": found[1], "analysis": now}
            print(json.dumps(line), file=file, flush=True)
    all_ = [known[kind.name, number] for number in range(studies)]
    return sum(one for one, _ in all_) / studies, sum(one for _, one in all_) / studies


def _claims(task: tuple[int, int]) -> tuple[bool, bool]:
    with threadpool_limits(1, user_api="blas"):
        return claims(load_simulated(), STUDIES[task[0]], task[1])


def table(studies: int, processes: int, path: Path) -> Iterator[str]:
    """The lines of the table."""
    error = 200 * np.sqrt(0.05 * 0.95 / studies)
    yield f"{studies} studies a row, so a share of 5 % is known to {error:.1f} points."
    yield ""
    yield "| simulated | seeds | reports that claim anything | reports that claim anything false |"
    yield "|---|---:|---:|---:|"
    for kind in STUDIES:
        began = time.perf_counter()
        any_, false = share(kind, studies, processes, path)
        print(f"{kind.name}: {any_:.3f} {false:.3f}, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        yield f"| {kind.name} | {kind.seeds} | {100 * any_:.1f} % | {100 * false:.1f} % |"


def main() -> None:
    """Simulate, and write the table into the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--studies", type=int, default=400, help="simulated studies a row")
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--kept", type=Path, default=ROOT / "runs/whole_reports.jsonl", help="what was found so far")
    given = options.parse_args()
    lines = "\n".join(table(given.studies, given.processes, given.kept))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{lines}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(lines)


if __name__ == "__main__":
    main()
