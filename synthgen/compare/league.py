"""The league table: every measure of every generator, of all images and by lightness of skin, each with its n."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from synthgen.compare import intervals
from synthgen.compare.intervals import Estimate
from synthgen.curate.fidelity.groups import ALL, LIGHTNESS, Group, lightness
from synthgen.curate.fidelity.measure import MEMORISED, Measurement
from synthgen.curate.fidelity.tables import TITLES
from synthgen.plan import price as prices
from synthgen.vision.metrics import MEASURES, Measured

if TYPE_CHECKING:
    from synthgen.compare.matching import Asked, Generator, Matched
    from synthgen.compare.scores import ImageScores
    from synthgen.core.types import Bools, Doubles

REAL = "real test images"  # the yardstick's name among the generators
_HEADER = ("group", "generator", "measure", "value", "low", "high", "interval", "n", "better", "note")
Better = Literal["higher", "lower", ""]


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is measured of a generator's images.

    Attributes:
        name: Its name in the CSV.
        title: Its name in tables.
        better: Which values are better; empty where nobody can say that.
        form: How a value is written, by ``str.format``; of a share as a percentage; empty for time and cost.
        factor: What a value is multiplied by before it is written.
    """

    name: str
    title: str
    better: Better
    form: str = ""
    factor: float = 1.0


