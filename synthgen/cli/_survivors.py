"""Prints what became of a run's images: survivors by cell, by filter, and dark skin beside light."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from synthgen.cli import _terminal
from synthgen.cli._terminal import say

if TYPE_CHECKING:
    from synthgen.curate import Survivors
    from synthgen.curate.parity import LabelParity
    from synthgen.runs.verdicts import Ratio

_MOST_NAMED, _PIPED = 8, 240


def show(outcome: "Survivors") -> None:
    """Print the tables."""
    shown = [_cells(outcome, entry) for entry in dict.fromkeys(cell.entry for cell in outcome.cells)]
    if outcome.facts.filters:
        shown.append(_filters(outcome))
    if outcome.facts.parity:
        shown.append("rejection of dark skin beside light skin, ratio of the rates with its 95 % interval:")
    shown += [f"  {line}" for line in _parity(outcome)]
    shown.append(f"{outcome.facts.accepted:,} of {outcome.facts.judged:,} images accepted")
    _terminal.show(*shown, piped_width=_PIPED)  # a number that is cut off is worse than a long line


def complain(outcome: "Survivors", *, parity: bool = False) -> int:
    """Say what was demanded and missed; returns the exit code."""
    faults = list(missed(outcome, parity=parity))
    for fault in faults:
        say(f"error: {fault}", err=True)
    return 1 if faults else 0


def missed(outcome: "Survivors", *, parity: bool) -> Iterator[str]:
    """What was demanded and missed, a line each.

    Args:
        outcome: What became of the images.
        parity: Whether parity is demanded here, whatever the manifest says.
    """
    lacking = outcome.lacking
    for cell in lacking[:_MOST_NAMED]:
        place = f"{cell.entry}, {cell.label}, skin tone {cell.skin_tone}"
        yield f"quota: {place}: {cell.kept:,} accepted, {cell.lacking:,} lacking"
    if len(lacking) > _MOST_NAMED:
        yield f"quota: {len(lacking) - _MOST_NAMED:,} more cells lack images; see survivors.csv"
    for ratio in outcome.uneven if parity or outcome.requires_parity else ():
        yield f"parity: {_named(ratio)} rejects dark skin more often than light: {_said(ratio)}"


def _cells(outcome: "Survivors", entry: str) -> Any:
    """A row for each label, a column for each skin tone: how many of how many are accepted."""
    cells = [cell for cell in outcome.cells if cell.entry == entry]
    tones = [name for *_, name in sorted({(not cell.tone, cell.tone, cell.skin_tone) for cell in cells})]
    table = _table(f"{entry}: accepted / judged", ["label \\ skin tone"], [*tones, "all"])
    for label in dict.fromkeys(cell.label for cell in cells):
        row = {cell.skin_tone: cell for cell in cells if cell.label == label}
        counts = [(row[tone].accepted, row[tone].judged) if tone in row else (0, 0) for tone in tones]
        counts.append((sum(one for one, _ in counts), sum(other for _, other in counts)))
        table.add_row(label, *(f"{one:,}/{other:,}" if other else "-" for one, other in counts))
    return table


def _filters(outcome: "Survivors") -> Any:
    """A row for each reason: how many images it rejects, and how many of these nothing else does."""
    from rich.markup import escape

    table = _table("rejected", ["reason"], ["images", "by it alone"])
    for one in outcome.facts.filters:
        table.add_row(escape(one.reason), f"{one.rejected:,}", f"{one.alone:,}")
    return table


def _parity(outcome: "Survivors") -> Iterator[str]:
    """A line for each rule: how often it rejects dark skin beside light skin."""
    told_apart = {one.reason: _by_label(one) for one in outcome.by_label}
    for ratio in outcome.facts.parity:
        rates = f"dark {ratio.dark_rejected:,} of {ratio.dark:,}, light {ratio.light_rejected:,} of {ratio.light:,}"
        warning = "; REJECTS DARK SKIN MORE OFTEN" if ratio in outcome.uneven else ""
        yield f"{_named(ratio)}: {rates}, ratio {_said(ratio)}{told_apart.get(ratio.reason, '')}{warning}"


def _table(title: str, texts: list[str], numbers: list[str]) -> Any:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), box=SIMPLE, title_justify="left")
    for name in texts:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _named(ratio: "Ratio") -> str:
    return f"`{ratio.reason}`" if ratio.reason else "all rules together"


def _said(ratio: "Ratio") -> str:
    """The ratio with its interval: ``1.8 (1.2 to 2.7)``."""
    value = "-" if ratio.ratio is None else f"{ratio.ratio:.2f}"
    return f"{value} ({ratio.low:.2f} to {ratio.high:.2f})"


def _by_label(known: "LabelParity") -> str:
    """The ratio pooled over labels, the worst of them, and whether they differ."""
    pooled, worst = (
        f"{'-' if value is None else f'{value:.2f}'} ({low:.2f} to {high:.2f})"
        for value, low, high in (
            (known.ratio, known.low, known.high),
            (known.worst, known.worst_low, known.worst_high),
        )
    )
    differ = "; labels differ" if known.labels_differ else ""
    return f"; by label {pooled}, worst {known.worst_label} {worst}{differ}"
