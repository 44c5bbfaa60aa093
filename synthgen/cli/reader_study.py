"""``synthgen reader-study``: images for people to judge, and what their answers say."""

from pathlib import Path

import click
from click.core import ParameterSource

from synthgen.cli import _options, _progress, _signals
from synthgen.cli._terminal import say


@click.command("reader-study")
@click.argument("directory", metavar="DIR", type=_options.FOLDER)
@click.option("--out", type=_options.DIRECTORY, help="The reader study's folder, new or empty; DIR is a run.")
@click.option(
    "--per-cell",
    default=2,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Synthetic images of each entry, label and skin tone, and as many photographs.",
)
@click.option(
    "--questions",
    type=_options.FILE,
    metavar="FILE",
    help="A YAML file of what is asked; whether it is a photograph, what it shows and what is wrong if left out.",
)
@click.option("--no-photographs", is_flag=True, help="Show synthetic images alone.")
@click.option(
    "--answers",
    type=_options.FILE,
    metavar="FILE",
    multiple=True,
    help="A file of a reader's answers; DIR is the reader study's folder. Can be given several times.",
)
@_options.trust
@_options.verbosity
def command(
    directory: Path,
    *,
    out: Path | None,
    per_cell: int,
    questions: Path | None,
    no_photographs: bool,
    answers: tuple[Path, ...],
    quiet: bool,
) -> None:
    """Have people judge images without knowing which are synthetic, and report what they saw.

    First with a run and --out: `for-readers/` in it is handed over, and holds the images under numbers and a page to
    answer on, which needs no network. It may hold photographs of your run. `key.csv` beside it says what each image is,
    and stays with you. Then with that folder and each file of answers that came back: `report/` says whether readers
    can tell synthetic images from photographs, for which skin, whether they see the label asked for, and how far they
    agree.

    Example: synthgen reader-study runs/quickstart/work --out readers
    """
    from synthgen import study
    from synthgen.core.report import Paragraph

    if answers:
        given = click.get_current_context().get_parameter_source
        for option in ("out", "per_cell", "questions", "no_photographs"):
            if given(option) is not ParameterSource.DEFAULT:
                name = option.replace("_", "-")
                raise click.UsageError(f"--answers: DIR is the reader study's folder, which takes no --{name}")
        blocks = study.analyse_reader_study(directory, answers)
        if not quiet:
            told = [block.text for block in blocks if isinstance(block, Paragraph) and block.strong]
            say("\n".join([*told, f"report {directory / 'report' / 'report.html'}"]))
        return
    if not out:
        raise click.UsageError("give --out, a new folder, or --answers, what readers gave back")
    with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
        made = study.reader_study(
            directory,
            out,
            per_cell=per_cell,
            questions=questions,
            photographs=not no_photographs,
            progress=stages,
        )
    if not quiet:
        photographs = made.count("photograph")
        say(f"{made.count('synthetic'):,} synthetic images and {photographs:,} photographs in {out / 'for-readers'}")
        if photographs:
            say("it holds photographs: hand it to whom they may be shown", err=True)
        say(f"next: synthgen reader-study {out} --answers answers-CODE.csv")
