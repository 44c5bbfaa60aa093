"""The report has every file and column that was promised, says what was shown, and can be made again."""

import csv
import dataclasses
import html
import json
import math
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from defusedxml import ElementTree

from synthgen.core.report.markdown import escape
from synthgen.errors import DamagedError
from synthgen.evaluate.analysis.comparisons import Analysis, Comparison
from synthgen.evaluate.analysis.predictions import ArmKey, Predictions, StudyFacts, TrainedTrial
from synthgen.evaluate.analysis.statistics import Estimate
from synthgen.evaluate.note import Note
from synthgen.evaluate.report import conclusions, first_screen, verdicts, write
from synthgen.evaluate.report.plots import dose_response, style
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.plan.manifest.primary import Primary

HOSTILE = '</style><script>alert(1)</script>|`*_"&'
CELLS = {
    ArmKey("real", Strategy(), 8, 0): 0.5,
    ArmKey("real", Strategy(), 16, 0): 0.55,
    ArmKey("real+augment", Strategy(), 16, 0): 0.55,
    ArmKey("real-more", Strategy(), 8, 10): 0.75,
    ArmKey("real+synthetic", Strategy("text"), 16, 1): 0.56,
    ArmKey("real+synthetic", Strategy("text"), 16, 10): 0.6,
}


@pytest.fixture
def predictions(simulated: ModuleType) -> Predictions:
    """A small study with skin tones."""
    found: Predictions = simulated.study(CELLS, seeds=3, images=90)
    return found


