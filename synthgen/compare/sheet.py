"""The picture sheet: a row a prompt and seed, a column a generator."""

from __future__ import annotations

import json
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.core.hashing import stable_hash
from synthgen.curate.fidelity.groups import lightness
from synthgen.errors import DamagedError
from synthgen.vision.images import codec, untrusted
from synthgen.vision.picture_sheet import SOFT, PictureSheet, extent

if TYPE_CHECKING:
    from synthgen.compare.matching import Asked, Generator, Matched
    from synthgen.core.types import Pixels

_SIDE, _GAP, _MARGIN, _WORDS = 128, 6, 16, 300  # pixels: of a picture, between two, around, of the words beside them
_TITLE, _TEXT, _NOTE = 16, 14, 12
_SIDES = (("light", "dark", "medium", ""), ("dark", "light", "medium", ""))  # turns of the first label, the second, ...
_FOLD, _MOST_LINES = 46, 4  # characters of a prompt before it is folded, and lines of it that are shown


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of the sheet: what was asked for, and what each generator made of it.

    Attributes:
        image: What was asked for.
        prompt: The prompt, as the first generator has it.
        seed: The seed.
        pictures: uint8 RGB of each generator.
    """

    image: Asked
    prompt: str
    seed: int
    pictures: tuple[Pixels, ...]


def rows(matched: Matched, count: int) -> list[SheetRow]:
    """Some of the compared images, chosen by a hash of their keys, light and dark skin of every label in turn.

    Raises:
        DamagedError: A shard can't be read.
    """
    chosen = choose(matched.images, matched.scale, count)
    keys = frozenset(image.key for image in chosen)
    found = [dict(_read(generator, keys)) for generator in matched.generators]
    return [
        SheetRow(
            image,
            str(found[0][image.key][0].get("prompt", "")),
            int(found[0][image.key][0].get("seed", 0)),
            tuple(made[image.key][1] for made in found),
        )
        for image in chosen
    ]


def choose(images: Sequence[Asked], scale: str, count: int) -> list[Asked]:
    """So many images: one of each label, then another one of each, light and dark skin in turn before medium.

    They come in the order of labels, and of each from light to dark.
    """
    tones = [tone for of in lightness(scale).values() for tone in of]
    side_of = {tone: name for name, of in lightness(scale).items() for tone in of}
    labels = list(dict.fromkeys(image.label for image in images))
    cells: dict[tuple[str, str], list[Asked]] = defaultdict(list)
    for image in sorted(images, key=lambda one: stable_hash(one.key, size=16)):
        cells[image.label, side_of.get(image.tone, "")].append(image)
    turns = [
        (nth, turn, labels.index(label), image)
        for (label, side), cell in cells.items()
        for turn in (_SIDES[labels.index(label) % 2].index(side),)
        for nth, image in enumerate(cell)
    ]
    chosen = [image for *_, image in sorted(turns, key=lambda one: one[:3])[:count]]
    rank = {tone: place for place, tone in enumerate(tones)}
    return sorted(chosen, key=lambda one: (labels.index(one.label), rank.get(one.tone, len(rank)), one.key))


def _read(generator: Generator, keys: frozenset[str]) -> Iterator[tuple[str, tuple[Mapping[str, Any], Pixels]]]:
    """The record and the pixels of some images."""
    for shard in (one.finished for one in generator.shards):
        if keys.isdisjoint(one.key for one in shard.samples):
            continue
        shard.check()
        for stored in shard.read():
            if stored.key in keys:
                try:
                    yield stored.key, (json.loads(stored.files["json"]), codec.decode(stored.image))
                except (ValueError, LookupError, StopIteration, DamagedError) as error:
                    raise DamagedError(f"{shard.tar}: {stored.key}: {error}; run `synthgen verify`") from None


def draw(of: Sequence[SheetRow], generators: Sequence[str]) -> bytes:
    """The sheet as a PNG; equal rows give equal bytes."""
    column = max([_SIDE, *(extent(_folded(name, 18), _TITLE)[0] for name in generators)]) + _GAP
    head = max(extent(_folded(name, 18), _TITLE)[1] for name in generators) + _GAP
    left, top = _MARGIN + _WORDS + _GAP, _MARGIN + head
    height = top + len(of) * (_SIDE + _GAP) - _GAP + _MARGIN
    sheet = PictureSheet(left + len(generators) * column - _GAP + _MARGIN, height)
    for place, name in enumerate(generators):
        sheet.write(_folded(name, 18), (left + place * column, _MARGIN), _TITLE)
    for number, row in enumerate(of):
        y = top + number * (_SIDE + _GAP)
        sheet.write(f"{row.image.label}, {row.image.tone}", (_MARGIN, y), _TEXT)
        sheet.write(row.image.key, (_MARGIN, y + _TEXT + _GAP), _NOTE, SOFT)
        lines = textwrap.wrap(row.prompt, _FOLD, max_lines=_MOST_LINES, placeholder=" …")
        sheet.write("\n".join(lines), (_MARGIN, y + _TEXT + _NOTE + 3 * _GAP), _NOTE, SOFT)
        for place, pixels in enumerate(row.pictures):
            sheet.paste(untrusted.fit(pixels, _SIDE, _SIDE, "pad"), (left + place * column, y))
    return sheet.png()


def _folded(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width)) or text
