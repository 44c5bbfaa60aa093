"""``synthgen pack``: makes the dataset folder."""

from pathlib import Path

import click

from synthgen.commands import _options, _progress


@click.command("pack")
@click.argument("directory", metavar="DIR", type=_options.FOLDER)
@click.option("--out", required=True, type=_options.DIRECTORY, help="The dataset folder; must not exist or be empty.")
@click.option("--partial", is_flag=True, help="Pack what is there of a run that is not finished.")
@_options.verbosity
def command(directory: Path, *, out: Path, partial: bool, quiet: bool) -> None:
    """Pack a run into a dataset folder: shuffled, evenly sized tars, metadata, provenance and a dataset card.

    The same run gives the same bytes. Exit code 1: the run is not complete, and --partial was not given.

    Example: synthgen pack runs/quickstart/work --out runs/quickstart/dataset
    """
    from synthgen import study

    planned = study.plan_of(directory)
    with _progress.Progress(planned.samples, quiet=quiet) as progress:
        shards = 0
        for shard in study.pack(directory, out, partial=partial):
            progress.step(shard.samples, shard.path)
            shards += 1
    if not quiet:
        click.echo(f"{shards} tars in {out}" if shards else f"{out}: packed already, nothing to do")
