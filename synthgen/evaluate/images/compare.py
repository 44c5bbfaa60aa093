"""Which images of a study look like which, by their signatures: by chance for each skin tone, or by similarity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.vision import near_duplicates
from synthgen.vision.near_duplicates import Calibration

if TYPE_CHECKING:
    from synthgen.core.types import Bools, Floats, Rows

_COMPARED = 1024  # signatures that are compared at a time
Count = Callable[[int], None]


@dataclass(frozen=True)
class Pictures:
    """Some images of a study.

    Attributes:
        names: What each is called, n of them.
        rows: Their signatures, shape (n, 1024).
        groups: The group of each one's skin tone; empty where that is unknown.
    """

    names: Sequence[str]
    rows: Floats
    groups: Sequence[str]


@dataclass(frozen=True)
class Alike:
    """What looks like what.

    Attributes:
        of_held: The synthetic images that look like a validation or test image.
        of_training: The training images that a synthetic image looks like, by its name; not the one it is made from.
        real: The real training images that look like a validation or test image.
    """

    of_held: tuple[str, ...]
    of_training: dict[str, tuple[str, ...]]
    real: tuple[str, ...]


def by_chance(held: Pictures, training: Pictures, made: Pictures, own: Sequence[str], count: Count) -> Alike:
    """What unrelated real images of the same skin tone look like one time in a hundred at the most.

    Real training images are held against those held out, and these against them: no two of them are of one group, so
    they show what chance brings, for each tone.

    Args:
        held: The validation and test images.
        training: The real training images.
        made: The synthetic images.
        own: The id of the real image that each of them is made from; empty for none.
        count: Told how many more images were compared.
    """
    import numpy as np

    def alike(queries: Pictures, matches: near_duplicates.Matches, calibration: Calibration) -> Bools:
        found: Bools = calibration.chances(matches, queries.groups) <= near_duplicates.CHANCE
        return found

    known, shown = near_duplicates.Matcher(held.rows), near_duplicates.Matcher(training.rows)
    real, back = _matched(training, known, None, count), _matched(held, shown, None, count)
    of_held, of_training = Calibration.fit(real, training.groups), Calibration.fit(back, held.groups)
    leaked = alike(made, _matched(made, known, None, count), of_held)
    seen = _matched(made, shown, _rows_of(own, training.names), count)
    repeated = alike(made, seen, of_training)
    return Alike(
        tuple(made.names[row] for row in np.flatnonzero(leaked.any(1)).tolist()),
        {
            made.names[row]: tuple(sorted(training.names[one] for one in seen.index[row][repeated[row]]))
            for row in np.flatnonzero(repeated.any(1)).tolist()
        },
        tuple(training.names[row] for row in np.flatnonzero(alike(training, real, of_held).any(1)).tolist()),
    )


def by_similarity(
    held: Pictures, training: Pictures, made: Pictures, own: Sequence[str], count: Count, *, threshold: float
) -> Alike:
    """What has at least that similarity, by the search that ``near_copy`` of ``curate`` makes; arguments as above."""
    import numpy as np

    def alike(queries: Pictures, references: Pictures, exclude: Rows | None = None) -> Rows:
        """The row of the reference that each query looks like; -1 for none."""
        found, ready = [np.empty(0, np.int64)], near_duplicates.References(references.rows)
        for start in range(0, len(queries.rows), _COMPARED):
            part = slice(start, start + _COMPARED)
            nearest = ready.nearest(queries.rows[part], exclude=None if exclude is None else exclude[part])
            found.append(np.where(nearest.similarity >= threshold, nearest.index, -1))
            count(len(nearest.index))
        return np.concatenate(found)

    leaked, repeated = alike(made, held), alike(made, training, _rows_of(own, training.names))
    real = alike(training, held)
    return Alike(
        tuple(made.names[row] for row in np.flatnonzero(leaked >= 0).tolist()),
        {made.names[row]: (training.names[int(repeated[row])],) for row in np.flatnonzero(repeated >= 0).tolist()},
        tuple(training.names[row] for row in np.flatnonzero(real >= 0).tolist()),
    )


def _matched(
    queries: Pictures, references: near_duplicates.Matcher, exclude: Rows | None, count: Count
) -> near_duplicates.Matches:
    import numpy as np

    similarity = [np.empty((0, near_duplicates.FOUND), np.float32)]
    index = [np.empty((0, near_duplicates.FOUND), np.int64)]
    for start in range(0, len(queries.rows), _COMPARED):
        part = slice(start, start + _COMPARED)
        found = references.match(queries.rows[part], exclude=None if exclude is None else exclude[part])
        similarity.append(found.similarity)
        index.append(found.index)
        count(len(found.index))
    return near_duplicates.Matches(np.concatenate(similarity), np.concatenate(index))


def _rows_of(names: Sequence[str], known: Sequence[str]) -> Rows:
    """The row of each name among those that are known; -1 where it is none of them."""
    import numpy as np

    places = {name: place for place, name in enumerate(known)}
    return np.array([places.get(name, -1) for name in names], np.int64)
