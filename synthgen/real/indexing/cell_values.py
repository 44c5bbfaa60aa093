"""What the cells of other people's tables mean: labels, skin tones and splits."""

import ast
import json
import math
import re
from collections.abc import Mapping
from functools import cache

from synthgen.plan import skin_tones
from synthgen.plan.manifest.settings import Split
from synthgen.real.sources import text

_LONGEST_LITERAL = 100_000
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}(\.0*)?")
_PREFIX = r"((%s)[\s_-]*)?(skin[\s_-]*)?((type|tone|scale)[\s_-]*)?(?=[0-9ivx])"
_PREFIXES = {
    scale: re.compile(_PREFIX % ("mst|monk" if scale == "monk" else "fst|fitzpatrick")) for scale in skin_tones.NAMES
}
_UNKNOWN = frozenset(("", "0", "-1", "nan", "na", "n/a", "none", "null", "unknown", "unk", "none_selected"))
_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_YES = frozenset({"yes", "y", "true", "on", "1", "1.0"})  # all that is known to say it; a blank cell does not


def label(value: object) -> str:
    """The one label of a cell: the largest of a mapping from labels to numbers, the first of a list, or the text.

    Mappings and lists may be written as JSON or as Python; of equally large ones the first counts.
    """
    held = _literal(value) if isinstance(value, str) else value
    if isinstance(held, dict) and all(isinstance(number, int | float | None) for number in held.values()):
        known = {name: number for name, number in held.items() if number is not None and not math.isnan(number)}
        return text(max(known, key=known.__getitem__)) if known else ""
    if isinstance(held, list | tuple):
        return text(held[0]) if held else ""
    return text(value)


def tone(scale: str, value: object) -> int | None:
    """The value on a scale that a cell means; 0 where it says that it is unknown, ``None`` where it means none.

    Roman and Arabic numbers, with what people put before them: ``3``, ``3.0``, ``III``, ``FST3``, ``Type III``. On the
    scale of pairs, a single type means its pair.
    """
    written = text(value).casefold()
    if _NUMBER.fullmatch(written):
        written = str(int(float(written)))
    if written in _UNKNOWN:
        return 0
    return _spellings(scale).get(_PREFIXES[scale].sub("", written, count=1))


def split(value: object) -> Split | None:
    """The split that a cell names; ``None`` where it names none."""
    return _SPLITS.get(text(value).casefold())


def number(written: str) -> str:
    """A whole number as it is written shortest, ``1`` of ``01`` and ``1.0``; empty for any other text."""
    return str(int(float(written))) if _NUMBER.fullmatch(written) else ""


def mapped(mapping: Mapping[str, int], value: object) -> int | None:
    """What a mapping from texts says of a cell; ``None`` where it says nothing."""
    return mapping.get(text(value), mapping.get(str(value).strip()))


@cache
def _spellings(scale: str) -> dict[str, int]:
    """The values of a scale by how they may be written, in lower case."""
    numbers = {str(value): value for value in skin_tones.NAMES[scale]}
    types = skin_tones.NAMES["fitzpatrick"]
    if scale == "fitzpatrick":
        return numbers | {roman.casefold(): value for value, roman in types.items()}
    if scale == "fitzpatrick-groups":
        for pair in skin_tones.NAMES[scale]:
            one, two = divmod(pair, 10)
            names = [str(one), str(two), f"{one}-{two}", types[one], types[two], f"{types[one]}-{types[two]}"]
            numbers |= {name.casefold(): pair for name in names}
    return numbers


def _literal(written: str) -> object:
    """The mapping or list that a cell holds as JSON or as Python; the text itself otherwise."""
    if not written.lstrip().startswith(("{", "[")) or len(written) > _LONGEST_LITERAL:
        return written
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(written.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return written


def agreed(value: object) -> bool:
    """Whether a value of a column of consent says yes, and nothing else."""
    return str(value).strip().casefold() in _YES
