"""The groups that skin tones fall in: light, medium and dark."""

import numpy as np
from numpy.typing import NDArray

from synthgen import skin_tones

# Fitzpatrick's pairs are Stanford DDI's groups 12, 34 and 56. Monk's ten steps: 1-4 light, 5-7 medium, 8-10 dark
# (C. Schumann et al., NeurIPS 2023, arXiv 2305.09073).
_GROUPS: dict[str, dict[str, tuple[int, ...]]] = {
    "fitzpatrick": {"light": (1, 2), "medium": (3, 4), "dark": (5, 6)},
    "fitzpatrick-groups": {"light": (12,), "medium": (34,), "dark": (56,)},
    "monk": {"light": (1, 2, 3, 4), "medium": (5, 6, 7), "dark": (8, 9, 10)},
}
LIGHT, DARK = "light", "dark"


def by_group(scale: str, tones: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Which of N images each tone group has, light first; only groups that have any, and none without a scale."""
    groups = {name: np.isin(tones, values) for name, values in _GROUPS.get(scale, {}).items()}
    return {name: members for name, members in groups.items() if members.any()}


def by_tone(scale: str, tones: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Which of N images each tone of the scale has, in its order; ``unknown`` last; only tones that have any."""
    if scale not in skin_tones.NAMES:
        return {}
    order = [*skin_tones.NAMES[scale], 0]
    masks = {skin_tones.name(scale, value): np.asarray(tones == value) for value in order}
    return {name: members for name, members in masks.items() if members.any()}


def of_group(scale: str, group: str) -> str:
    """The tones of a group as the scale writes them: ``I-II``; empty where the scale has no such group."""
    values = _GROUPS.get(scale, {}).get(group, ())
    names = [skin_tones.name(scale, value) for value in values]
    return names[0] if len(names) == 1 else "-".join((names[0], names[-1])) if names else ""
