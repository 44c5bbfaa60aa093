"""``synthgen curate``: scores what was made, and judges which images are kept."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthgen.cli import _options, _progress, _signals, _survivors
from synthgen.cli._terminal import say
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.study import Dataset, Run


def check(backbone: str | None, *, report: bool) -> None:
    """Refuse a backbone that nothing would use.

    Raises:
        InputError: A backbone is given and no report is asked for.
    """
    if backbone and not report:
        raise InputError("--backbone: it gives the features of a report; add --report")


def alone(folder: "Run | Dataset", manifest: Path | None) -> bool:
    """Whether a folder can be reported on and not judged: a packed dataset, or a run whose manifest has no rules."""
    from synthgen.study import Run

    return manifest is None and not (isinstance(folder, Run) and folder.plan.manifest.curation)


def write(folder: "Run | Dataset", backbone: str | None, *, quiet: bool) -> None:
    """Write a folder's fidelity report with progress, and say its first table."""
    from synthgen import study
    from synthgen.curate import fidelity

    with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
        found = study.fidelity(folder, backbone=backbone or fidelity.BACKBONE, progress=stages)
    if quiet:
        return
    say("".join(f"{line}\n" for line in (*fidelity.summary_lines(found.rows), *found.notes)), nl=False)
    say(f"{found.out / fidelity.PAGE}  the report; {fidelity.TABLE} and pictures beside it")


@click.command("curate")
@click.argument("directory", metavar="DIR", type=_options.FolderOrMirror(path_type=Path, file_okay=False))
@click.option(
    "--manifest", type=_options.Manifest(), help="Judge by `curate:` of this manifest, and keep it in the run."
)
@click.option("--require-parity", is_flag=True, help="Fail where a rule rejects dark skin more often than light skin.")
@click.option("--report", is_flag=True, help="Hold the images against real ones too; a packed dataset's as well.")
@click.option(
    "--backbone",
    metavar="NAME",
    help="Whose features a report measures on: gabor (if left out), efficientnet-lite0, or a folder or Hub id of a "
    "transformers vision model.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    type=_options.Device(),
    help="What networks of scorers compute on.",
)
@click.option(
    "--workers",
    default="auto",
    show_default=True,
    type=_options.Count(),
    metavar="auto|N",
    help="Processes that score; auto: one a GPU, or up to one a core. The bytes are the same.",
)
@_options.mirror(_options.BRINGS)
@_options.trust
@_options.verbosity
def command(
    directory: Path,
    *,
    manifest: Path | None,
    require_parity: bool,
    report: bool,
    backbone: str | None,
    device: str,
    workers: Any,
    mirror: str | None,
    quiet: bool,
) -> int:
    """Score every image of a run that is not scored yet, and judge all of them by the rules of its manifest.

    No image is deleted: a rejected one is a row of verdicts.parquet with its reasons, and pack leaves it out. Change a
    rule and judge again: no image is read. Exit code 1: a quota or parity was demanded and missed. 75: stopped by a
    signal, resumable.

    With --report, DIR/fidelity/report.html says how like the real images the generated ones are, by entry, label and
    skin tone. A run without rules, or a packed dataset, is then reported on and not judged.

    Example: synthgen curate runs/quickstart/work
    """
    from synthgen import study

    check(backbone, report=report)
    if mirror is not None:
        with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
            study.brought(directory, mirror, progress=stages, stop=stop)
    code, folder = 0, study.open_folder(directory) if report else study.open_run(directory)
    if not (report and alone(folder, manifest)):
        code = _judge(folder, manifest, parity=require_parity, device=device, workers=workers, quiet=quiet)
    if report:
        write(study.open_folder(directory) if manifest else folder, backbone, quiet=quiet)
    return code


def _judge(
    folder: "Run | Dataset", manifest: Path | None, *, parity: bool, device: str, workers: Any, quiet: bool
) -> int:
    """Score and judge a run, and say who survives; returns the exit code."""
    from synthgen import study

    with _signals.stoppable() as stop, _progress.Events(quiet=quiet) as events:
        task = study.curate(folder, manifest=manifest, device=device, workers=workers, stop=stop)
        events.begin(task.stage)
        for event in task:
            events.show(event)
    outcome = task.result()
    if not quiet:
        _survivors.show(outcome)
        for line in study.checklist(folder):
            say(line)
        said = f"verdicts, survivors.csv and survivors.png in {folder.root}"
        say(f"{said}; next: synthgen {_options.pack_next(folder.root)}")
    return _survivors.complain(outcome, parity=parity)