@pytest.fixture(scope="module")
def written(simulated: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    """The report of a small study with a serious note, and its folder; nobody changes it."""
    notes = (Note("Mind this.", serious=True),)
    study: Predictions = simulated.study(CELLS, seeds=3, images=90, about={"notes": notes})
    folder = tmp_path_factory.mktemp("report")
    return write.write(study, folder), folder


def said(predictions: Predictions, **changes: Any) -> Predictions:
    """The study with something else said of it."""
    return dataclasses.replace(predictions, study=dataclasses.replace(predictions.study, **changes))


def header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def test_every_file_and_column_is_there(written: tuple[Analysis, Path]) -> None:
    """The CSV files begin with the columns that docs/evaluate.md promises, a row for each trial or comparison."""
    analysis, tmp_path = written
    promised = (
        "arm,strategy,n_real,ratio,seed,optimizer_steps,n_train,top1,top3,balanced_accuracy,macro_f1,macro_auroc,ece"
    )
    assert header(tmp_path / "results.csv")[:13] == promised.split(",")
    assert header(tmp_path / "by_skin_tone.csv")[5:9] == ["skin_tone", "n", "top1", "top3"]
    assert {"difference", "low", "high", "p", "p_holm"} <= set(header(tmp_path / "comparisons.csv"))
    rows = {name: (tmp_path / name).read_text().count("\n") - 1 for name in ("results.csv", "comparisons.csv")}
    assert rows == {"results.csv": len(analysis.predictions.trials), "comparisons.csv": len(analysis.comparisons)}
    assert {"report.md", "report.html", "card.md", "predictions.parquet"} <= {path.name for path in tmp_path.iterdir()}


def test_predictions_are_read_as_written(predictions: Predictions, tmp_path: Path) -> None:
    """A file of predictions holds all of them, and the same ones give the same bytes."""
    predictions.write(tmp_path / "a.parquet")
    again = Predictions.read(tmp_path / "a.parquet")
    again.write(tmp_path / "b.parquet")
    assert (again.study, again.trials, again.images, again.groups) == (
        predictions.study, predictions.trials, predictions.images, predictions.groups
    )  # fmt: skip
    assert (again.probabilities == predictions.probabilities).all()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.usefixtures("without_plots")
def test_notes_are_kept_as_markdown(predictions: Predictions, tmp_path: Path) -> None:
    """As studies before kept them: a serious one is in bold as a whole, and comes first in the report."""
    notes = (Note("Seen by `text`."), Note("May be `text` images.", serious=True), Note("**One** word."))
    write.write(said(predictions, notes=notes), tmp_path)
    kept = json.loads(pyarrow.parquet.read_schema(tmp_path / "predictions.parquet").metadata[b"study"])
    assert kept["notes"] == ["Seen by `text`.", "**May be `text` images.**", "**One** word."]
    assert Predictions.read(tmp_path / "predictions.parquet").study.notes == notes
    text = (tmp_path / "report.md").read_text()
    assert text.index("**May be text images.**") < text.index("## ") < text.index("Seen by text.")


def test_rescoring_makes_the_same_report(predictions: Predictions, tmp_path: Path) -> None:
    """All but the predictions can be lost and is made again, to the byte."""
    write.write(predictions, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for path in before:
        if path.name != "predictions.parquet":
            path.unlink()
    write.rescore(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_no_predictions_is_one_line(tmp_path: Path) -> None:
    """Rescoring a folder without predictions, or with something else in their place, says so."""
    with pytest.raises(DamagedError, match=r"predictions\.parquet"):
        write.rescore(tmp_path)
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(DamagedError, match=r"predictions\.parquet"):
        write.rescore(tmp_path)


def test_a_generator_that_saw_all_is_in_bold(predictions: Predictions, tmp_path: Path) -> None:
    """Where the generator's pool is `all`, Markdown, page and card say so in bold, once."""
    write.write(said(predictions, generator_pool="all"), tmp_path)
    for name in ("report.md", "card.md"):
        assert (tmp_path / name).read_text().count("**generator\\_pool: all. Generators may have seen") == 1
    assert (tmp_path / "report.html").read_text().count('<p class="strong">generator_pool: all.') == 1


@pytest.mark.usefixtures("without_plots")
def test_unequal_steps_are_in_bold(predictions: Predictions, tmp_path: Path) -> None:
    """Where one trial took more steps than another, the report warns of it."""
    longer = (dataclasses.replace(predictions.trials[0], optimizer_steps=900), *predictions.trials[1:])
    write.write(dataclasses.replace(predictions, trials=longer), tmp_path)
    assert "**Optimizer steps differ between trials, from 400 to 900" in (tmp_path / "report.md").read_text()


def test_curated_images_are_compared_with_all_that_were_planned(simulated: ModuleType, tmp_path: Path) -> None:
    """In pairs of one arm, n and ratio, as a family of their own, and the report says what came of it."""
    cells = {ArmKey("real", Strategy(), 8, 0): 0.4}
    for strategy, accuracy in ((Strategy("text"), 0.9), (Strategy("text", curated=False), 0.5)):
        cells |= {ArmKey(name, strategy, 8, 10): accuracy for name in ("real+synthetic", "synthetic-only")}
    analysis = write.write(simulated.study(cells, images=400), tmp_path)
    pairs = [one for name in ("real+synthetic", "synthetic-only") for one in analysis.family(name, kind="curation")]
    named = [(one.arm.strategy, one.against.strategy, one.family) for one in pairs]
    assert named == [(Strategy("text"), Strategy("text", curated=False), 1)] * 2
    assert [(one.arm.name, str(one.arm.strategy)) for one in analysis.primary] == [("real+synthetic", "text")]
    said = (tmp_path / "card.md").read_text()
    kept = "images of text that curation kept, against all that were planned: significantly better in 1"
    assert said.count(kept) == 2
    with (tmp_path / "comparisons.csv").open() as file:
        against = {row["against_strategy"] for row in csv.DictReader(file)}
    assert against == {"", "uncurated text"}


def test_strategies_are_compared_as_asked(simulated: ModuleType, tmp_path: Path) -> None:
    """One way of making images with another: pairs of one arm, n and ratio, apart from curation and from ``real``."""
    tuned, plain = Strategy("tuned"), Strategy("plain")
    accuracies = {tuned: 0.9, plain: 0.5, tuned.uncurated: 0.5}
    cells = {ArmKey("real", Strategy(), 8, 0): 0.4}
    cells |= {
        ArmKey("real+synthetic", strategy, 8, ratio): at for strategy, at in accuracies.items() for ratio in (1, 10)
    }
    named = {"strategies": ["tuned"]}
    analysis = write.write(
        said(simulated.study(cells, images=400), against={"tuned": "plain"}, primary=named), tmp_path
    )
    pairs = analysis.family("real+synthetic", kind="strategies")
    named = [(one.arm.strategy, one.against.strategy, one.arm.ratio, one.against.ratio, one.family) for one in pairs]
    assert named == [(tuned, plain, 1, 1, 2), (tuned, plain, 10, 10, 2)]
    assert len(analysis.family("real+synthetic", kind="curation")) == 2
    assert analysis.family("real+synthetic") == ()
    text = (tmp_path / "card.md").read_text()
    assert text.count("real+synthetic: images of tuned, against as many of plain: significantly better in 2 of 2") == 1
    row = "| is it more than as many of plain? | real+synthetic | tuned | all images | 2 | 2 | 0 | 0 |"
    assert row in (tmp_path / "report.md").read_text()
    assert write.rescore(tmp_path).family("real+synthetic", kind="strategies") == pairs


def test_augmented_arms_are_told_by_their_names(simulated: ModuleType) -> None:
    """Beside classic augmentation each stands for itself: images that replace real ones are not added to them."""
    text = Strategy("text")
    arms = {ArmKey("real", Strategy(), 8, 0): 0.5, ArmKey("real+augment", Strategy(), 8, 0): 0.55}
    arms |= {ArmKey("real+synthetic", text, 8, 1): 0.6, ArmKey("synthetic-only+augment", text, 8, 1): 0.6}
    said = conclusions.findings(Analysis(simulated.study(arms, seeds=3, images=60), draws=50))
    against = [line for line in said if "against real images with classic augmentation" in line]
    assert [line.partition(",")[0] for line in against] == [
        "Adding images of text to real ones", "synthetic-only+augment"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ([0.119, 0.119], "11.9 points"),
        ([0.05, 1.3], "5.0 to more than 100 points"),
        ([1.2, 1.3], "more than 100 points"),
    ],
)
def test_what_could_have_been_found_is_no_more_than_there_is(sizes: list[float], text: str) -> None:
    """Two shares differ by 100 points at most, and a range has two ends."""
    found = [SimpleNamespace(smallest_detectable=size) for size in sizes]
    assert verdicts.detectable(found) == text  # type: ignore[arg-type]


def test_equal_differences_are_no_range() -> None:
    """Two strategies of one training each are told by one number."""
    one = SimpleNamespace(tested=False, difference=SimpleNamespace(value=0.119))
    assert list(verdicts.verdict("It", [one, one])) == [  # type: ignore[list-item]
        "It, against real images alone: +11.9 points in 2 comparisons, not tested."
    ]


@pytest.mark.usefixtures("without_plots")
def test_arms_are_counted_once(simulated: ModuleType, tmp_path: Path) -> None:
    """An arm at two ratios is one arm, in two of them."""
    cells = {
        ArmKey("real", Strategy(), 8, 0): 0.4,
        **{ArmKey("real+synthetic", Strategy("text"), 8, n): 0.5 for n in (1, 10)},
    }
    write.write(simulated.study(cells, images=60), tmp_path)
    assert "2 arms in 3 sizes, ratios and strategies over" in (tmp_path / "report.md").read_text()


def test_without_tones_it_says_what_it_cannot(simulated: ModuleType, tmp_path: Path) -> None:
    """A dataset without skin tones is evaluated, and the report says what can't be told."""
    write.write(simulated.study(CELLS, seeds=2, images=60, scale=""), tmp_path)
    assert "no skin tones" in (tmp_path / "report.md").read_text()
    assert not (tmp_path / "plots" / "by-skin-tone.svg").exists()


def test_the_smallest_study_has_a_report(simulated: ModuleType, tmp_path: Path) -> None:
    """Real images alone, one seed: nothing was compared, and the report says so."""
    write.write(simulated.study({ArmKey("real", Strategy(), 8, 0): 0.5}, seeds=1, images=12), tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "nothing about a gain was shown" in text
    assert "**One seed" in text


def test_hostile_words_are_text(predictions: Predictions, tmp_path: Path) -> None:
    """Names that are markup show as themselves, in the page and in the plots."""
    write.write(said(predictions, name=HOSTILE, learner=HOSTILE, notes=(Note(HOSTILE),)), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "\n# </" not in (tmp_path / "report.md").read_text()


def test_plots_are_whole_pictures(written: tuple[Analysis, Path]) -> None:
    """Each plot is well-formed SVG that the Markdown names."""
    _, tmp_path = written
    plots = sorted((tmp_path / "plots").glob("*.svg"))
    assert [path.stem for path in plots] == ["by-skin-tone", "confusion", "dose-response", "gain", "primary"]
    for path in plots:
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert f"](plots/{path.name})" in (tmp_path / "report.md").read_text()
    assert sorted(path.stem for path in (tmp_path / "plots").glob("*.csv")) == [path.stem for path in plots]


def test_what_is_drawn_is_kept_as_a_table(written: tuple[Analysis, Path]) -> None:
    """Beside each picture lie the numbers in it: the forest plot's are the primary comparisons of comparisons.csv."""
    analysis, tmp_path = written
    with (tmp_path / "plots" / "primary.csv").open() as drawn, (tmp_path / "comparisons.csv").open() as compared:
        named = ("arm", "strategy", "n_real", "ratio", "difference", "low", "high", "smallest_detectable")
        family = [{name: row[name] for name in named} for row in csv.DictReader(compared) if row["primary"] == "yes"]
        assert [{name: row[name] for name in named} for row in csv.DictReader(drawn)] == family
    with (tmp_path / "plots" / "confusion.csv").open() as file:
        shares = [float(row["share"]) for row in csv.DictReader(file)]
    assert sum(shares) == pytest.approx(len(analysis.plotted) * len(analysis.predictions.study.labels))


def test_a_report_begins_with_its_verdict(written: tuple[Analysis, Path]) -> None:
    """First the sentence, then what can turn it around, the forest plot and the table, before anything else."""
    analysis, tmp_path = written
    sentence = escape(first_screen.verdict(analysis))
    text = (tmp_path / "report.md").read_text()
    order = [
        f"**{sentence}**",
        "**Mind this.**",
        "](plots/primary.svg)",
        "| arm | strategy | shown |",
        "classifiers were",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert text.index("# simulated") < places[0] < text.index("## ")
    assert (
        f'<p class="lead">{html.escape(first_screen.verdict(analysis))}</p>' in (tmp_path / "report.html").read_text()
    )


def compared(difference: float, error: float, p: float, **changes: Any) -> Comparison:
    """A comparison of the primary family with this difference, standard error and corrected p."""
    arm, real = ArmKey("real+synthetic", Strategy("text"), 8, 1), ArmKey("real", Strategy(), 8, 0)
    known = Estimate(difference, difference - 2 * error, difference + 2 * error, p, error, 30, 5)
    return dataclasses.replace(
        Comparison(arm, real, "top1", "all", 0.5 + difference, 0.5, known, primary=True, family=2, p_report=p, tests=2),
        **changes,
    )


@pytest.mark.parametrize(
    ("family", "parts"),
    [
        ([], ["Nothing was shown", "no arm could be compared"]),
        ([compared(0.3, 0.05, math.nan)], ["Nothing was shown", "three seeds"]),
        (
            [compared(0.02, 0.05, 0.8)],
            ["was not shown to make a difference", "+2.0 (-8.0 to 12.0) points", "80 % power"],
        ),
        (
            [compared(0.01, 0.002, 0.001), compared(0.12, 0.08, 0.2)],
            ["better in 1 of 2", "smallest that was shown is +1.0", "largest that was not is +12.0"],
        ),
        ([compared(-0.2, 0.01, 0.001)], ["worse in 1 of 1 comparison, by -20.0 points"]),
        (
            [compared(0.0, 0.01, 0.01, hypothesis="non-inferiority", margin=0.05)],
            ["non-inferiority to real images alone in top-1 by a margin of 5 points was shown in 1 of 1"],
        ),
    ],
)
def test_a_verdict_says_what_was_shown_and_what_was_not(family: list[Comparison], parts: list[str]) -> None:
    """A small effect that was shown and a large one that was not are both in the sentence."""
    analysis = SimpleNamespace(primary_family=Primary(), primary=tuple(family))
    sentence = first_screen.verdict(analysis)  # type: ignore[arg-type]
    for part in parts:
        assert part in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize("fault", ["shape", "label", "nan", "twice"])
def test_impossible_predictions_are_refused(predictions: Predictions, fault: str) -> None:
    """Predictions that don't fit together raise before anything is made of them."""
    changes: dict[str, Any] = {
        "shape": {"probabilities": predictions.probabilities[:, :-1]},
        "label": {"labels": predictions.labels + 1},
        "nan": {"probabilities": predictions.probabilities * float("nan")},
        "twice": {"trials": (predictions.trials[1], *predictions.trials[1:])},
    }
    with pytest.raises(ValueError, match=r"probabilit|label|two trials"):
        dataclasses.replace(predictions, **changes[fault])


def test_a_study_and_a_trial_are_plain() -> None:
    """What the evaluation hands over needs no more than names and counts."""
    assert StudyFacts("s", ("a", "b")).generator_pool == "n"
    assert TrainedTrial("k", "real", Strategy(), 8, 0, 0, 500, 16).n_train == 16


def test_an_interval_of_two_seeds_does_not_flatten_the_others(simulated: ModuleType) -> None:
    """One degree of freedom makes an interval ten times as long; the picture shows what the others say."""
    added = {ArmKey("real+synthetic", Strategy(name), 8, 1): 0.5 for name in ("text", "few")}
    whole: Predictions = simulated.study({ArmKey("real", Strategy(), 8, 0): 0.4} | added)
    kept = [row for row, one in enumerate(whole.trials) if one.strategy.name != "few" or one.seed < 2]
    trials = tuple(whole.trials[row] for row in kept)
    few = dataclasses.replace(whole, trials=trials, probabilities=whole.probabilities[kept])
    chosen = Analysis(few).primary
    wide = next(one.difference for one in chosen if one.arm.strategy.name == "few")
    low, high = dose_response.axis_limits(chosen)
    assert wide.high - wide.low > (high - low) / 100
    others = [one.difference for one in chosen if one.arm.strategy.name == "text"]
    assert all(low < 100 * end < high for one in others for end in (one.low, one.high))


@pytest.mark.parametrize("seeds", [1, 2])
def test_intervals_of_a_small_study_are_shown_whole(simulated: ModuleType, seeds: int) -> None:
    """Where no arm has more seeds, the picture is as high as the intervals are."""
    cells = {ArmKey("real", Strategy(), 8, 0): 0.4, ArmKey("real+synthetic", Strategy("text"), 8, 1): 0.5}
    chosen = Analysis(simulated.study(cells, seeds=seeds)).primary
    low, high = dose_response.axis_limits(chosen)
    assert all(low < 100 * end < high for one in chosen for end in (one.difference.low, one.difference.high))


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_have_no_p(simulated: ModuleType, seeds: int, tmp_path: Path) -> None:
    """However large a difference is, it has an interval and no p value, nothing is claimed, and the report says why."""
    cells = {ArmKey("real", Strategy(), 8, 0): 0.2, ArmKey("real+synthetic", Strategy("text"), 8, 1): 0.9}
    analysis = write.write(simulated.study(cells, seeds=seeds), tmp_path)
    for one in analysis.comparisons:
        assert one.difference.low <= one.difference.value <= one.difference.high
        assert math.isnan(one.difference.p)
        assert not one.significant
    assert "significantly" not in (tmp_path / "card.md").read_text()
    assert "fewer than three seeds" in (tmp_path / "report.md").read_text()


@pytest.mark.usefixtures("without_plots")
def test_it_says_how_many_patients_a_tone_group_has(simulated: ModuleType, tmp_path: Path) -> None:
    """Images of few patients are named with the patients, whose number decides the degrees of freedom."""
    cells = {ArmKey("real", Strategy(), 8, 0): 0.5, ArmKey("real+synthetic", Strategy("text"), 8, 1): 0.6}
    plain: Predictions = simulated.study(cells, images=60)
    tones = np.where(np.arange(60) < 12, 6, 1)
    names = tuple(f"patient {number // 4}" for number in range(60))
    analysis = write.write(dataclasses.replace(plain, tones=tones, groups=names), tmp_path)
    assert analysis.groups == {"all": 15, "light": 12, "dark": 3}
    assert "dark V-VI, n = 12 of 3 groups" in (tmp_path / "report.md").read_text()


def test_one_seed_of_several_tells_nothing_of_other_draws(simulated: ModuleType, tmp_path: Path) -> None:
    """Its figure is shown without an interval and p value, and no claim is made from it."""
    added = {ArmKey("real+synthetic", Strategy("text"), 8, ratio): 0.9 for ratio in (1, 10)}
    whole: Predictions = simulated.study({ArmKey("real", Strategy(), 8, 0): 0.2} | added)
    kept = [row for row, one in enumerate(whole.trials) if one.arm == "real" or one.seed == 0]
    trials = tuple(whole.trials[row] for row in kept)
    analysis = write.write(dataclasses.replace(whole, trials=trials, probabilities=whole.probabilities[kept]), tmp_path)
    for one in analysis.primary:
        assert one.difference.value > 0.3
        assert not one.significant
        assert (one.difference.seeds, one.family) == (1, 0)
    assert analysis.saturation(Strategy("text"), 8) is None
    assert "No arm could be compared with real images alone" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize("panels", [1, 2, 3])
@pytest.mark.parametrize("name", ["text", "uncurated text", "in-then-outpaint-tuned"])
def test_a_legend_lies_within_its_picture(panels: int, name: str) -> None:
    """However few panels there are and however long a strategy's name is, no entry is cut off."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure, shown = style.panels(panels)
    for number in range(5):
        shown[0].plot([0, 1], [0, number], marker="o", label=f"real + {name}{' ' * number}")
    style.finish(figure, shown, "plot", "caption", style.PlotData((), ()))
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    extent = legend.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.width
