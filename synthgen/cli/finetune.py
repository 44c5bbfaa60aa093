"""``synthgen finetune``: trains the adapters."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from synthgen.cli import _options, _progress, _signals
from synthgen.cli._terminal import say


@click.command("finetune")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", required=True, type=_options.DIRECTORY, help="The run's folder; resumed if it is this plan's.")
@click.option("--device", default="auto", show_default=True, type=_options.Device())
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Adapters trained at a time, each on a GPU of its own; one if left out. The weights are the same.",
)
@_options.accept_changes
@_options.verbosity
def command(manifest: Path, *, out: Path, quiet: bool, **options: Any) -> int:
    """Train every adapter of a manifest that is not there yet. Kill it at any time; the same command goes on.

    Adapters lie in DIR/adapters/NAME, as plain diffusers loads them. On several GPUs: --workers N trains N adapters at
    a time; accelerate launch -m synthgen finetune MANIFEST --out DIR shares out the batches of each.

    Exit code 75: stopped by a signal, can be resumed.

    Example: synthgen finetune my-study.yaml --out runs/my-study
    """
    from synthgen import study
    from synthgen.finetune import Step, Trained

    quiet = quiet or os.environ.get("RANK", "0") != "0"  # of several processes that were launched, one speaks
    out = study.run_folder_of(out)
    planned, lines = _options.plan(manifest, out, quiet=quiet), list[str]()
    with (
        _signals.stoppable() as stop,
        _progress.Events(quiet=quiet) as events,
        closing(_progress.Stages(stop, quiet=quiet)) as stages,
    ):
        task = study.finetune(planned, out, stop=stop, progress=stages, **options)
        events.begin(task.stage)
        for made in task:
            # What was trained since the last state would be lost; of several workers one is always at it.
            stop.patient = isinstance(made, Step) or options["workers"] is not None
            events.show(made)
            if isinstance(made, Trained):
                lines.append(f"{made.folder}: {made.steps:,} steps on {made.images:,} images, loss {made.loss:.4f}")
    if not quiet:
        say("\n".join([*lines, _summary(out, len(task.job.todo), len(task.job.finished))]))
    return 0


def _summary(out: Path, made: int, before: int) -> str:
    if not made and not before:
        return "the manifest asks for no adapter; nothing to do"
    said = f"{made + before:,} adapters in {out / 'adapters'}"
    if before:
        said += f", {before:,} of them from before"
    return f"{said}; next: synthgen generate MANIFEST --out {out}"
