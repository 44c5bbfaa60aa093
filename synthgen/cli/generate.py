"""``synthgen generate``: makes the images."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthgen.cli import _options, _progress, _signals, _survivors
from synthgen.cli._terminal import say
from synthgen.core import digits

if TYPE_CHECKING:
    from synthgen.plan import Plan


class _Shards(click.ParamType[tuple[int | None, int | None]]):
    """``A:B`` as in a Python slice; either side can be left out."""

    name = "A:B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Both sides as numbers, or None where left out."""
        first, colon, last = str(value).partition(":")
        numbers = digits.whole(first), digits.whole(last)
        if not colon or any(part and number is None for part, number in zip((first, last), numbers, strict=True)):
            self.fail(f"`{value}` is not of the form A:B", param, ctx)
        return numbers


class _Array(click.ParamType[tuple[int, int]]):
    """``I/N``: part I, from 0 to N - 1, of N."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Both numbers."""
        if isinstance(value, tuple):
            return value
        part, _, parts = str(value).partition("/")
        number, count = digits.whole(part), digits.whole(parts)
        if number is None or count is None or number >= count:
            self.fail(f"`{value}` is not of the form I/N with I from 0 to N - 1", param, ctx)
        return number, count


@click.command("generate")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", required=True, type=_options.DIRECTORY, help="The run's folder; gone on with, or changed.")
@_options.device
@click.option("--shards", type=_Shards(), metavar="A:B", help="Only these work shards, counted over the whole plan.")
@click.option(
    "--array",
    type=_Array(),
    metavar="I/N",
    help="Only part I (from 0) of N, for job arrays; as SLURM or torchrun say it if left out.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N images more, in whole shards.")
@click.option("--top-up", is_flag=True, help="Then curate, and make more of the cells that lack accepted images.")
@_options.accept_changes
@_options.mirror(_options.SENDS)
@_options.verbosity
def command(manifest: Path, *, out: Path, top_up: bool, quiet: bool, **options: Any) -> int:
    """Make every planned image that is not made yet. Kill it at any time; the same command goes on.

    Change the manifest and run again: what is made and planned stays, what is new is made. Where something made would
    be planned no more, or otherwise, the line names the key; with --accept-changes it is set aside, never deleted.

    With --top-up, images are curated too, and where a cell lacks accepted ones of the manifest's quota, more of it are
    made, round after round, as often as `curate.top_up_rounds` allows.

    With --mirror, machines without a shared folder make one run, and one that loses its disk takes up what it had
    copied; give it each time, here and to curate, verify and pack.

    Exit code 1: some images could not be made, as their receipts say, or the quota could not be filled, or work shards
    are not on the mirror. 75: stopped by a signal, can be resumed.

    Example: synthgen generate quickstart --out runs/quickstart/work
    """
    from synthgen import study

    out = study.run_folder_of(out)
    options["mirror"] = study.open_mirror(options["mirror"], out)
    planned = _options.plan(manifest, out, quiet=quiet)
    if top_up:
        return _top_up(planned, out, quiet=quiet, **options)
    if options["array"] is None:
        options["array"] = _part_of_a_job(quiet=quiet)
    with _signals.stoppable() as stop, _progress.Events(quiet=quiet) as events:
        with _progress.Stages(stop, quiet=quiet) as stages:
            task = study.generate(planned, out, stop=stop, progress=stages, **options)
        made, failed = before, _ = task.job.finished
        events.begin(task.stage)
        for receipt in task:
            made, failed = made + receipt.count, failed + receipt.failed
            events.show(receipt)
    if not quiet:
        say(_summary(out, made, failed, before, planned))
        _options.withdrawn(out)
    return 1 if failed else 0


def _part_of_a_job(*, quiet: bool) -> tuple[int, int] | None:
    """The part that a scheduler has given this process, which takes its own GPU of several."""
    from synthgen.core import devices, job_array

    found = job_array.of_environment(os.environ)
    if found is None:
        if job_array.has_gaps(os.environ):
            say(
                "warning: SLURM_ARRAY_TASK_ID: an array whose numbers have gaps does not say which part this task is; "
                "it looks at all, unless --array I/N says which",
                err=True,
            )
        return None
    if found.local_rank is not None and len(gpus := devices.gpus()) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[found.local_rank % len(gpus)]
    if not quiet:
        said = " and ".join(found.said_by)
        say(f"part {found.part} of {found.parts}, by {said}; --array 0/1 makes all", err=True)
    return found.part, found.parts


def _top_up(planned: "Plan", out: Path, *, quiet: bool, **options: Any) -> int:
    """Generate, curate and top up."""
    from synthgen import study
    from synthgen.curate import Survivors
    from synthgen.errors import InputError

    if any(options.pop(name) for name in ("shards", "array", "limit")):
        raise InputError("--top-up looks at the whole run; leave out --shards, --array and --limit")
    outcome: Survivors | None = None
    with _signals.stoppable() as stop, _progress.Events(quiet=quiet) as events:
        with _progress.Stages(stop, quiet=quiet) as stages:
            task = study.top_up(planned, out, stop=stop, progress=stages, **options)
        for event in task:
            events.show(event)
            outcome = event if isinstance(event, Survivors) else outcome
    filled = task.result()
    if outcome is None:
        raise TypeError("curation ended without an outcome")
    if not quiet:
        _survivors.show(outcome)
        rounds = f" in {len(filled.plan.rounds)} rounds" if filled.plan.rounds else ""
        more = filled.plan.samples - sum(entry.base.samples for entry in filled.plan.entries.values())
        say(f"{more:,} images beyond the plan's{rounds}")
    return _survivors.complain(outcome) or (1 if filled.failed else 0)


def _summary(out: Path, made: int, failed: int, before: int, plan: "Plan") -> str:
    said = f"{made:,} images in {out}"
    if before:
        said += f", {before:,} of them from before"
    if failed:
        said += f"; {failed:,} could not be made (their receipts say why)"
    if made + failed < plan.samples:
        return f"{said}; {plan.samples - made - failed:,} of the plan's {plan.samples:,} are still to be made"
    if not made:
        return said
    return f"{said}; next: synthgen " + (f"curate {out}" if plan.manifest.curation else _options.pack_next(out))
