"""``synthgen finetune``: trains the adapters."""

import os
from pathlib import Path

import click

from synthgen.cli import _options, _progress


@click.command("finetune")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", required=True, type=_options.DIRECTORY, help="The run's folder; resumed if it is this plan's.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda", "mps"]))
@_options.verbosity
def command(manifest: Path, *, out: Path, device: str, quiet: bool) -> int:
    """Train every adapter of a manifest that is not there yet. Kill it at any time; the same command goes on.

    Adapters lie in DIR/adapters/NAME, as plain diffusers loads them. On several GPUs: accelerate launch -m synthgen
    finetune MANIFEST --out DIR.

    Exit code 75: stopped by a signal, can be resumed.

    Example: synthgen finetune my-study.yaml --out runs/my-study
    """
    from synthgen import finetune

    quiet = quiet or os.environ.get("RANK", "0") != "0"  # of several processes that were launched, one speaks
    job = finetune.prepare(_options.plan(manifest, out, quiet=quiet), out)
    steps, lines = _progress.Steps(), list[str]()
    with _progress.stoppable() as stop, _progress.Progress(job.steps, quiet=quiet, unit="steps") as progress:
        for made in finetune.finetune(job, device, stop=stop):
            if isinstance(made, finetune.Trained):
                lines.append(f"{made.folder}: {made.steps:,} steps on {made.images:,} images, loss {made.loss:.4f}")
            else:
                progress.step(steps.more(made), made.adapter, made.seconds)
    if not quiet:
        click.echo("\n".join([*lines, _summary(out, len(job.todo), len(job.finished))]))
    return 0


def _summary(out: Path, made: int, before: int) -> str:
    if not made and not before:
        return "the manifest asks for no adapter; nothing to do"
    said = f"{made + before:,} adapters in {out / 'adapters'}"
    if before:
        said += f", {before:,} of them from before"
    return f"{said}; next: synthgen generate MANIFEST --out {out}"
