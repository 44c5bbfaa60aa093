"""``synthgen curate``: scores what was made, and judges which images are kept."""

from pathlib import Path

import click

from synthgen.commands import _fidelity, _options, _progress, _survivors


@click.command("curate")
@click.argument("directory", metavar="DIR", type=_options.FOLDER)
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
@_options.verbosity
def command(
    directory: Path, *, manifest: Path | None, require_parity: bool, report: bool, backbone: str | None, quiet: bool
) -> int:
    """Score every image of a run that is not scored yet, and judge all of them by the rules of its manifest.

    No image is deleted: a rejected one is a row of verdicts.parquet with its reasons, and pack leaves it out. Change a
    rule and judge again: no image is read. Exit code 1: a quota or parity was demanded and missed. 75: stopped by a
    signal, resumable.

    With --report, DIR/fidelity/report.html says how like the real images the generated ones are, by entry, label and
    skin tone. A run without rules, or a packed dataset, is then reported on and not judged.

    Example: synthgen curate runs/quickstart/work
    """
    _fidelity.check(backbone, report=report)
    code = 0
    if not (report and _fidelity.alone(directory, manifest)):
        code = _judge(directory, manifest, parity=require_parity, quiet=quiet)
    if report:
        _fidelity.write(directory, backbone, quiet=quiet)
    return code


def _judge(directory: Path, manifest: Path | None, *, parity: bool, quiet: bool) -> int:
    """Score and judge a run, and say who survives; returns the exit code."""
    from synthgen import study
    from synthgen.curate import Outcome, Scored

    planned = study.plan_to_curate(directory, manifest)
    outcome: Outcome | None = None
    progress = _progress.Progress(0, quiet=True)
    with _progress.stoppable() as stop:
        for step in study.curate(directory, planned, stop):
            if isinstance(step, study.Stage):
                progress = _progress.Progress(step.total, quiet=quiet or not step.total)
            elif isinstance(step, Scored):
                progress.step(step.images, f"{step.scorer} {step.entry} {step.shard:05d}")
            elif isinstance(step, Outcome):
                outcome = step
        progress.__exit__()
    if outcome is None:
        raise TypeError("curation ended without an outcome")
    if not quiet:
        _survivors.show(outcome)
        click.echo(f"verdicts, survivors.csv and survivors.png in {directory}")
    return _survivors.complain(outcome, parity=parity)
