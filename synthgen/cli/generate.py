"""``synthgen generate``: makes the images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthgen.cli import _options, _progress, _survivors

if TYPE_CHECKING:
    from synthgen.plan import Plan


class _Shards(click.ParamType[tuple[int | None, int | None]]):
    """``A:B`` as in a Python slice; either side can be left out."""

    name = "A:B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Both sides as numbers, or None where left out."""
        first, colon, last = str(value).partition(":")
        if not colon or not all(part == "" or part.isdigit() for part in (first, last)):
            self.fail(f"`{value}` is not of the form A:B", param, ctx)
        return (int(first) if first else None, int(last) if last else None)


class _Array(click.ParamType[tuple[int, int]]):
    """``I/N``: part I, from 0 to N - 1, of N."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Both numbers."""
        if isinstance(value, tuple):
            return value
        part, _, parts = str(value).partition("/")
        if not (part.isdigit() and parts.isdigit() and int(part) < int(parts)):
            self.fail(f"`{value}` is not of the form I/N with I from 0 to N - 1", param, ctx)
        return int(part), int(parts)


@click.command("generate")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", required=True, type=_options.DIRECTORY, help="The run's folder; resumed if it is this plan's.")
@_options.device
@click.option("--shards", type=_Shards(), metavar="A:B", help="Only these work shards, counted over the whole plan.")
@click.option("--array", type=_Array(), metavar="I/N", help="Only part I (from 0) of N, for job arrays.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N images more, in whole shards.")
@click.option("--top-up", is_flag=True, help="Then curate, and make more of the cells that lack accepted images.")
@_options.verbosity
def command(manifest: Path, *, out: Path, top_up: bool, quiet: bool, **options: Any) -> int:
    """Make every planned image that is not made yet. Kill it at any time; the same command goes on.

    With --top-up, images are curated too, and where a cell lacks accepted ones of the manifest's quota, more of it are
    made, round after round, as often as `curate.top_up_rounds` allows.

    Exit code 1: some images could not be made, as their receipts say, or the quota could not be filled. 75: stopped by
    a signal, can be resumed.

    Example: synthgen generate quickstart --out runs/quickstart/work
    """
    from synthgen import generate

    planned = _options.plan(manifest, out, quiet=quiet)
    if top_up:
        return _fill(planned, out, quiet=quiet, **options)
    selection = generate.Selection(
        shards=options["shards"] or (None, None), array=options["array"] or (0, 1), limit=options["limit"]
    )
    job = generate.prepare(planned, out, selection)
    made, failed = job.finished
    counts = [made, failed]
    wish = _options.wish(options)
    total = job.samples + made + failed
    with _progress.stoppable() as stop, _progress.Progress(total, made + failed, quiet=quiet) as progress:
        receipts = generate.generate(job, wish, runner_name=options["runner"], workers=options["workers"], stop=stop)
        for receipt in receipts:
            counts[0] += receipt.count
            counts[1] += receipt.failed
            progress.step(len(receipt.samples), f"{receipt.entry} {receipt.shard:05d}", receipt.timing["seconds"])
    if not quiet:
        click.echo(_summary(out, counts[0], counts[1], made, planned.samples))
    return 1 if counts[1] else 0


def _fill(planned: "Plan", out: Path, *, quiet: bool, **options: Any) -> int:
    """Generate, curate and top up."""
    from synthgen import study
    from synthgen.curate import Scored, Survivors
    from synthgen.errors import InputError
    from synthgen.runs.receipts import Receipt

    if any(options.pop(name) for name in ("shards", "array", "limit")):
        raise InputError("--top-up looks at the whole run; leave out --shards, --array and --limit")
    if planned.manifest.curation is None or planned.manifest.curation.written.quota is None:
        raise InputError("--top-up: the manifest has no `curate.quota` to fill; see docs/curate.md")
    wish, outcome, progress = _options.wish(options), None, _progress.Progress(0, quiet=True)
    with _progress.stoppable() as stop:
        steps = study.fill(planned, out, wish, stop=stop, runner_name=options["runner"], workers=options["workers"])
        for step in steps:
            if isinstance(step, study.Stage):
                progress.__exit__()
                progress = _progress.Progress(step.total, step.done, quiet=quiet or not step.total)
            elif isinstance(step, Receipt):
                progress.step(len(step.samples), f"{step.entry} {step.shard:05d}", step.timing["seconds"])
            elif isinstance(step, Scored):
                progress.step(step.images, f"{step.scorer} {step.entry} {step.shard:05d}")
            elif isinstance(step, Survivors):
                outcome = step
        progress.__exit__()
    filled = study.plan_of(out)
    failed = study.failed(filled, out)
    if outcome is None:
        raise TypeError("curation ended without an outcome")
    if not quiet:
        _survivors.show(outcome)
        rounds = f" in {len(filled.rounds)} rounds" if filled.rounds else ""
        more = filled.samples - sum(entry.base.samples for entry in filled.entries.values())
        click.echo(f"{more:,} images beyond the plan's{rounds}")
    return _survivors.complain(outcome) or (1 if failed else 0)


def _summary(out: Path, made: int, failed: int, before: int, planned: int) -> str:
    said = f"{made:,} images in {out}"
    if before:
        said += f", {before:,} of them from before"
    if failed:
        said += f"; {failed:,} could not be made (their receipts say why)"
    if made + failed < planned:
        return f"{said}; {planned - made - failed:,} of the plan's {planned:,} are still to be made"
    return f"{said}; next: synthgen pack {out} --out DATASET"
