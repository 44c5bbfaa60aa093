"""``synthgen plan``: the dry run."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from synthgen.cli import _options, _progress, _real_images
from synthgen.cli._terminal import say, show

if TYPE_CHECKING:
    from synthgen.plan.estimate import Forecast
    from synthgen.plan.growth import Difference
    from synthgen.plan.price import Cost


@click.command("plan")
@click.argument("manifest", type=_options.Manifest())
@click.option("--out", type=_options.FOLDER, metavar="RUN", help="A run: say what it lacks, and what would change.")
@click.option("--price", type=click.FloatRange(min=0, min_open=True), metavar="PRICE",
              help="What an hour of one device costs: say what images cost, made and kept.")  # fmt: skip
@click.option("--gpu-report", type=_options.FILE, metavar="FILE",
              help="Time of the card in this gpu-report.json, not of this machine.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@_options.verbosity
def command(manifest: Path, *, out: Path | None, price: float | None, gpu_report: Path | None, as_json: bool,
            quiet: bool) -> None:  # fmt: skip
    """Check a manifest and say what it would make: counts, shards, disk and time. Makes nothing.

    MANIFEST is a path, or the name of one that ships. Of real images only the metadata are read, of models the
    list of files and what they say of themselves: which can't be loaded, and on which cards how many images fit.
    An `evaluate:` that the real images make impossible is refused.
    With --out, how many images a run would gain, set aside and make again, and by which keys of the manifest; real
    images that the run has no index of are opened for it, and their index is kept there.

    Time is one device's, as this machine measured last, or as the card of --gpu-report did.

    Example: synthgen plan quickstart --price 2.50
    """
    from synthgen import study
    from synthgen.diffusion import model_check
    from synthgen.plan import estimate
    from synthgen.plan.price import read_rates

    card = read_rates(gpu_report) if gpu_report else None
    if out:
        out = study.open_run(out).root  # nothing is written to a folder that is none
    read = study.read_manifest(manifest)
    with _real_images.said_of_none(read, quiet=quiet or as_json):
        planned = study.plan(read, out)
    models = model_check.check(planned)
    index = planned.index or study.scan_if_there(read)  # also of images that only judge, as `evaluate` does
    unchecked = study.check_study(planned, index)
    found_by = study.power(read, index) if index else None
    forecast = estimate.forecast(planned, model_check.seconds_on(planned, models, card) if card else None)
    cost = _cost(forecast, price, out)
    found = study.differences(planned, out) if out else []
    if as_json:
        against = {"run": [asdict(one) for one in found]} if out else {}
        told: dict[str, Any] = {"models": [asdict(one) for one in models]} if models else {}
        told |= {"device": card.device} if card else {}
        told |= {"cost": asdict(cost)} if cost else {}
        told |= {"smallest_difference": _plain(asdict(found_by))} if found_by else {}
        say(json.dumps(forecast.to_dict() | against | told))
    elif not quiet:
        _show(planned, forecast, models, index, card.device if card else "")
        if price:
            say(_said(cost, "the report" if card else "this machine"))
        if unchecked:
            say(unchecked)
        if found_by:
            say(f"evaluate: {found_by}")
        for line in [*map(str, study.retrained(planned, out))] if out else []:
            say(line)
        for one in found:
            say(_against(one))
        if out:
            _options.withdrawn(out, will=any(one.aside for one in found))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The same for JSON, which has no NaN."""
    return {name: None if value != value else value for name, value in values.items()}  # noqa: PLR0124 - NaN


def _cost(forecast: "Forecast", price: float | None, out: Path | None) -> "Cost | None":
    """What the images cost; ``None`` where no price was given, or the time is not known."""
    from synthgen.plan import price as prices
    from synthgen.runs import verdicts

    if price is None or forecast.seconds is None or not forecast.samples:
        return None
    judged = verdicts.read_summary(out) if out else None
    kept = judged.accepted / judged.judged if judged and judged.judged else None
    return prices.cost(price, forecast.seconds, forecast.samples, kept=kept)


def _said(cost: "Cost | None", measured: str) -> str:
    """The cost in a line, an image's by the thousand where it is small."""
    if cost is None:
        return f"cost not known: {measured} tells no rate of such images; make some, or give another --gpu-report"
    said = f"cost about {cost.total:,.2f}: {cost.hours:,.2f} hours of one device at {cost.hour:,.2f}"
    after = "what kept ones cost is said with --out, once `curate` has judged a run's"
    if cost.kept is not None:
        after = f"{1000 * cost.kept:,.2f} for 1,000 that are kept, as many as this run keeps now"
    return f"{said}; {1000 * cost.image:,.2f} for 1,000 images; {after}"


def _against(one: "Difference") -> str:
    """What an entry has beyond a run, and what of the run it would change."""
    said = f"{one.entry}: +{one.new:,} images, {one.aside:,} set aside, {one.anew:,} to make again, {one.stays:,} stay"
    if one.restored:
        said += f", {one.restored:,} that were set aside count again"
    if one.changes:
        said += f" ({'; '.join(one.changes)})"
    return f"{said}; `generate` does that with --accept-changes" if one.aside else said


def _show(planned: Any, forecast: Any, models: Sequence[Any], index: Any, device: str) -> None:
    from synthgen.plan import packed_layout, throughput

    shown = list[Any]()
    for name, adapter in planned.adapter_plans.items():
        seen = f"{len(adapter.pool):,} real images of {', '.join(adapter.labels)}"
        shown.append(f"adapter {name}: {adapter.entry.method}, {seen}")
    shown += map(_table, planned.entries.values())
    shown += dict.fromkeys(line for one in models for line in one.lines())
    shown += _real_images.of_words(planned.strange_words)
    shown += _real_images.of_captions(planned.cut_captions, planned.manifest.prompts.max_caption_words)
    if index and (table := _real_images.table(index, planned.manifest)) is not None:
        shown.append(table)
    shown += _real_images.lines(index, planned.manifest, opened=False) if index else ()
    time = "not measured on this machine yet" if not device else f"not known on {device}"
    if forecast.seconds is not None:
        time = f"about {_progress.duration(forecast.seconds)}" + (f" on {device}" if device else "")
        if 0 < forecast.measured < throughput.ENOUGH:
            time += f", as {forecast.measured:,} images took here, loading included: rather less"
    shown.append(f"{planned.samples:,} images in {planned.shards:,} work shards")
    shown.append(f"disk about {_progress.size(forecast.bytes)}, time {time}")
    if told := packed_layout.said(planned.manifest.document.pack.format, forecast.bytes):
        shown.append(told)
    show(*shown, f"plan {planned.digest[:16]}")


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
