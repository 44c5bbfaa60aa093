"""``synthgen phantom``: draws an image folder of skin whose label, type and lesion are known."""

from pathlib import Path

import click

from synthgen.cli import _options, _progress, _signals
from synthgen.cli._terminal import say


@click.command("phantom")
@click.option("--out", required=True, type=_options.DIRECTORY, help="The image folder; gone on with if it is this one.")
@click.option(
    "--per-cell", required=True, type=click.IntRange(min=1), metavar="N", help="Images a label and skin type."
)
@click.option(
    "--seed", required=True, type=click.IntRange(0, 2**63 - 1), metavar="S", help="Another seed, other images."
)
@click.option("--site", default="a", show_default=True, metavar="a|b", help="The camera: a clinic, or a telephone.")
@click.option("--masks", is_flag=True, help="Write masks/*.png too: 255 where the disease is, otherwise 0.")
@click.option(
    "--label", "labels", multiple=True, metavar="LABEL", help="Only this condition; repeatable. All if left out."
)
@click.option("--tone", "tones", multiple=True, type=int, metavar="1-6", help="Only this skin type; repeatable.")
@_options.verbosity
def command(
    out: Path,
    *,
    per_cell: int,
    seed: int,
    site: str,
    masks: bool,
    labels: tuple[str, ...],
    tones: tuple[int, ...],
    quiet: bool,
) -> None:
    """Draw phantoms: 64 x 64 images of skin whose condition, Fitzpatrick type and lesion are known exactly.

    Not medical truth: caricatures of textbook cues, for testing software. Writes images/*.png and metadata.csv. The
    same arguments give the same images; more a cell keep those that are there. Kill it at any time; the same command
    goes on. Exit code 75: stopped by a signal, can be resumed.

    Example: synthgen phantom --out data/phantoms --per-cell 20 --seed 1 --site b
    """
    from synthgen.phantom import write_folder
    from synthgen.phantom.conditions import CONDITIONS
    from synthgen.phantom.skin_colour import TONES

    options = write_folder.PhantomOptions(
        labels or tuple(CONDITIONS), tones or tuple(TONES), per_cell, seed, site, masks
    )
    job = write_folder.prepare(out, options)
    before = len(job.finished)
    with _signals.stoppable() as stop, _progress.Progress(len(job.rows), before, quiet=quiet) as progress:
        for count in write_folder.write(job, stop):
            progress.step(count, str(out))
    if not quiet:
        added = len(job.rows) - before
        say(f"{len(job.rows):,} phantoms in {out}, {added:,} of them new" if added else f"{out}: nothing to do")
