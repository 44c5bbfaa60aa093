"""``synthgen compare``: several generators side by side."""

from pathlib import Path

import click

from synthgen.cli import _options, _progress, _signals
from synthgen.cli._terminal import say


@click.command("compare")
@click.argument("directories", metavar="RUN RUN...", type=_options.FOLDER, nargs=-1, required=True)
@click.option("--out", required=True, type=_options.DIRECTORY, help="The folder of compare.html and what is beside it.")
@click.option("--price", type=click.FloatRange(min=0, min_open=True), metavar="PRICE",
              help="What an hour of one device costs: say what images cost, made and kept.")  # fmt: skip
@click.option("--rows", default=24, show_default=True, type=click.IntRange(min=1, max=1000),
              help="Rows of the sheet at the most.")  # fmt: skip
@click.option("--backbone", default="gabor", show_default=True, metavar="NAME",
              help="Whose features fidelity is measured on: gabor, efficientnet-lite0, or a folder or Hub id of a "
              "transformers vision model.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, type=_options.Device(),
              help="What networks of scorers compute on.")  # fmt: skip
@_options.trust
@_options.verbosity
def command(directories: tuple[Path, ...], *, out: Path, price: float | None, rows: int, backbone: str, device: str,
            quiet: bool) -> None:  # fmt: skip
    """Set what several generators made of the same prompts and seeds side by side: a sheet and a league table.

    Make one run a generator, from manifests that differ in what makes their images alone: `model`, `accelerate`,
    `adapter`, `vae`, `settings`. Their images then have the same keys, seeds and prompts; runs that were asked for
    other images are refused, with the key of the manifest that says so. The others are held against the first.

    Label agreement, skin tone, near-duplicates, near-copies of real images, fidelity, diversity, time, and what the
    runs' own rules keep; of all images, and of light and dark skin. Two generators are told apart only where their
    intervals are. Killed, the same command goes on. 75: stopped by a signal, resumable.

    Example: synthgen compare runs/teacher runs/four-steps --out compare --price 2.50
    """
    from synthgen import study
    from synthgen.compare import PAGE, SHEET, TABLE, summary_lines

    with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
        found = study.compare(
            directories, out, price=price, rows=rows, backbone=backbone, device=device, progress=stages
        )
    if quiet:
        return
    say("".join(f"{line}\n" for line in (*summary_lines(found.league, found.pairs), *found.notes)), nl=False)
    say(f"{found.out / PAGE}  {found.images:,} images of each; {TABLE} and {SHEET} beside it")
