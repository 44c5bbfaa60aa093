"""The skin-tone scales a manifest may use, and how each writes its values.

``fitzpatrick``: the six sun-reaction types of T. B. Fitzpatrick (Arch Dermatol 1988, 124:869), written I to VI.
``fitzpatrick-groups``: pairs of them, as in Stanford DDI: 12, 34, 56.
``monk``: the ten-step Monk Skin Tone scale (E. Monk, 2019), 1 to 10.
"""

from collections.abc import Iterable
from typing import Literal

Scale = Literal["fitzpatrick", "fitzpatrick-groups", "monk"]

UNKNOWN = "unknown"

NAMES: dict[str, dict[int, str]] = {
    "fitzpatrick": dict(enumerate(("I", "II", "III", "IV", "V", "VI"), start=1)),
    "fitzpatrick-groups": {12: "12", 34: "34", 56: "56"},
    "monk": {value: str(value) for value in range(1, 11)},
}

# Fitzpatrick's pairs are Stanford DDI's groups 12, 34 and 56. Monk's ten steps: 1-4 light, 5-7 medium, 8-10 dark
# (C. Schumann et al., NeurIPS 2023, arXiv 2305.09073).
GROUPS: dict[str, dict[str, tuple[int, ...]]] = {
    "fitzpatrick": {"light": (1, 2), "medium": (3, 4), "dark": (5, 6)},
    "fitzpatrick-groups": {"light": (12,), "medium": (34,), "dark": (56,)},
    "monk": {"light": (1, 2, 3, 4), "medium": (5, 6, 7), "dark": (8, 9, 10)},
}


def name(scale: str, value: int) -> str:
    """How a record writes a value: ``V`` for Fitzpatrick 5, ``56`` for a group, ``7`` for Monk 7, ``unknown`` for 0."""
    return NAMES[scale][value] if value else UNKNOWN


def in_order(scale: str, names: Iterable[str]) -> list[str]:
    """Different tones as records write them: in their scale's order, then what is not on it, unknown ones last."""
    on_scale = list(NAMES[scale].values())
    place = {tone: number for number, tone in enumerate(on_scale)}
    return sorted(set(names), key=lambda tone: (tone == UNKNOWN, place.get(tone, len(place)), tone))


def fitzpatrick(scale: str, value: int) -> int:
    """The Fitzpatrick type 1 to 6, or 0 where the scale does not say it."""
    return value if scale == "fitzpatrick" else 0
