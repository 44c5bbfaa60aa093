"""What of a run's images is kept, ``curate:`` of a manifest: what is measured, the rules, how many are wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from synthgen.core.plugins import PluginFolder
from synthgen.core.yaml_documents import Strict, near, sound, validate
from synthgen.errors import Fault, InputError, ManifestError
from synthgen.plan.manifest import rules
from synthgen.plan.manifest.rules import Rule
from synthgen.plan.manifest.settings import ScorerSettings

_Count = Annotated[int, Field(ge=1, le=10**9)]
_Text = Annotated[str, Field(min_length=1)]


class Best(Strict):
    """Of each cell, only so many: those with the highest, or the lowest, of a column."""

    per_cell: _Count
    by: _Text
    order: Literal["highest", "lowest"] = "highest"


class Parity(Strict):
    """How much more often than light skin a filter may reject dark skin.

    Attributes:
        required: Whether it counts as a failure where a filter rejects it more often.
        max_ratio: Of the two rejection rates, dark to light; the whole 95 % interval must lie above it to be a failure.
    """

    required: bool = False
    max_ratio: Annotated[float, Field(ge=1, le=100)] = 1.0


class Curate(Strict):
    """What is measured of each image, and which are kept.

    Attributes:
        scorers: What is measured: each scorer's settings, by its name.
        keep: The rules that an image must keep, all of them.
        best: Of what keeps the rules, only the best of each cell.
        balance_skin_tones: Whether of each entry and label every tone keeps as many as the tone that has fewest.
        quota: How many accepted images each cell must have; what it lacks can be topped up.
        top_up_rounds: How many times more images are made for cells that lack some, at the most.
        parity: How much more often than light skin dark skin may be rejected.
    """

    scorers: Annotated[dict[_Text, dict[str, Any]], Field(min_length=1)]
    keep: Annotated[list[_Text], Field(max_length=30)] = []
    best: Best | None = None
    balance_skin_tones: bool = False
    quota: _Count | None = None
    top_up_rounds: Annotated[int, Field(ge=0, le=100)] = 5
    parity: Parity = Parity()


@dataclass(frozen=True, slots=True)
class Curation:
    """A ``curate:`` block, checked.

    Attributes:
        written: The block as written, typed.
        scorers: The settings of each scorer, by its name.
        rules: Each rule with its text, blanks in it evened out.
    """

    written: Curate
    scorers: Mapping[str, ScorerSettings]
    rules: tuple[tuple[str, Rule], ...]

    def faults(self, base: Path) -> list[Fault]:
        """What scorers name that is not there, seen from the manifest's folder."""
        return [
            fault.within(f"curate.scorers.{name}")
            for name, settings in self.scorers.items()
            for fault in settings.faults(name, base)
        ]

    @property
    def learns_labels(self) -> list[str]:
        """The scorers that learn from real images with their labels, those of one's own too."""
        return [name for name, settings in self.scorers.items() if settings.learns_labels]

    @property
    def columns(self) -> frozenset[str]:
        """Every column that judging reads, ``scorer.column`` each."""
        best = self.written.best
        found = frozenset[str]().union(*(rule.columns for _, rule in self.rules))
        return found | {best.by} if best else found


@dataclass(frozen=True, slots=True)
class _Measured:
    """The columns that a scorer gives: numbers, and texts."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]


# The columns of each scorer that the block names; ``None`` for one that is at fault itself, whose columns nobody knows.
_Columns = Mapping[str, _Measured | None]


def check(block: object, scorers: PluginFolder) -> tuple[Curation | None, list[Fault]]:
    """Check the block as parsed; returns it where it is sound, and what is wrong with it beside its types.

    Args:
        block: What stands under ``curate``.
        scorers: The scorers there are.
    """
    if not isinstance(block, dict):
        return None, []
    written, faults = validate(Curate, block)
    types = len(faults)  # the types' own faults are the document's to say
    found = sound(Curate, block)
    settings, columns, faults_of_scorers = _scorers(found.get("scorers", {}), scorers)
    faults += faults_of_scorers
    parsed = [
        _rule(f"curate.keep[{number}]", text, columns, faults) for number, text in enumerate(found.get("keep", []))
    ]
    best, quota = found.get("best"), found.get("quota")
    if best is not None:
        faults += _column_faults("curate.best.by", best.by, columns)
        if quota is not None and best.per_cell < quota:
            said = f"{quota} can't be reached; `best` keeps {best.per_cell} of a cell at the most"
            faults.append(Fault.at("curate.quota", said, "conflict"))
    if written is None or len(faults) > types:
        return None, faults[types:]
    return Curation(written, settings, tuple(one for one in parsed if one)), []


def _scorers(
    written: Mapping[str, Any], plugins: PluginFolder
) -> tuple[dict[str, ScorerSettings], _Columns, list[Fault]]:
    """The settings and columns of each scorer that there is, and what is wrong with the others."""
    settings, columns, faults = dict[str, ScorerSettings](), dict[str, _Measured | None](), list[Fault]()
    for name, given in ((plugins.named(one), written[one]) for one in written):
        try:
            module = plugins.chosen(name, given)
        except InputError as error:
            faults += [fault if fault.path else fault.within("curate.scorers") for fault in error.faults]
            columns[name] = None
            continue
        columns[name] = _Measured(tuple(module.COLUMNS), tuple(module.TEXTS))
        read, found = validate(module.Settings, given, f"curate.scorers.{name}")
        faults += found
        if read is not None:
            settings[name] = read
    return settings, columns, faults


def _rule(path: str, text: str, columns: _Columns, faults: list[Fault]) -> tuple[str, Rule] | None:
    try:
        rule = rules.parse(text)
    except ManifestError as error:
        faults += [Fault.at(path, fault, "invalid") for fault in error.faults]
        return None
    for column in sorted(rule.columns):
        faults += _column_faults(path, column, columns)
    return " ".join(text.split()), rule


def _column_faults(path: str, column: str, columns: _Columns) -> list[Fault]:
    scorer, _, name = column.partition(".")
    if scorer not in columns:
        return [Fault.at(path, f"no scorer `{scorer}` in `curate.scorers`; {near(scorer, columns)}", "not_found")]
    measured = columns[scorer]
    if measured is None or name in measured.numbers:
        return []
    if name in measured.texts:
        said = f"column `{name}` of scorer `{scorer}` is text, which can't be compared; {near(name, measured.numbers)}"
        return [Fault.at(path, said, "wrong_type")]
    said = f"scorer `{scorer}` has no column `{name}`; {near(name, measured.numbers)}"
    return [Fault.at(path, said, "not_found")]
