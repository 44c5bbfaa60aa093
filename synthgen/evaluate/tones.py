"""The groups that skin tones fall in: light, medium and dark."""

import numpy as np
from numpy.typing import NDArray

from synthgen import skin_tones

LIGHT, DARK = "light", "dark"


def by_group(scale: str, tones: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Which of N images each tone group has, light first; only groups that have any, and none without a scale."""
    groups = {name: np.isin(tones, values) for name, values in skin_tones.GROUPS.get(scale, {}).items()}
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
    values = skin_tones.GROUPS.get(scale, {}).get(group, ())
    names = [skin_tones.name(scale, value) for value in values]
    return names[0] if len(names) == 1 else "-".join((names[0], names[-1])) if names else ""
