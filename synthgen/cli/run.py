"""``synthgen run``: the whole study."""

from pathlib import Path
from typing import Any

import click

from synthgen.cli import _options, _progress, _signals, _survivors
from synthgen.cli._terminal import say


@click.command("run")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", type=_options.DIRECTORY, help="The study's folder; runs/NAME if left out.")
@_options.device
@_options.accept_changes
@_options.mirror(_options.SENDS)
@_options.verbosity
def command(manifest: Path, *, out: Path | None, quiet: bool, **options: Any) -> int:
    """Do everything a manifest asks for, from fine-tuning to the preview. Run again, and it goes on where it was.

    Change the manifest and run again: only what is new is made, and dataset and preview are replaced once the new ones
    are whole. What is made and planned no more is set aside with --accept-changes, and never deleted.

    Exit code: the worst of its parts.

    Example: synthgen run quickstart
    """
    from synthgen import study
    from synthgen.curate import Survivors
    from synthgen.finetune import Step
    from synthgen.runs import study_layout

    read = study.read_manifest(manifest)
    out, outcome = study_layout.home_of(out or study.study_folder(read)), None
    options["mirror"] = study.open_mirror(options["mirror"], study_layout.work_of(out))
    planned = _options.plan(read, study_layout.work_of(out), quiet=quiet)
    with _signals.stoppable() as stop, _progress.Events(quiet=quiet, named=True) as events:
        with _progress.Stages(stop, quiet=quiet) as stages:
            task = study.run(planned, out, stop=stop, progress=stages, **options)
        for event in task:
            stop.patient = isinstance(event, Step)  # what was trained since the last state would be lost
            events.show(event)
            outcome = event if isinstance(event, Survivors) else outcome
    made = task.result()
    failed = made.failed
    if not quiet:
        say(_summary(out, made.root, made.plan.samples, failed))
    missed = _survivors.complain(outcome) if outcome else 0
    return 1 if failed else missed


def _summary(out: Path, root: Path, planned: int, failed: int) -> str:
    lines = [f"{planned - failed:,} images" + (f" ({failed:,} could not be made)" if failed else "")]
    for path, what in (
        (root, "verified work shards with their receipts"),
        (out / "dataset", "packed dataset: datasets.load_dataset opens this folder"),
        (out / "report", "what the images do for a classifier: report.html"),
        (out / "preview.html", "gallery, open it in a browser"),
        (out / "preview.png", "contact sheet"),
    ):
        if path.exists():
            lines.append(f"  {path}  {what}")
    return "\n".join(lines)
