"""Writes the contact sheet: a PNG grid of images, rows by label and columns by skin tone.

Drawn by Pillow and not by ``torchvision.utils.make_grid`` or matplotlib: it has words beside its rows and columns, and
the same images give the same bytes.
"""

import io
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from PIL import Image, ImageOps

from synthgen.errors import DamagedError
from synthgen.vision.picture import Picture, labels_in_order, refuse_foreign, replace_own, tones_in_order
from synthgen.vision.picture_sheet import EMPTY, SOFT, PictureSheet, extent

_MARGIN, _GAP, _BETWEEN = 16, 2, 10
_TITLE, _TEXT, _NOTE = 24, 17, 14  # text sizes, in pixels
_FOLD = 20  # characters of a label before it is folded
_SOFTWARE = "synthgen preview"
_WARNING = "All images are synthetic; not for clinical use."


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where things lie, in pixels from the sheet's upper left corner."""

    labels: list[str]
    tones: list[str]
    scale: str
    cell: int
    left: int
    top: int
    column: int
    row: int

    @classmethod
    def of(cls, pictures: Sequence[Picture], per_cell: int, cell: int) -> Self:
        """A grid with room for the widest label and the widest tone."""
        labels, tones = labels_in_order(pictures), tones_in_order(pictures)
        scales = {str(picture.record["skin_tone_scale"]) for picture in pictures} - {""}
        scale = ", ".join(sorted(scales))
        folded = [extent(_folded(label), _TEXT) for label in labels]
        return cls(
            labels=labels,
            tones=tones,
            scale=scale,
            cell=cell,
            left=_MARGIN + max([width for width, _ in folded] + [extent(scale, _NOTE)[0]]) + _MARGIN,
            top=_MARGIN + _TITLE + _NOTE + _TEXT + 3 * _BETWEEN,
            column=max([per_cell * (cell + _GAP) - _GAP] + [extent(tone, _TEXT)[0] for tone in tones]),
            row=max([cell] + [height for _, height in folded]),
        )

    def corner(self, row: int, column: int, place: int = 0) -> tuple[int, int]:
        """The upper left corner of the picture at ``place`` within a cell."""
        x = self.left + column * (self.column + _BETWEEN) + place * (self.cell + _GAP)
        return x, self.top + row * (self.row + _BETWEEN)

    def canvas(self, title: str) -> PictureSheet:
        """A white sheet with room for the whole grid, the title and the warning."""
        right, bottom = self.corner(len(self.labels), len(self.tones))
        words = max(extent(title, _TITLE)[0], extent(_WARNING, _NOTE)[0]) + _MARGIN
        size = max(right - _BETWEEN, words) + _MARGIN, bottom - _BETWEEN + _MARGIN
        return PictureSheet(*size)


def write_contact_sheet(
    pictures: Sequence[Picture],
    out: Path,
    *,
    title: str,
    per_cell: int = 2,
    cell: int = 96,
    software: str = _SOFTWARE,
) -> None:
    """Write the first ``per_cell`` pictures by key of each label and skin tone, ``cell`` px wide.

    The same input gives the same bytes; a place without a picture is grey.

    Raises :class:`~synthgen.errors.InputError` where ``out`` is a file whose PNG text ``Software``
    isn't ``software``, and :class:`~synthgen.errors.DamagedError` where an image can't be decoded.
    """
    grid = _Grid.of(pictures, per_cell, cell)
    sheet = grid.canvas(title)
    _draw_words(sheet, grid, title)
    _paste_pictures(sheet, grid, pictures, per_cell)
    replace_own(out, sheet.png(software=software), lambda path: _software(path) == software)


def check_own(out: Path, software: str = _SOFTWARE) -> None:
    """Raises :class:`~synthgen.errors.InputError` where a file at ``out`` is not a contact sheet."""
    refuse_foreign(out, lambda path: _software(path) == software)


def _software(path: Path) -> str | None:
    """What a PNG's text says made it; nothing where it is no PNG."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            value = image.info.get("Software")
    except OSError:
        return None
    return None if value is None else str(value)


def _draw_words(sheet: PictureSheet, grid: _Grid, title: str) -> None:
    sheet.write(title, (_MARGIN, _MARGIN), _TITLE)
    sheet.write(_WARNING, (_MARGIN, _MARGIN + _TITLE + _BETWEEN), _NOTE, SOFT)
    baseline = grid.top - _BETWEEN
    sheet.write(grid.scale, (_MARGIN, baseline), _NOTE, SOFT, "ls")
    for column, tone in enumerate(grid.tones):
        left, _ = grid.corner(0, column)
        sheet.write(tone, (left, baseline), _TEXT, anchor="ls")
    for row, label in enumerate(grid.labels):
        middle = grid.corner(row, 0)[1] + grid.row // 2
        sheet.write(_folded(label), (_MARGIN, middle), _TEXT, anchor="lm")


def _paste_pictures(sheet: PictureSheet, grid: _Grid, pictures: Sequence[Picture], per_cell: int) -> None:
    by_cell: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda picture: picture.key):
        by_cell[str(picture.record["label"]), str(picture.record["skin_tone"])].append(picture)
    empty = Image.new("RGB", (grid.cell, grid.cell), EMPTY)
    for row, label in enumerate(grid.labels):
        for column, tone in enumerate(grid.tones):
            tiles = [_tile(picture, grid.cell) for picture in by_cell[label, tone][:per_cell]]
            for place, tile in enumerate(tiles + [empty] * (per_cell - len(tiles))):
                sheet.paste(tile, grid.corner(row, column, place))


def _tile(picture: Picture, side: int) -> Image.Image:
    try:
        with Image.open(io.BytesIO(picture.image), formats=["JPEG", "PNG", "WEBP"]) as image:
            return ImageOps.pad(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS, EMPTY)
    except OSError as error:
        raise DamagedError(f"{picture.key}: its image can't be decoded ({error}); run synthgen verify") from error


def _folded(label: str) -> str:
    return "\n".join(textwrap.wrap(label, _FOLD))
