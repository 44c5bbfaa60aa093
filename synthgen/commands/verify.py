"""``synthgen verify``: re-reads every byte."""

from collections import Counter
from pathlib import Path

import click

from synthgen.commands import _options


@click.command("verify")
@click.argument("directory", metavar="DIR", type=_options.FOLDER)
@_options.verbosity
def command(directory: Path, *, quiet: bool) -> int:
    """Re-read every byte of a run or a packed dataset and say what is whole, missing or damaged.

    Checks checksums, counts, keys, fields, that every image decodes, and the plan's digests. Damaged work shards are
    marked, and the next `synthgen generate` makes exactly those again.

    Exit code 1: something is damaged. 3: whole, but not complete.

    Example: synthgen verify runs/quickstart/work
    """
    from synthgen.all_doors import DOORS
    from synthgen.verify import verify

    states: Counter[str] = Counter()
    images = failed = 0
    for finding in verify(directory, DOORS):
        states[finding.state] += 1
        images, failed = images + finding.samples, failed + finding.failed
        if finding.state == "damaged" or (finding.state == "missing" and finding.message):
            click.echo(f"{finding.state}: {finding.path}: {finding.message}")
    if not quiet:
        what = f"{states['whole']} files whole, {states['missing']} missing, {states['damaged']} damaged"
        click.echo(f"{what}; {images:,} images" + (f", {failed:,} could not be made" if failed else ""))
    return 1 if states["damaged"] else 3 if states["missing"] else 0
