"""``synthgen plan``: the dry run."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthgen.cli import _options, _progress, _real_images

if TYPE_CHECKING:
    from synthgen.plan.growth import Difference


@click.command("plan")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", type=_options.FOLDER, metavar="RUN", help="A run: say what it lacks, and what would change.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@_options.verbosity
def command(manifest: Path, *, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Check a manifest and say what it would make: counts, shards, disk and time. Makes nothing.

    MANIFEST is a path, or the name of one that ships. Of real images only the metadata are read, of models the
    list of files and what they say of themselves: which can't be loaded, and on which cards how many images fit.
    An `evaluate:` that the real images make impossible is refused.
    With --out, how many images a run would gain, set aside and make again, and by which keys of the manifest; real
    images that the run has no index of are opened for it, and their index is kept there.

    Example: synthgen plan quickstart
    """
    from synthgen import study
    from synthgen.diffusion import model_check
    from synthgen.plan import estimate

    if out:
        out = study.open_run(out).root  # nothing is written to a folder that is none
    read = study.read_manifest(manifest)
    with _real_images.said_of_none(read, quiet=quiet or as_json):
        planned = study.plan(read, out)
    models = model_check.check(planned)
    index = planned.index or study.scan_if_there(read)  # also of images that only judge, as `evaluate` does
    unchecked = study.check_study(planned, index)
    forecast = estimate.forecast(planned)
    found = study.differences(planned, out) if out else []
    if as_json:
        against = {"run": [asdict(one) for one in found]} if out else {}
        told = {"models": [asdict(one) for one in models]} if models else {}
        click.echo(json.dumps(forecast.to_dict() | against | told))
    elif not quiet:
        _show(planned, forecast, models, index)
        if unchecked:
            click.echo(unchecked)
        for line in [*map(str, study.retrained(planned, out))] if out else []:
            click.echo(line)
        for one in found:
            click.echo(_against(one))
        if out:
            _options.withdrawn(out, will=any(one.aside for one in found))


def _against(one: "Difference") -> str:
    """What an entry has beyond a run, and what of the run it would change."""
    said = f"{one.entry}: +{one.new:,} images, {one.aside:,} set aside, {one.anew:,} to make again, {one.stays:,} stay"
    if one.restored:
        said += f", {one.restored:,} that were set aside count again"
    if one.changes:
        said += f" ({'; '.join(one.changes)})"
    return f"{said}; `generate` does that with --accept-changes" if one.aside else said


def _show(planned: Any, forecast: Any, models: Sequence[Any], index: Any) -> None:
    from rich.console import Console

    from synthgen.plan import packed_layout

    console = Console(highlight=False, soft_wrap=True)
    for name, adapter in planned.adapter_plans.items():
        seen = f"{len(adapter.pool):,} real images of {', '.join(adapter.labels)}"
        console.print(f"adapter {name}: {adapter.entry.method}, {seen}", markup=False)
    for entry in planned.entries.values():
        console.print(_table(entry))
    for line in dict.fromkeys(line for one in models for line in one.lines()):
        console.print(line, markup=False)
    for line in _real_images.of_words(planned.strange_words):
        console.print(line, markup=False)
    if index and (table := _real_images.table(index, planned.manifest)) is not None:
        console.print(table)
    if index:
        console.print("\n".join(_real_images.lines(index, planned.manifest, opened=False)), markup=False)
    seconds = forecast.seconds
    time = "not measured on this machine yet" if seconds is None else f"about {_progress.duration(seconds)}"
    console.print(f"{planned.samples:,} images in {planned.shards:,} work shards")
    console.print(f"disk about {_progress.size(forecast.bytes)}, time {time}")
    if told := packed_layout.said(planned.manifest.document.pack.format, forecast.bytes):
        console.print(told, markup=False)
    console.print(f"plan {planned.digest[:16]}")


def _table(entry: Any) -> Any:
    """A row for each label, a column for each skin tone."""
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    tones = sorted({cell.tone for cell in entry.cells}, key=lambda tone: (not tone, tone))
    counts = {(cell.label, cell.tone): cell.count for cell in entry.cells}
    made_by = ", ".join(filter(None, (entry.recipe.strategy, entry.made_by)))
    table = Table(title=f"{entry.name}: {escape(made_by)}", box=SIMPLE)
    table.title_justify = "left"
    table.add_column("label \\ skin tone")
    for column in [*(tone or "unknown" for tone in tones), "all"]:
        table.add_column(str(column), justify="right")
    for label in dict.fromkeys(cell.label for cell in entry.cells):
        row = [counts.get((label, tone), 0) for tone in tones]
        table.add_row(label, *(f"{count:,}" for count in [*row, sum(row)]))
    return table
