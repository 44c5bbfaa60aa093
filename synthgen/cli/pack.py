"""``synthgen pack``: makes the dataset folder."""

from pathlib import Path
from typing import Any

import click

from synthgen.cli import _options, _progress


@click.command("pack")
@click.argument("directory", metavar="DIR", type=_options.FOLDER)
@click.option("--out", required=True, type=_options.DIRECTORY, help="The dataset folder; must not exist or be empty.")
@click.option(
    "--manifest",
    type=_options.Manifest(),
    help="Pack by `pack:` and `publish:` of this manifest of the same images, and keep it in the run.",
)
@click.option("--partial", is_flag=True, help="Pack what is there of a run that is not finished.")
@click.option(
    "--format",
    metavar="[webdataset|parquet|imagefolder|NAME]",
    help="Tars, Parquet files with the images in them, image files, or a plug-in's; the manifest's pack.format if left "
    "out.",
)
@click.option("--card", type=_options.FILE, help="A Jinja template for the card; the one that ships else.")
@click.option(
    "--report",
    type=_options.FOLDER,
    help="A report of classifier-eval, whose findings go into the card; the dataset may be packed already.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that write shards; the bytes are the same.",
)
@_options.trust
@_options.verbosity
def command(directory: Path, *, out: Path, report: Path | None, quiet: bool, **options: Any) -> None:
    """Pack a run into a dataset folder: shuffled, evenly sized shards, metadata, provenance and a dataset card.

    The same run gives the same bytes. Kill it at any time: the same command goes on, and the folder appears when all of
    it is there. Real images and patients go under pseudonyms, unless `pack: {identifiers: original}` asks for their own
    names. Exit code 1: the run is not complete, and --partial was not given.

    Example: synthgen pack runs/quickstart/work --out runs/quickstart/dataset
    """
    from synthgen import study

    shards = 0
    with _progress.Events(quiet=quiet) as events:
        task = study.pack(directory, out, **options)
        events.begin(task.stage)
        for shard in task:
            events.show(shard)
            shards += 1
    if report and not study.add_report(out, report) and not quiet:
        click.echo(f"{out}: the card's template has no place for a report", err=True)
    if shards and not quiet:
        named = options["manifest"] or f"the manifest that {directory} keeps; --manifest names another"
        click.echo(f"packed by {named}", err=True)
    if not quiet:
        click.echo(
            f"{shards} shard{'' if shards == 1 else 's'} in {out}"
            if shards
            else f"{out}: packed already, nothing to do"
        )
