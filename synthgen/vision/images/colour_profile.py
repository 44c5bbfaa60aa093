"""Images of any depth and colour space as 8-bit sRGB, which is what models see.

Colours are converted by Pillow's ImageCms (LittleCMS). By hand is only what Pillow does wrong or not at all: 16 bits a
channel, which ``convert`` clips, white at zero with that depth, and profiles that do not fit their image.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

from synthgen.errors import DamagedError

if TYPE_CHECKING:
    from PIL import Image, ImageCms

# Whatever Pillow raises on bytes that somebody spoilt on purpose.
FAULTS = (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError,
          MemoryError, RuntimeError, AssertionError, struct.error, zlib.error)  # fmt: skip
DEPTHS = ("I;16", "I;16B", "I;16L", "I;16N")

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_BITS, _PHOTOMETRIC = 258, 262


def eight_bit(image: Image.Image) -> Image.Image:
    """The picture with 8 bits a channel; raises DamagedError where no range is known."""
    import numpy as np
    from PIL import Image

    if image.mode == "F":
        raise DamagedError("floating-point values without a known range; save it with 8 or 16 bits")
    if image.mode == "I":
        raise DamagedError("32-bit or signed values without a known range; save it with 8 or 16 bits")
    if image.mode not in DEPTHS:
        return image
    tags = getattr(image, "tag_v2", {})
    largest = 4095 if tags.get(_BITS) == (12,) else 65535
    values = np.asarray(image).astype(np.uint32).clip(0, largest)
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero; Pillow turns this round with 8 bits only
        values = largest - values
    return Image.fromarray(((values * 255 + largest // 2) // largest).astype(np.uint8))


def convert(image: Image.Image, profile: object) -> Image.Image:
    """The picture in sRGB; by its profile where that is one for such a picture, and as Pillow does it otherwise."""
    from PIL import ImageCms

    if image.mode == "LAB":
        raise DamagedError("colours as CIELAB; convert it to JPEG or PNG")
    if image.mode not in _SPACES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    if isinstance(profile, bytes) and profile:
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            named_srgb = ImageCms.getProfileDescription(given).lstrip().startswith("sRGB")
            if given.profile.xcolor_space.strip() == _SPACES[image.mode] and not named_srgb:
                image = _converted(image, given)
        except (ImageCms.PyCMSError, *FAULTS):
            pass
    return image if image.mode == "RGB" else image.convert("RGB")


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """The picture from its profile to sRGB; by perceptual intent, which keeps skin that is out of sRGB apart."""
    from PIL import ImageCms

    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return converted or image  # None would mean in place, which is not asked for
