"""A white sheet to put pictures and words on, and its PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

INK, SOFT, EMPTY = "#1a1a1a", "#606060", "#efefef"


class PictureSheet:
    """A sheet that is filled in pixels from its upper left corner; what is put on it twice gives the same bytes twice.

    Args:
        width: In pixels.
        height: In pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width, height), "white")
        self._pen = ImageDraw.Draw(self._image)

    def paste(self, picture: Image.Image | Pixels, at: tuple[int, int]) -> None:
        """Put a picture on it: one of Pillow's, or uint8 RGB of shape (height, width, 3)."""
        self._image.paste(picture if isinstance(picture, Image.Image) else Image.fromarray(picture), at)

    def write(self, text: str, at: tuple[int, int], size: int, ink: str = INK, anchor: str | None = None) -> None:
        """Write words on it, ``size`` pixels high; which point of them lies there is Pillow's ``anchor``."""
        self._pen.text(at, text, ink, font(size), anchor=anchor)

    def png(self, *, software: str = "", optimize: bool = False) -> bytes:
        """Its PNG; ``software`` is kept as the PNG's text of that name."""
        text, content = PngImagePlugin.PngInfo(), io.BytesIO()
        if software:
            text.add_text("Software", software)
        self._image.save(content, "PNG", pnginfo=text, optimize=optimize)
        return content.getvalue()


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, which is the same everywhere."""
    return ImageFont.load_default(size)


def extent(text: str, size: int) -> tuple[int, int]:
    """The width and height of a text in pixels, rounded up."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    _, _, right, bottom = draw.multiline_textbbox((0, 0), text, font(size))
    return int(right) + 1, int(bottom) + 1
