"""What a run makes beyond its plan, ``top_up.json``: round after round, so many more images of some cells.

A round is added before anything of it is made and never changes again, so that whoever reads the run plans the same.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from synthgen.core import atomic
from synthgen.errors import InputError

FILE = "top_up.json"
_FORMAT = 1
Cell = tuple[str, int]
Round = Mapping[str, Mapping[Cell, int]]
"""How many more images of each label and tone an entry makes, by its name."""


def read(root: Path) -> tuple[Round, ...]:
    """The rounds of a run, in order; none where it was never topped up.

    Raises:
        InputError: The file is not a run's.
    """
    path = root / FILE
    if not path.exists():
        return ()
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            raise ValueError("written by another version of synthgen")
        return parse(document["rounds"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a run's file: {error}") from None


def add(root: Path, more: Round, after: Sequence[Round]) -> None:
    """Add a round to a run, durably, where its rounds are those that it follows from; the run is locked meanwhile.

    A run that has more of them by now got this one from another process: it is a pure function of those before it.

    Args:
        root: The run's folder.
        more: The round.
        after: The rounds that it follows from.
    """
    held = read(root)
    if len(held) <= len(after):
        atomic.write(root / FILE, to_json([*held, more]))


def to_json(rounds: Iterable[Round]) -> bytes:
    """The file of some rounds; the same rounds give the same bytes."""
    return json.dumps({"format": _FORMAT, "rounds": plain(rounds)}, indent=1).encode()


def plain(rounds: Iterable[Round]) -> list[dict[str, list[list[Any]]]]:
    """Rounds as plain values, for JSON."""
    return [
        {entry: [[label, tone, count] for (label, tone), count in cells.items()] for entry, cells in one.items()}
        for one in rounds
    ]


def parse(rounds: Iterable[Mapping[str, Iterable[Any]]]) -> tuple[Round, ...]:
    """Rounds from plain values.

    Raises:
        ValueError: They are none.
    """
    found = []
    for one in rounds:
        cells = {entry: {(label, tone): count for label, tone, count in rows} for entry, rows in one.items()}
        numbers = [number for row in cells.values() for (_, tone), count in row.items() for number in (tone, count)]
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("counts and tones are whole numbers")
        found.append(cells)
    return tuple(found)
