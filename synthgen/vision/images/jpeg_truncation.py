"""Whether a JPEG lacks its end, which decoders fill up with grey.

Pillow overlooks it: libjpeg calls it a warning, and Pillow does not pass warnings on. Neither does any other decoder
that is a dependency; the check belongs into Pillow.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_END = b"\xff\xd9"
_SCAN = 0xDA
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers that have no length
_GREY = 128  # what a block without data decodes to, in each channel
_BLOCK, _MARGIN = 8, 32


def is_cut(image: Image.Image, content: bytes) -> bool:
    """Whether a decoded JPEG lacks a part of its pixels: no end after its first scan, or an end that came too early.

    An end too early leaves mid-grey blocks. A picture may be grey there by itself, so it is decoded once more, up to
    its end mark: rows that are there have come out before the decoder asks for more bytes, rows that are not have not.
    """
    import numpy as np

    scan = _first_scan(content)
    if scan is None:
        return False  # the decoder made something of it, so it is not for us to judge
    end = content.find(_END, scan)  # pixels never hold these two bytes; a film appended by a telephone may
    if end < 0:
        return True
    if image.info.get("progressive") or image.height <= _MARGIN or not _ends_grey(image):
        return False
    row = (image.width - _BLOCK, image.height - _MARGIN - 1, image.width, image.height - _MARGIN)
    return not np.array_equal(np.asarray(_decoded_rows(content[:end]).crop(row)), np.asarray(image.crop(row)))


def _first_scan(content: bytes) -> int | None:
    """Where the first scan of pixels begins; ``None`` where the segments before it do not join on to each other."""
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == _SCAN:
            return place
        if marker == 0xFF:
            place += 1
        else:
            place += 2 if marker in _ALONE else 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return None


def _ends_grey(image: Image.Image) -> bool:
    import numpy as np

    corner = image.crop((image.width - _BLOCK, image.height - _BLOCK, image.width, image.height))
    return bool((np.asarray(corner) == _GREY).all())


def _decoded_rows(content: bytes) -> Image.Image:
    """As much of a picture as comes out before the end mark is read; the rest is zero."""
    from PIL import Image

    image = Image.open(io.BytesIO(content), formats=("JPEG",))
    with contextlib.suppress(OSError):
        image.load()
    image.tile = []  # no more is to be decoded
    return image
