"""What ``synthgen curate --report`` does and says: fidelity beside real images."""

from pathlib import Path

import click

from synthgen.commands import _progress
from synthgen.errors import InputError


def check(backbone: str | None, *, report: bool) -> None:
    """Refuse a backbone that nothing would use.

    Raises:
        InputError: A backbone is given and no report is asked for.
    """
    if backbone and not report:
        raise InputError("--backbone: it gives the features of a report; add --report")


def alone(directory: Path, manifest: Path | None) -> bool:
    """Whether a folder can be reported on and not judged: a packed dataset, or a run whose manifest has no rules."""
    from synthgen import runs
    from synthgen.all_doors import DOORS

    if manifest is not None:
        return False
    return not runs.is_run(directory) or runs.read_plan(directory, DOORS).manifest.curation is None


def write(directory: Path, backbone: str | None, *, quiet: bool) -> None:
    """Write a folder's fidelity report with progress, and say its first table."""
    from synthgen.all_doors import DOORS
    from synthgen.curate import fidelity

    with _progress.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
        found = fidelity.report(directory, DOORS, backbone=backbone or fidelity.BACKBONE, progress=stages)
    if quiet:
        return
    click.echo("".join(f"{line}\n" for line in (*fidelity.overall(found.rows), *found.notes)), nl=False)
    click.echo(f"{found.out / fidelity.PAGE}  the report; {fidelity.TABLE} and pictures beside it")
