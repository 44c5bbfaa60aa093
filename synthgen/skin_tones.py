"""The skin-tone scales a manifest may use, and how each writes its values.

``fitzpatrick``: the six sun-reaction types of T. B. Fitzpatrick (Arch Dermatol 1988, 124:869), written I to VI.
``fitzpatrick-groups``: pairs of them, as in Stanford DDI: 12, 34, 56.
``monk``: the ten-step Monk Skin Tone scale (E. Monk, 2019), 1 to 10.
"""

from typing import Literal

Scale = Literal["fitzpatrick", "fitzpatrick-groups", "monk"]

UNKNOWN = "unknown"

NAMES: dict[str, dict[int, str]] = {
    "fitzpatrick": dict(enumerate(("I", "II", "III", "IV", "V", "VI"), start=1)),
    "fitzpatrick-groups": {12: "12", 34: "34", 56: "56"},
    "monk": {value: str(value) for value in range(1, 11)},
}


def name(scale: str, value: int) -> str:
    """How a record writes a value: ``V`` for Fitzpatrick 5, ``56`` for a group, ``7`` for Monk 7, ``unknown`` for 0."""
    return NAMES[scale][value] if value else UNKNOWN


def fitzpatrick(scale: str, value: int) -> int:
    """The Fitzpatrick type 1 to 6, or 0 where the scale does not say it."""
    return value if scale == "fitzpatrick" else 0
