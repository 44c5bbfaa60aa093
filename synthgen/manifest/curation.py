"""Checks what `curate` says: scorers that there are, their settings, and rules over columns that they have."""

from collections.abc import Mapping
from dataclasses import dataclass

from synthgen import rules
from synthgen.documents import near, validate
from synthgen.doors import Doors, ScorerSettings
from synthgen.manifest.written import Curate
from synthgen.rules import Rule


@dataclass(frozen=True, slots=True)
class Curation:
    """What `curate` asks for, checked.

    Attributes:
        scorers: The settings of each scorer, by its name.
        rules: What an image has to keep, in order.
        quota: Accepted images that are wanted of each label and skin tone; ``None`` for no number.
        parity: The least ratio of the shares kept between tones; ``None`` where it is only shown.
    """

    scorers: Mapping[str, ScorerSettings]
    rules: tuple[Rule, ...]
    quota: int | None = None
    parity: float | None = None


def check(raw: object, written: Curate | None, doors: Doors) -> tuple[Curation | None, list[str]]:
    """Check it; returns ``None`` where there is none or where something is at fault, and every fault.

    Args:
        raw: The block as parsed, whose parts are looked at though another part is at fault.
        written: The block, where its types are right.
        doors: The scorers there are.
    """
    if not isinstance(raw, dict):
        return None, []
    scorers, faults = raw.get("scorers"), list[str]()
    settings, columns = dict[str, ScorerSettings](), dict[str, tuple[str, ...]]()
    for name, given in scorers.items() if isinstance(scorers, dict) else ():
        if name not in doors.scorers.names():
            faults.append(f"curate.scorers.{name}: no scorer `{name}`; {near(name, doors.scorers.names())}")
            continue
        module = doors.scorers.module(name)
        columns[name] = tuple(module.COLUMNS)
        found, wrong = validate(module.Settings, given, f"curate.scorers.{name}")
        faults += wrong if isinstance(given, dict) else []  # that it is no mapping is said already
        if found is not None:
            settings[name] = found
    parsed, wrong = _rules(raw.get("keep"), columns)
    faults += wrong
    if written is None or faults:
        return None, faults
    return Curation(settings, parsed, written.quota, written.parity), []


def _rules(keep: object, columns: Mapping[str, tuple[str, ...]]) -> tuple[tuple[Rule, ...], list[str]]:
    parsed, faults = list[Rule](), list[str]()
    for number, text in enumerate(keep if isinstance(keep, list) else ()):
        if not isinstance(text, str) or not text:
            continue  # said already, by its type
        try:
            parsed.append(rules.parse(text, columns))
        except ValueError as error:
            faults.append(f"curate.keep[{number}]: {error}")
    return tuple(parsed), faults
