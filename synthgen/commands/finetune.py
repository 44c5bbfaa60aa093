"""``synthgen finetune``: trains the adapters."""

from pathlib import Path

import click

from synthgen.commands import _options, _progress


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

    job = finetune.prepare(_options.plan(manifest, out, quiet=quiet), out)
    with _progress.stoppable() as stop:
        total, known = 0, 0
        progress = _progress.Progress(0, quiet=True)
        for made in finetune.finetune(job, device, stop=stop):
            if isinstance(made, finetune.Trained):
                progress.__exit__()
                progress, total, known = _progress.Progress(0, quiet=True), 0, 0
                if not quiet:
                    click.echo(trained(made), err=True)
                continue
            if not total:
                total, known = made.steps, made.step
                progress = _progress.Progress(total, 0, quiet=quiet, unit="steps")
                progress.step(known, made.adapter, made.seconds)
            else:
                progress.step(made.step - known, made.adapter, made.seconds)
                known = made.step
    if not quiet:
        click.echo(_summary(out, len(job.todo), len(job.finished)))
    return 0


def trained(made: object) -> str:
    """A finished adapter in a line."""
    from synthgen.finetune import Trained

    if not isinstance(made, Trained):
        raise TypeError("not a finished adapter")
    return f"{made.folder}: {made.steps:,} steps on {made.images:,} images, loss {made.loss:.4f}"


def _summary(out: Path, made: int, before: int) -> str:
    if not made and not before:
        return "the manifest asks for no adapter; nothing to do"
    said = f"{made + before:,} adapters in {out / 'adapters'}"
    if before:
        said += f", {before:,} of them from before"
    return f"{said}; next: synthgen generate MANIFEST --out {out}"
