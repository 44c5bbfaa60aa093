"""Images and their bytes: encoding with a statement of origin, decoding, comparing, and telling a blank one.

PSNR is two lines of numpy here and not scikit-image's, which is no dependency.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from synthgen.errors import DamagedError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Pixels

GENERATED = "trainedAlgorithmicMedia"
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"
EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp"}

_FORMATS = tuple(name.upper() for name in EXTENSIONS)  # no other decoder of Pillow's runs; one starts Ghostscript

_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" \
Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{source_type}"{fields}/>\
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
_FLAT = 8
_BLACK = 16


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What made an image, as IPTC's fields of 2025.1 say it; an empty one is left out.

    https://iptc.org/std/photometadata/specification/IPTC-PhotoMetadata

    Attributes:
        system: The model.
        version: Its revision.
        prompt: The prompt.
    """

    system: str = ""
    version: str = ""
    prompt: str = ""

    def attributes(self) -> str:
        """As attributes of XMP; characters that XML has no place for are left out."""
        named = {"AISystemUsed": self.system, "AISystemVersionUsed": self.version, "AIPromptInformation": self.prompt}
        texts = {name: "".join(one for one in text if one.isprintable()) for name, text in named.items()}
        return "".join(f" Iptc4xmpExt:{name}={quoteattr(text)}" for name, text in texts.items() if text)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How images are stored: ``jpeg`` at a quality without chroma subsampling, or ``png`` or ``webp`` without loss."""

    image_format: str = "jpeg"
    quality: int = 95

    @property
    def extension(self) -> str:
        """The file's extension, without the dot."""
        return EXTENSIONS[self.image_format]


def encode(pixels: Pixels, encoding: Encoding, source_type: str = GENERATED, made_by: MadeBy | None = None) -> bytes:
    """The bytes of an image file, with its IPTC digital source type in XMP, and nothing else unless it is asked for.

    The lossless settings are the fast ones: PNG at level 1, WebP at method 0.

    Args:
        pixels: uint8 RGB, shape (height, width, 3).
        encoding: The format.
        source_type: The last part of the IPTC NewsCode, see
            https://cv.iptc.org/newscodes/digitalsourcetype/
        made_by: What else the metadata say.
    """
    from PIL import Image, PngImagePlugin

    xmp = _XMP.format(source_type=source_type, fields=made_by.attributes() if made_by else "")
    image, file = Image.fromarray(pixels), io.BytesIO()
    options: dict[str, Any]
    match encoding.image_format:
        case "png":
            text = PngImagePlugin.PngInfo()
            text.add_itxt("XML:com.adobe.xmp", xmp)
            options = {"compress_level": 1, "pnginfo": text}
        case "webp":
            options = {"lossless": True, "method": 0, "quality": 0, "exact": True}
            options["xmp"] = xmp.encode()
        case _:
            options = {"quality": encoding.quality, "subsampling": 0, "xmp": xmp.encode()}
    image.save(file, format=encoding.image_format, **options)
    return file.getvalue()


def decode(content: bytes) -> Pixels:
    """The pixels of an image that synthgen wrote, uint8 RGB, shape (height, width, 3).

    Raises:
        DamagedError: The bytes are not a whole image.
    """
    import numpy as np
    from PIL import Image

    faults = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                return np.asarray(image.convert("RGB"))
    except faults as error:
        raise DamagedError(f"not a whole image: {error}") from None


def encode_mask(mask: npt.NDArray[np.bool_], label_id: int) -> bytes:
    """The label map of an image as a PNG of 8 bits a pixel: 0 outside its mask, the number of its class + 1 inside.

    As in ADE20K, where 0 is everything else; ``do_reduce_labels`` of transformers' image processors takes the 1 off.

    Args:
        mask: True inside, shape (height, width).
        label_id: The number of the class, from 0 to 254.
    """
    import numpy as np
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * np.uint8(label_id + 1)).save(file, format="png")
    return file.getvalue()


def decode_mask(content: bytes) -> npt.NDArray[np.uint8]:
    """The pixels of a label map, uint8, shape (height, width).

    Raises:
        DamagedError: The bytes are no whole label map.
    """
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DamagedError(f"not a whole label map: {error}") from None
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise DamagedError("not a label map of 8 bits a pixel")
    return pixels


def psnr(one: Pixels, other: Pixels) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 255; infinite where the images are equal.

    Raises:
        ValueError: The images differ in shape.
    """
    import numpy as np

    if one.shape != other.shape:
        raise ValueError(f"shapes differ: {one.shape} and {other.shape}")
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def blank(pixels: Pixels, extremes: Pixels | None = None) -> str:
    """``black`` or ``flat`` where an image shows nothing, otherwise empty.

    Black: no value above 16 of 255. Flat: within each channel, values differ by 8 at the most.

    Args:
        pixels: uint8 RGB, shape (height, width, 3).
        extremes: The lowest and the highest value of each channel, shape (2, 3), where they are known already.
    """
    low, high = _extremes(pixels) if extremes is None else extremes
    if int(high.max()) <= _BLACK:
        return "black"
    return "flat" if int((high.astype(int) - low.astype(int)).max()) <= _FLAT else ""


def _extremes(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """The lowest and the highest value of each channel; by rows first, a hundred times as fast as over both axes."""
    return pixels.min(axis=0).min(axis=0), pixels.max(axis=0).max(axis=0)
