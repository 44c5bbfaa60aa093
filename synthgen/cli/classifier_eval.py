"""``synthgen classifier-eval``: what the synthetic images do for a classifier."""

from pathlib import Path

import click

from synthgen.cli import _options, _progress


@click.command("classifier-eval")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", required=True, type=_options.DIRECTORY, help="The report's folder.")
@click.option(
    "--synthetic",
    type=_options.FOLDER,
    help="The run or dataset of synthetic images; as evaluate.synthetic says if left out.",
)
@click.option("--rescore", is_flag=True, help="Train nothing; write the report again from its predictions alone.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that train; the numbers are the same. Up to one a core if left out.",
)
@_options.trust
@_options.verbosity
def command(
    manifest: Path, *, out: Path, synthetic: Path | None, rescore: bool, workers: int | None, quiet: bool
) -> None:
    """Train the manifest's study: classifiers on real images with and without synthetic ones, tested on real images.

    Leaks and near-copies are looked for first. Kill it at any time: the same command goes on and repeats nothing. The
    report is DIR/report.html and report.md, every number in it is made from DIR/predictions.parquet. Exit code 75:
    stopped by a signal, resumable.

    Example: synthgen classifier-eval evaluate-phantom --out runs/evaluate-phantom/report
    """
    from synthgen import evaluate
    from synthgen.extensions import EXTENSIONS
    from synthgen.plan import manifest as manifests

    if rescore:
        evaluate.rescore(out)
    else:
        read = manifests.read(manifest, EXTENSIONS)
        with _progress.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
            job = evaluate.prepare(read, out, EXTENSIONS, given=synthetic, progress=stages)
            with _progress.Progress(len(job.names), evaluate.finished(job), quiet=quiet, unit="trainings") as bar:
                for _ in evaluate.evaluate(job, workers=workers, stop=stop, progress=stages):
                    stages.close()
                    bar.step(1, "training")
    if not quiet:
        click.echo(f"{out / 'report.html'}  the report; report.md and CSV files beside it")
