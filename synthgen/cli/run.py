"""``synthgen run``: the whole study."""

from pathlib import Path
from typing import Any

import click

from synthgen.cli import _options, _progress, _survivors


@click.command("run")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", type=_options.DIRECTORY, help="The study's folder; runs/NAME if left out.")
@_options.device
@_options.verbosity
def command(manifest: Path, *, out: Path | None, quiet: bool, **options: Any) -> int:
    """Do everything a manifest asks for, from fine-tuning to the preview. Run again, and it goes on where it was.

    Exit code: the worst of its parts.

    Example: synthgen run quickstart
    """
    from synthgen import study
    from synthgen.curate import Scored, Survivors
    from synthgen.evaluate import Unit
    from synthgen.extensions import EXTENSIONS
    from synthgen.finetune import Step
    from synthgen.pack import PackedShard
    from synthgen.plan import manifest as manifests
    from synthgen.runs.receipts import Receipt

    out = out or Path("runs") / manifests.read(manifest, EXTENSIONS).document.name
    planned = _options.plan(manifest, out / "work", quiet=quiet)
    wish = _options.wish(options)
    progress, steps, outcome = _progress.Progress(0, quiet=True), _progress.Steps(), None
    with _progress.stoppable() as stop:
        parts = study.run(planned, out, wish, stop=stop, runner_name=options["runner"], workers=options["workers"])
        for step in parts:
            if isinstance(step, study.Stage):
                progress.__exit__()
                if not quiet:
                    click.echo(f"{step.verb} ...", err=True)
                progress = _progress.Progress(step.total, step.done, quiet=quiet or not step.total, unit=step.unit)
            elif isinstance(step, Receipt):
                progress.step(len(step.samples), f"{step.entry} {step.shard:05d}", step.timing["seconds"])
            elif isinstance(step, Step):
                progress.step(steps.more(step), step.adapter, step.seconds)
            elif isinstance(step, Scored):
                progress.step(step.images, f"{step.scorer} {step.entry} {step.shard:05d}")
            elif isinstance(step, Survivors):
                outcome = step
            elif isinstance(step, PackedShard):
                progress.step(step.samples, step.path)
            elif isinstance(step, Unit):
                progress.step(1, "training")
        progress.__exit__()
    planned = study.plan_of(out / "work")  # what was topped up included
    failed = study.failed(planned, out / "work")
    if not quiet:
        click.echo(_summary(out, planned.samples, failed))
    missed = _survivors.complain(outcome) if outcome else 0
    return 1 if failed else missed


def _summary(out: Path, planned: int, failed: int) -> str:
    lines = [f"{planned - failed:,} images" + (f" ({failed:,} could not be made)" if failed else "")]
    for name, what in (
        ("work", "verified work shards with their receipts"),
        ("dataset", "packed dataset: datasets.load_dataset opens this folder"),
        ("report", "what the images do for a classifier: report.html"),
        ("preview.html", "gallery, open it in a browser"),
        ("preview.png", "contact sheet"),
    ):
        if (out / name).exists():
            lines.append(f"  {out / name}  {what}")
    return "\n".join(lines)
