"""``synthgen curate``: scores what was made, and says what is kept and why the rest is not."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthgen.commands import _options, _progress

if TYPE_CHECKING:
    from synthgen.curate import Judged
    from synthgen.plan import Plan


@click.command("curate")
@click.argument("directory", metavar="DIR", type=_options.FOLDER)
@click.option(
    "--manifest", type=_options.Manifest(), help="Take `curate:` from this manifest, which must plan the same images."
)
@click.option("--require-parity", is_flag=True, help="Exit 1 where one half of the tones keeps too small a share.")
@_options.verbosity
def command(directory: Path, *, manifest: Path | None, require_parity: bool, quiet: bool) -> int:
    """Score every image of a run that is not scored yet, and judge all by the rules of `curate.keep`.

    No image is deleted: one that is rejected is a row of verdicts.parquet with its reasons, and `synthgen pack` leaves
    it out. Change a rule and run it again: no image is read.

    Exit code 1: a quota or parity is missed that the manifest, or --require-parity, demands. 75: stopped, resumable.

    Example: synthgen curate runs/quickstart/work
    """
    from synthgen import curate

    planned = _planned(directory, manifest, quiet=quiet)
    job = curate.prepare(planned, directory)
    judged: Judged | None = None
    with _progress.stoppable() as stop, _progress.Progress(job.images, quiet=quiet or not job.images) as progress:
        for step in curate.curate(job, stop):
            if isinstance(step, curate.Scored):
                progress.step(step.images, f"{step.scorer} {step.entry} {step.shard:05d}")
            else:
                judged = step
    if judged is None:
        raise TypeError("curation ended without verdicts")
    if not quiet:
        _show(judged, directory)
    demanded = require_parity or (
        planned.manifest.curation is not None and planned.manifest.curation.parity is not None
    )
    for (label, tone), count in judged.lacking.items():
        click.echo(f"quota missed: {label}, skin tone {tone} lacks {count:,}", err=True)
    if judged.unfair and demanded:
        click.echo("parity missed: one half of the skin tones keeps too small a share", err=True)
    return 1 if judged.lacking or (judged.unfair and demanded) else 0


def _planned(directory: Path, manifest: Path | None, *, quiet: bool) -> "Plan":
    from synthgen import runs
    from synthgen.all_doors import DOORS

    planned = runs.read_plan(directory, DOORS)
    if manifest is not None:
        planned = _options.plan(manifest, directory, quiet=quiet)
        runs.claim(directory, planned)
    return planned


def _show(judged: "Judged", directory: Path) -> None:
    """The table of survivors by label and skin tone, the reasons, and the parity."""
    from rich.console import Console
    from rich.table import Table

    tones = list(dict.fromkeys(tone for _, tone, _ in judged.counts))
    table = Table("label", *tones, "all", title="kept, of all")
    for label in dict.fromkeys(label for label, _, _ in judged.counts):
        cells = [_kept(judged, label, tone) for tone in tones]
        totals = tuple(map(sum, zip(*cells, strict=True)))
        table.add_row(label, *(f"{kept:,}/{count:,}" for kept, count in (*cells, totals)))
    console = Console(highlight=False, markup=False)
    console.print(table)
    for reason, count in judged.verdicts.reasons().items():
        console.print(f"rejected by {reason}: {count:,}")
    console.print(_parity(judged))
    console.print(f"verdicts in {directory / 'verdicts.parquet'}; next: synthgen pack {directory} --out DATASET")


def _kept(judged: "Judged", label: str, tone: str) -> tuple[int, int]:
    found = {reason: count for (one, of, reason), count in judged.counts.items() if (one, of) == (label, tone)}
    return found.get("", 0), sum(found.values())


def _parity(judged: "Judged") -> str:
    told = judged.parity
    if told.ratio != told.ratio:
        return "parity: not known, since there is dark or light skin alone"
    shares = (f"{rejected:,} of {total:,}" for rejected, total in (told.dark, told.light))
    return (
        f"rejected: dark skin {next(shares)}, light skin {next(shares)}; "
        f"ratio {told.ratio:.2f} (95 % interval {told.low:.2f} to {told.high:.2f})"
    )
