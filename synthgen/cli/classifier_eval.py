"""``synthgen classifier-eval``: what the synthetic images do for a classifier."""

from pathlib import Path

import click

from synthgen.cli import _options, _progress, _signals
from synthgen.cli._terminal import say


@click.command("classifier-eval")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", required=True, type=_options.DIRECTORY, help="The report's folder.")
@click.option(
    "--synthetic",
    type=_options.FOLDER,
    help="The run or dataset of synthetic images; as evaluate.synthetic says if left out.",
)
@click.option(
    "--rescore",
    is_flag=True,
    help="Train nothing; write the report again from its predictions, by `evaluate.primary` and `against` of MANIFEST.",
)
@click.option(
    "--freeze",
    is_flag=True,
    help="Train nothing; write the analysis plan and its digest before any result. Synthetic images are needed.",
)
@click.option(
    "--share",
    type=_options.DIRECTORY,
    metavar="FOLDER",
    help="Train nothing; write FOLDER with the report and its predictions, images and patients under pseudonyms.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that train; the numbers are the same. Up to one a core if left out.",
)
@_options.trust
@_options.verbosity
def command(
    manifest: Path,
    *,
    out: Path,
    synthetic: Path | None,
    rescore: bool,
    freeze: bool,
    share: Path | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Train the manifest's study: classifiers on real images with and without synthetic ones, tested on real images.

    Leaks and near-copies are looked for first. Kill it at any time: the same command goes on and repeats nothing. The
    report is DIR/report.html and report.md, every number in it is made from DIR/predictions.parquet and, where
    thresholds are chosen, validation.parquet. Exit code 75: stopped by a signal, resumable.

    Example: synthgen classifier-eval evaluate-phantom --out runs/evaluate-phantom/report
    """
    from synthgen import study

    if freeze and rescore:
        raise click.UsageError("--freeze comes before there are predictions, --rescore after; give one of them")
    if share and (freeze or rescore):
        raise click.UsageError("--share gives away a report that is there; give it alone")
    if share:
        study.share(out, share, study.read_manifest(manifest))
        if not quiet:
            say(f"{share}  for anybody to score again; the salt of its pseudonyms stays in {out}")
        return
    if freeze:
        with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
            written = study.freeze(manifest, out, synthetic=synthetic, progress=stages)
        if not quiet:
            say(f"{written}  the analysis plan; the report will say whether it follows it")
        return
    if rescore:
        study.rescore(out, study.read_manifest(manifest))
        if not quiet:
            say(f"by `evaluate.primary` and `evaluate.against` of {manifest}; nothing trained", err=True)
    else:
        with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
            task = study.evaluate(manifest, out, synthetic=synthetic, workers=workers, stop=stop, progress=stages)
            with _progress.Events(quiet=quiet) as events:
                events.begin(task.stage)
                for training in task:
                    stages.close()
                    events.show(training)
    if not quiet:
        say(f"{out / 'report.html'}  the report; report.md and CSV files beside it")