_OF_IMAGES = (
    Measure("agreement", "label agreement", "higher", "{:.1%}"),
    Measure("tone_distance", "degrees from the tone", "lower", "{:.1f}"),
    Measure("tone_in_range", "within the tone", "higher", "{:.1%}"),
    Measure("near_duplicates", "near-duplicates", "lower", "{:.1%}"),
    Measure("near_copies", "near-copies of real", "lower", "{:.1%}"),
    Measure("kept", "kept", "higher", "{:.1%}"),
)
_BETTER: Mapping[str, Better] = {
    "frechet": "lower", "kid": "lower", "precision": "higher", "recall": "higher", "coverage": "higher",
    MEMORISED: "lower",
}  # fmt: skip
_FORMS = {"frechet": "{:#.4g}", "kid": "{:.1f}", MEMORISED: "{:.1%}"}
OF_IMAGES = tuple(one.name for one in _OF_IMAGES)
OF_SETS = (*MEASURES, MEMORISED)
COSTS = ("seconds", "cost", "cost_kept")
ALL_MEASURES = {
    one.name: one
    for one in (
        *_OF_IMAGES,
        *(
            Measure(name, TITLES[name], _BETTER.get(name, ""), _FORMS.get(name, "{:.3f}"), 1000 if name == "kid" else 1)
            for name in OF_SETS
        ),
        Measure("seconds", "seconds an image", "lower"),
        Measure("cost", "cost of 1,000 images", "lower", factor=1000),
        Measure("cost_kept", "cost of 1,000 kept", "lower", factor=1000),
    )
}


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one group of a generator's images.

    Attributes:
        group: The group's name.
        generator: The generator's name, or :data:`REAL`.
        measure: A key of :data:`ALL_MEASURES`.
        found: The value, its interval and its n.
    """

    group: str
    generator: str
    measure: str
    found: Estimate


@dataclass(frozen=True)
class League:
    """All rows, and what they are of.

    Attributes:
        groups: The groups' names, all images first.
        generators: The generators' names, in the order that they were given.
        rows: Every measure of every group and generator.
    """

    groups: tuple[str, ...]
    generators: tuple[str, ...]
    rows: tuple[Row, ...]

    def of(self, group: str, generator: str, measure: str) -> Estimate | None:
        """What was found; ``None`` where there is no such row."""
        wanted = group, generator, measure
        return next((one.found for one in self.rows if (one.group, one.generator, one.measure) == wanted), None)

    def told_apart(self, group: str, measure: str) -> list[tuple[str, str]]:
        """Each pair of generators, the better one first, of which no value of one's interval is in the other's."""
        better, found = self._direction(measure), list[tuple[str, str]]()
        for one in self.generators:
            for other in self.generators:
                first, second = self.of(group, one, measure), self.of(group, other, measure)
                if better and first and second and _better(first, second, better):
                    found.append((one, other))
        return found

    def bounded(self, group: str, measure: str) -> bool:
        """Whether two generators or more have an interval, so that they could be told apart."""
        found = [self.of(group, name, measure) for name in self.generators]
        return bool(self._direction(measure)) and sum(one is not None and one.bounded for one in found) > 1

    @staticmethod
    def _direction(measure: str) -> Better:
        """Which values are better; of time and cost nobody is told apart, since how times vary is not known."""
        return "" if measure in COSTS else ALL_MEASURES[measure].better


def _better(one: Estimate, other: Estimate, better: Better) -> bool:
    return one.above(other) if better == "higher" else other.above(one)


def groups(images: Sequence[Asked], scale: str) -> list[Group]:
    """All images, and those of light, medium and dark skin that there are."""
    tones = {image.tone for image in images}
    found = [Group(ALL, "all")]
    for name, of in lightness(scale).items():
        if tones.intersection(of):
            found.append(Group(LIGHTNESS, f"{name} ({', '.join(of)})", tones=of))
    return found


def mask(group: Group, images: Sequence[Asked]) -> Bools:
    """Which images are of a group; shape (images,)."""
    return np.array([not group.tones or image.tone in group.tones for image in images])


def league(
    matched: Matched,
    of: Sequence[Group],
    scores: Sequence[ImageScores],
    fidelity: Sequence[Sequence[Measurement]],
    price: float | None,
) -> League:
    """Every measure of every group and generator.

    Args:
        matched: The generators and their images.
        of: The groups.
        scores: What was measured of each image, generator by generator.
        fidelity: What was measured of groups of images, likewise; nothing where there are no real images.
        price: What an hour of one device costs; ``None`` where nobody said.
    """
    names, rows = tuple(one.name for one in matched.generators), list[Row]()
    for group in of:
        chosen = mask(group, matched.images)
        for generator, scored, measured in zip(matched.generators, scores, fidelity, strict=True):
            found = {name: _of_images(name, scored, chosen) for name in OF_IMAGES}
            found |= {row.measure: _of_set(row.generated, row.n) for row in _of_group(measured, group)}
            found |= _costs(generator, found["kept"], price)
            rows += (Row(group.name, generator.name, name, one) for name, one in found.items())
        yardstick = _of_group(fidelity[0], group)
        rows += (Row(group.name, REAL, row.measure, _of_set(row.real, row.real_n)) for row in yardstick)
    return League(tuple(group.name for group in of), names, tuple(rows))


def _of_images(name: str, scored: ImageScores, chosen: Bools) -> Estimate:
    """A share or a median of the images of a group of which it is known."""
    if name not in scored.columns:
        return Estimate(math.nan, note=scored.missing.get(name, "not measured"))
    values = scored.columns[name][chosen]
    known: Doubles = values[~np.isnan(values)]
    return intervals.median(known) if name == "tone_distance" else intervals.share(known > 0)


def _of_group(measured: Sequence[Measurement], group: Group) -> Iterator[Measurement]:
    """The measures of a group against real training images."""
    return (row for row in measured if row.group == group and row.reference == "train")


def _of_set(found: Measured, n: int) -> Estimate:
    return intervals.of_error(found.value, found.standard_error, n, found.note)


def _costs(generator: Generator, kept: Estimate, price: float | None) -> dict[str, Estimate]:
    """Time and cost an image, as receipts say; what a kept one costs has the interval of the share that is kept."""
    seconds, images = seconds_of(generator), generator.made
    found = {"seconds": Estimate(seconds / images, n=images)}
    if price is None:
        return found
    found["cost"] = Estimate(prices.cost(price, seconds, images).image, n=images)

    def of_kept(share: float) -> float:
        return prices.cost(price, seconds, images, kept=share or None).kept or math.nan

    if kept.known:
        ends = of_kept(kept.high), of_kept(kept.low) if kept.low > 0 else math.inf
        note = "" if kept.value else "none is kept"
        found["cost_kept"] = Estimate(of_kept(kept.value), *ends, kept.n, note, "of the share kept")
    else:
        found["cost_kept"] = Estimate(math.nan, note=kept.note)
    return found


def seconds_of(generator: Generator) -> float:
    """The seconds that a generator's images took one device, as the receipts of its work shards say."""
    return sum(shard.receipt.timing["seconds"] for shard in generator.finished)


def written(measure: str, found: Estimate | None, images: int = 0) -> str:
    """A value with its interval, and its n where that is not the number of images; a dash where there is none."""
    if found is None or not found.known:
        return "-"
    one = ALL_MEASURES[measure]

    def number(value: float) -> str:
        shown = value * one.factor
        if measure in COSTS:
            return "∞" if math.isinf(shown) else f"{shown:,.2f}" if shown >= 1 else f"{shown:#.3g}"
        return one.form.format(shown)

    ends = f" ({number(found.low)} to {number(found.high)})" if found.bounded else ""
    return number(found.value) + ends + (f", n = {found.n:,}" if images and found.n != images else "")


def to_csv(found: League) -> bytes:
    """The rows as CSV; an empty field is a value that there is not, and the note says why."""
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(_HEADER)
    for row in found.rows:
        one = row.found
        numbers = [_cell(one.value), _cell(one.low), _cell(one.high)]
        better = ALL_MEASURES[row.measure].better
        writer.writerow([row.group, row.generator, row.measure, *numbers, one.interval, one.n, better, one.note])
    return sink.getvalue().encode()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.9g}"
