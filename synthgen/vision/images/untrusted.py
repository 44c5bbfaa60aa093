"""Decoded pixels of an image file that nobody has checked: 8-bit sRGB the right way up, or one short reason why not.

Read are JPEG (also a phone's MPO), PNG, WebP, TIFF, BMP and GIF; no other decoder of Pillow's ever runs. Of an
animation or of several pages the first counts, as for every viewer: later pages of a TIFF or MPO are thumbnails, depth
maps and the like more often than photographs, and a row of a dataset means one picture.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from synthgen.errors import DamagedError, one_line
from synthgen.vision.images import colour_profile, file_signatures, jpeg_truncation
from synthgen.vision.images.in_flight import Room

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from synthgen.core.types import Pixels

    Mask = npt.NDArray[np.bool_]

Fit = Literal["crop", "stretch", "pad"]
MEGAPIXELS = 100
SMALLEST = 8

_ROOM = Room(MEGAPIXELS * 1_000_000)
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
_ORIENTATION = 0x0112
_HALF = 127
_REMARKS: Any = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def open_photograph(content: bytes) -> Pixels:
    """Decode a photograph to uint8 sRGB of shape (height, width, 3), turned as its EXIF says.

    16-bit values are scaled, never clipped. Colours go from the file's ICC profile to sRGB; one that is broken is
    ignored. What is transparent becomes white, as on the page or slide that such a picture was cut out for.

    Raises:
        DamagedError: It can't be had whole: the reason in a few words.
    """
    import numpy as np
    from PIL import Image

    with _reasons(content), _decoded(content) as decoded:
        image, orientation = decoded
        profile = image.info.get("icc_profile")
        image, alpha = colour_profile.eight_bit(image), None
        if _transparent(image):
            image = image.convert("RGBA")
            alpha = image.getchannel("A")
        image = colour_profile.convert(image, profile)
        if alpha is not None:
            image = Image.composite(image, Image.new("RGB", image.size, (255, 255, 255)), alpha)
        return np.array(_upright(image, orientation))


def open_mask(content: bytes) -> Mask:
    """Decode a mask to bool of shape (height, width): true where it is set, turned as its EXIF says.

    Where any of it is transparent, its opacity is the mask. Otherwise a pixel is set where its brightest channel is
    above half, so white and every full colour are; and a mask whose largest value is 1 is one of zeros and ones.

    Raises:
        DamagedError: It can't be had whole: the reason in a few words.
    """
    import numpy as np

    with _reasons(content), _decoded(content) as decoded:
        image, orientation = decoded
        if image.mode in ("L", *colour_profile.DEPTHS) and np.asarray(image).max() == 1:
            return np.asarray(np.asarray(_upright(image, orientation)) == 1)
        image = colour_profile.eight_bit(image)
        image = _upright(image.convert("RGBA" if _transparent(image) else "RGB"), orientation)
        channels = np.asarray(image)
        if image.mode == "RGBA" and int(channels[..., 3].min()) < 255:
            return np.array(channels[..., 3] > _HALF)
        return np.array(channels[..., :3].max(axis=-1) > _HALF)


def fit(pixels: Pixels, height: int, width: int, how: Fit) -> Pixels:
    """A photograph in another size, by Lanczos; the same pixels for the same arguments.

    Args:
        pixels: uint8 RGB, shape (height, width, 3).
        height: Of the result, in pixels.
        width: Of the result, in pixels.
        how: ``crop`` keeps the middle, ``stretch`` changes the proportions, ``pad`` puts black on two sides.
    """
    import numpy as np
    from PIL import Image

    return np.array(_fitted(Image.fromarray(pixels), height, width, how, Image.Resampling.LANCZOS))


def fit_mask(mask: Mask, height: int, width: int, how: Fit) -> Mask:
    """A mask in another size, by nearest neighbour; lies on a photograph of its size as before. Padding is not set."""
    import numpy as np
    from PIL import Image

    image = Image.fromarray(mask.astype(np.uint8))
    return np.array(_fitted(image, height, width, how, Image.Resampling.NEAREST)).astype(np.bool_)


@contextmanager
def _decoded(content: bytes) -> Iterator[tuple[Image.Image, int]]:
    """The first picture, decoded, and its orientation, 1 to 8; nothing is decoded before its size is known.

    Others wait while it is worked on, as far as all together have more pixels than the largest.
    """
    from PIL import Image

    image = Image.open(io.BytesIO(content), formats=_FORMATS)
    _check_size(image.width * image.height, image.size)
    with _ROOM.held(image.width * image.height):
        image.load()
        if image.format in ("JPEG", "MPO") and jpeg_truncation.is_cut(image, content):
            raise DamagedError("truncated")
        yield image, _orientation(image)


@contextmanager
def _reasons(content: bytes) -> Iterator[None]:
    """Turn whatever is raised on bytes that are no whole picture into one short reason."""
    from PIL import Image, UnidentifiedImageError

    _hush()
    if not content:
        raise DamagedError("empty file")
    try:
        yield
    except Image.DecompressionBombError as error:
        found = re.search(r"\((\d+) pixels\)", str(error))
        _check_size(int(found[1]) if found else 0, (SMALLEST, SMALLEST))
        raise DamagedError("more pixels than it can have") from None
    except UnidentifiedImageError:
        raise DamagedError(file_signatures.refusal(content)) from None
    except colour_profile.FAULTS as error:
        raise DamagedError(_broken(error)) from None


def _hush() -> None:
    """Keep Pillow's remarks on odd files from stderr. Not by catch_warnings, which threads can't use side by side."""
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    if _REMARKS not in warnings.filters:
        warnings.filterwarnings("ignore", module=_REMARKS[3].pattern)


def _check_size(pixels: int, size: tuple[int, int]) -> None:
    if pixels > MEGAPIXELS * 1_000_000:
        raise DamagedError(f"{pixels / 1e6:,.0f} megapixels, more than {MEGAPIXELS}")
    if min(size) < SMALLEST:
        raise DamagedError(f"{size[0]} x {size[1]} pixels, smaller than {SMALLEST} x {SMALLEST}")


def _broken(error: Exception) -> str:
    """What went wrong in decoding, in a few words."""
    text = one_line(error)
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if re.search(r"truncated|not enough image data", text, re.IGNORECASE):
        return "truncated"
    return f"damaged: {text or type(error).__name__}"[:90]


def _orientation(image: Image.Image) -> int:
    """Which way up, by EXIF; a TIFF has turned itself when it was loaded, and broken EXIF says nothing."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except colour_profile.FAULTS:
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    from PIL.Image import Transpose

    turns = (None, Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE,
             Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)  # fmt: skip
    turn = turns[orientation - 1] if 1 <= orientation <= 8 else None
    return image if turn is None else image.transpose(turn)


def _transparent(image: Image.Image) -> bool:
    return image.has_transparency_data or image.mode in ("RGBa", "La")


def _fitted(image: Image.Image, height: int, width: int, how: Fit, by: Image.Resampling) -> Image.Image:
    from PIL import Image, ImageOps

    match how:
        case "crop":
            return ImageOps.fit(image, (width, height), by)
        case "stretch":
            return image.resize((width, height), by)
        case "pad":
            scale = min(width / image.width, height / image.height)
            size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
            whole = Image.new(image.mode, (width, height))
            whole.paste(image.resize(size, by), ((width - size[0]) // 2, (height - size[1]) // 2))
            return whole
