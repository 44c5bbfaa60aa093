"""A study's report, written from its predictions alone, so that it can be made again from them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from synthgen.core import atomic, checksums, report
from synthgen.core.report import Block, Figure, Heading, Paragraph, Table
from synthgen.errors import DamagedError
from synthgen.evaluate.analysis import frozen_plan
from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.metrics import Metrics
from synthgen.evaluate.analysis.per_class import PerClass
from synthgen.evaluate.analysis.predictions import FILE, VALIDATION, Predictions
from synthgen.evaluate.note import Note
from synthgen.evaluate.report import (
    class_tables,
    conclusions,
    csv_files,
    first_screen,
    formatting,
    plots,
    questions,
    result_tables,
)
from synthgen.evaluate.report.plots import Plot

PLOTS = "plots"
CARD = "card.md"
_METHODS = (
    "Intervals and p values: seeds and test images are crossed random effects, and both are resampled together, the "
    "same draws for every arm, so that arms are compared in pairs (two-way bootstrap, Owen 2007, with its overcount of "
    "their interaction taken out). With few seeds, Student's t at Satterthwaite's degrees of freedom replaces "
    "the normal distribution. Test images of one group (a patient, a lesion) are drawn as wholes.",
    "Many comparisons: one primary family is named in the manifest, by default real+synthetic against real in top-1, "
    "images as curated; its p values are corrected by Holm's method (1979), each distinct training counted once. The "
    "questions behind it (other arms, controls, curation, strategies, the change of the gap) are tested only where all "
    "of it is significant, in one family by Holm's method. So the report as a whole claims something false in 5 % of "
    "studies at most. All else is described and not tested. Bands and intervals in plots and tables are not corrected; "
    "several of many will miss what is true. Below three seeds nothing is tested.",
    "Pictures and tables of one size show the most real images and the greatest ratio, whatever came out there.",
    "Intervals hold for test images like these and for draws of training images like these; they say nothing of other "
    "hospitals, cameras or learners.",
)


def write(predictions: Predictions, out: Path, validation: Predictions | None = None) -> Analysis:
    """The analysis of a study, with every file of its report written into the folder ``out``, the predictions first.

    Args:
        predictions: For the test images.
        out: The report's folder.
        validation: Those of the same trials for the validation images; what lies in the folder where left out.
    """
    (out / PLOTS).mkdir(parents=True, exist_ok=True)
    checksums.clear(out)
    if validation is not None:
        validation.write(out / VALIDATION)
    predictions.write(out / FILE)
    return _write_rest(predictions, out)


def rescore(out: Path, following: Callable[[Predictions], Predictions] | None = None) -> Analysis:
    """The analysis of the predictions in ``out``, which stay as they are, with their report written again.

    Args:
        out: The report's folder.
        following: Gives the same predictions with other facts of their study; those that the file has where left out.

    Raises:
        DamagedError: There are none, or they can't be read.
    """
    if not (out / FILE).is_file():
        raise DamagedError(f"{out / FILE}: there is none to score again; run classifier-eval without --rescore")
    (out / PLOTS).mkdir(exist_ok=True)
    for name in (FILE, VALIDATION):
        checksums.check(out / name, "run classifier-eval without --rescore")
    held = Predictions.read(out / FILE)
    asked = following(held) if following else held
    if asked is not held:
        return write(asked, out)
    return _write_rest(held, out)


def read_validation(out: Path) -> Predictions | None:
    """The predictions for validation images in a report's folder; ``None`` where an earlier version kept none.

    Raises:
        DamagedError: They can't be read.
    """
    return Predictions.read(out / VALIDATION) if (out / VALIDATION).is_file() else None


def card(analysis: Analysis, frozen: Sequence[Block] = ()) -> str:
    """The study's part of the dataset card, as Markdown.

    Args:
        analysis: The study's analysis.
        frozen: Whether it follows the plan that was frozen before its results, where one was.
    """
    found: list[Block] = [Heading("What it does for a classifier")]
    found += [one for one in conclusions.warnings(analysis.predictions) if one.strong]
    found += frozen
    found += [Paragraph(" ".join(conclusions.findings(analysis)))]
    return "\n\n".join(report.markdown("", found).split("\n\n")[1:])


def _write_rest(predictions: Predictions, out: Path) -> Analysis:
    checksums.clear(out)
    analysis = Analysis(predictions)
    per_class = PerClass(analysis, read_validation(out))
    scored = csv_files.score_trials(predictions)
    title = f"{predictions.study.name}: does the synthetic data help a classifier?"
    frozen = [*_frozen(predictions, out)]
    pictures = [one for one in (plots.primary(analysis), *plots.all_plots(analysis)) if one is not None]
    content = [*_content(analysis, per_class, scored, frozen, pictures)]
    files = {out / name: text for name, text in csv_files.csv_contents(analysis, scored, per_class).items()}
    files |= {out / one.file: one.content for one in content if isinstance(one, Figure)}
    files |= {out / PLOTS / f"{one.name}.csv": csv_files.csv_text(one.data.header, one.data.rows) for one in pictures}
    files[out / CARD] = card(analysis, frozen).encode()
    files[out / "report.md"] = report.markdown(title, content).encode()
    files[out / "report.html"] = report.html(title, content, "synthgen classifier-eval").encode()
    for path, text in files.items():
        atomic.write(path, text)
    written = [
        out / FILE,
        out / VALIDATION,
        out / "study.json",
        out / frozen_plan.FILE,
        out / "near-copies.json",
        *files,
        *out.glob("trials/*/*.safetensors"),
    ]
    checksums.write(out, [path.relative_to(out).as_posix() for path in written])
    return analysis


def _frozen(predictions: Predictions, out: Path) -> Iterator[Block]:
    """Whether the report follows the plan that was frozen before its results; nothing where none was."""
    said = frozen_plan.followed(predictions, out)
    if said:
        note = Note.from_markdown(said)
        yield Paragraph(note.text, strong=note.serious)


def _content(
    analysis: Analysis,
    per_class: PerClass,
    scored: Sequence[Metrics],
    frozen: Sequence[Block],
    pictures: Sequence[Plot],
) -> Iterator[Block]:
    """The report: what was found, who it holds for, what else was asked, and then how it was done."""
    study = analysis.predictions.study
    cautions = list(conclusions.warnings(analysis.predictions))
    yield Paragraph(first_screen.verdict(analysis), lead=True)
    yield from (one for one in cautions if one.strong)
    yield from frozen
    yield Heading("The primary comparisons")
    yield from (_figure(plot) for plot in pictures if plot.name == plots.PRIMARY)
    compared = first_screen.comparisons(analysis)
    if compared:
        yield compared
    yield from (Paragraph(sentence) for sentence in conclusions.shown(analysis))
    yield Heading("Who it holds for")
    of_tones = result_tables.by_tone(analysis)
    yield of_tones or Paragraph("The dataset has no skin tones: nothing can be said of light and dark skin.")
    if of_tones:
        yield from (Paragraph(sentence) for sentence in conclusions.by_skin(analysis))
    yield result_tables.tested_on(analysis.predictions)
    yield Heading("As a test for each class")
    yield from class_tables.blocks(per_class)
    yield Heading("Controls and other questions")
    asked = questions.table(analysis)
    yield asked or Paragraph("Nothing else was compared.")
    yield Heading("What synthetic images are worth")
    worth = list(result_tables.worth(analysis))
    yield from worth
    yield from (Paragraph(sentence) for sentence in conclusions.estimated(analysis))
    if not worth:
        yield Paragraph("Too few sizes and ratios to tell where a gain saturates or what an image is worth.")
    yield Heading("Pictures")
    yield from (_figure(plot) for plot in pictures if plot.name != plots.PRIMARY)
    yield Heading("Every arm")
    yield result_tables.arms(analysis, scored)
    yield Heading("How it was done")
    yield Table("", ("setting", "value"), _settings(analysis.predictions, per_class.validation), names=2)
    yield from (one for one in cautions if not one.strong)
    left_out = result_tables.excluded(study.excluded)
    if left_out:
        yield left_out
    yield from (Paragraph(text) for text in _METHODS)


def _figure(plot: Plot) -> Figure:
    return Figure(f"{PLOTS}/{plot.name}.svg", plot.caption, plot.alt, plot.svg)


def _settings(predictions: Predictions, validation: Predictions | None) -> list[tuple[str, str]]:
    study, steps = predictions.study, sorted({one.optimizer_steps for one in predictions.trials})
    return [
        ("learner", study.learner or formatting.NONE),
        ("protocol", study.protocol),
        (
            "optimizer steps",
            " to ".join(f"{end:,}" for end in sorted({steps[0], steps[-1]})) if steps else formatting.NONE,
        ),
        ("mix", study.mix),
        ("validation images", _a_label(validation) if validation else formatting.NONE),
        ("generator_pool", study.generator_pool),
        ("source_pool", study.source_pool or study.generator_pool),
        ("classes", ", ".join(study.labels)),
        ("skin-tone scale", study.scale or "none"),
    ]


def _a_label(predictions: Predictions) -> str:
    """How many images predictions are for, and how many of them a label."""
    counts = sorted({int((predictions.labels == place).sum()) for place in range(len(predictions.study.labels))})
    each = " to ".join(f"{count:,}" for count in sorted({counts[0], counts[-1]}))
    return f"{len(predictions.images):,}, {each} a label"
