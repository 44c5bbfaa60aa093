"""What `synthgen.vision.images.untrusted` makes of odd, broken and hostile files: `docs/odd-images.md`.

``python benchmarks/odd_images.py`` writes the table; tests/vision/images/test_untrusted.py checks each line of it.
The scene is four colours, one in each quarter, so that one that is turned or mirrored is found out.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

HEIGHT, WIDTH = 24, 32
QUARTERS = ((200, 40, 40), (40, 180, 60), (50, 60, 200), (224, 172, 140))  # top left, top right, bottom left, right
GREYS = (30, 90, 160, 230)
WHITE = (255, 255, 255)
# Where each EXIF orientation's file holds the quarters, so that the picture is upright once turned.
TURNS = (None, 0, 3, 1, 5, 2, 6, 4)
# From linear values to XYZ at D50, one row a colorant, as ICC profiles hold them.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


@dataclass(frozen=True)
class Case:
    """An odd file, and what is expected of it: the colours of the four quarters, or the words of a refusal."""

    file: str
    odd: str
    write: Callable[[], bytes]
    expected: tuple[tuple[int, ...], ...] | str
    tolerance: int = 0
    size: tuple[int, int] = (HEIGHT, WIDTH)

    def got(self, pixels: Any) -> tuple[tuple[int, ...], ...]:
        """The colours in the middle of the quarters."""
        rows, columns = (pixels.shape[0] // 4, -pixels.shape[0] // 4), (pixels.shape[1] // 4, -pixels.shape[1] // 4)
        return tuple(tuple(int(value) for value in pixels[row, column]) for row in rows for column in columns)


def scene(colours: Iterable[Any] = QUARTERS, dtype: Any = np.uint8, height: int = HEIGHT, width: int = WIDTH) -> Any:
    """Four values, one in each quarter."""
    values = np.asarray(list(colours), dtype)
    index = 2 * (np.arange(height) >= height // 2)[:, None] + (np.arange(width) >= width // 2)
    return values[index]


def picture(colours: Iterable[Any] = QUARTERS) -> Image.Image:
    """The scene as a picture of Pillow's: RGB, or greyscale of single values."""
    return Image.fromarray(scene(colours))


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """A picture as Pillow writes it."""
    file = io.BytesIO()
    image.save(file, format=image_format, **options)
    return file.getvalue()


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    """A picture as JPEG of high quality."""
    return saved(image or picture(), "JPEG", quality=98, subsampling=0, **options)


def noisy(image_format: str, **options: Any) -> bytes:
    """A picture with so much grain that its bytes are spread over the file."""
    grain = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    return saved(Image.fromarray(grain), image_format, **options)


def half(content: bytes) -> bytes:
    """The first half of a file."""
    return content[: len(content) // 2]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values: Any, depth: int, colour: int, *extra: bytes, width: int = 0, height: int = 0) -> bytes:
    """A PNG by hand: values of 16 bits are written high byte first."""
    rows = values.astype(">u2") if depth == 16 else values.astype(np.uint8)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width or values.shape[1], height or values.shape[0], depth, colour, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(values: Any, bits: int, photometric: int = 1, order: str = "<", **tags: int) -> bytes:
    """An uncompressed TIFF by hand; ``tags``: ``orientation``, ``sample_format``, ``extra``, ``width``, ``height``."""
    height, width, samples = (*values.shape, 1)[:3]
    data = values.tobytes()
    numbers = {256: (tags.get("width", width),), 257: (tags.get("height", height),), 258: (bits,) * samples}
    numbers |= {259: (1,), 262: (photometric,), 273: (0,), 274: (tags.get("orientation", 1),), 277: (samples,)}
    numbers |= {278: (tags.get("height", height),), 279: (len(data),), 339: (tags.get("sample_format", 1),) * samples}
    if "extra" in tags:
        numbers[338] = (tags["extra"],)
    place = 8 + 2 + 12 * len(numbers) + 4
    numbers[273] = (place + sum(4 * len(value) for value in numbers.values() if len(value) > 1),)
    entries, beside = b"", b""
    for tag, value in sorted(numbers.items()):
        packed = struct.pack(f"{order}{len(value)}I", *value)
        entries += struct.pack(f"{order}HHI", tag, 4, len(value))
        entries += packed if len(value) == 1 else struct.pack(f"{order}I", place + len(beside))
        beside += packed if len(value) > 1 else b""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(numbers))
    return head + entries + bytes(4) + beside + data


def profile(colorants: tuple[tuple[float, ...], ...], gamma: float, space: bytes = b"RGB ") -> bytes:
    """A small ICC profile, version 2: colorants and a gamma, or for ``GRAY`` the gamma alone."""
    curve = b"curv" + struct.pack(">IIHH", 0, 1, round(gamma * 256), 0)
    point = [b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in value)) for value in colorants]
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    name = b"desc" + struct.pack(">II", 0, 5) + b"test\0" + bytes(78 + 1)
    tags = [(b"desc", name), (b"cprt", b"text\0\0\0\0none\0\0\0\0"), (b"wtpt", white)]
    if space == b"RGB ":
        tags += zip((b"rXYZ", b"gXYZ", b"bXYZ"), point, strict=True)
    tags += [(kind, curve) for kind in ((b"rTRC", b"gTRC", b"bTRC") if space == b"RGB " else (b"kTRC",))]
    table, data, place = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for kind, value in tags:
        table += kind + struct.pack(">II", place + len(data), len(value))
        data += value
    header = struct.pack(">I4sI4s4s4s", place + len(data), b"\0" * 4, 0x02100000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + data


def own_profile() -> bytes:
    """The sRGB profile of Pillow's."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def in_srgb(colours: Iterable[tuple[int, ...]], colorants: tuple[tuple[float, ...], ...], gamma: float) -> Any:
    """What colours of a profile are in sRGB, by the formulas, cut off where sRGB ends."""
    linear = (np.array(list(colours)) / 255) ** gamma @ np.array(colorants) @ np.linalg.inv(np.array(SRGB))
    linear = linear.clip(0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(tuple(int(value) for value in colour) for colour in (255 * curved).round())


def grey(values: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """Grey values as colours."""
    return tuple((value,) * 3 for value in values)


def with_alpha(alphas: Iterable[int]) -> Image.Image:
    """The scene with an opacity a quarter."""
    image = picture()
    image.putalpha(picture(alphas))
    return image


def over_white(alphas: Iterable[int], colours: Iterable[tuple[int, ...]] = QUARTERS) -> tuple[tuple[int, ...], ...]:
    """The scene's colours on white paper."""
    pairs = zip(colours, alphas, strict=True)
    return tuple(tuple(round((value * a + 255 * (255 - a)) / 255) for value in colour) for colour, a in pairs)


def oriented(number: int, image_format: str = "JPEG") -> bytes:
    """The scene as a file that has to be turned to be upright."""
    turn = TURNS[number - 1] if 1 <= number <= 8 else None
    image = picture() if turn is None else picture().transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = number
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(image_format, {})
    return saved(image, image_format, exif=exif, **options)


def several(image_format: str, **options: Any) -> bytes:
    """A file of two pictures, of which the first is the scene."""
    return saved(picture(), image_format, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))], **options)


def grey_below() -> Image.Image:
    """A picture that is mid-grey in its lower half, as decoders fill up one that is cut."""
    return Image.fromarray(scene(GREY_BELOW, height=96, width=96))


def without_end() -> bytes:
    """A JPEG cut in its middle whose end mark was put on again, which decoders fill up with grey."""
    return half(noisy("JPEG", quality=95)) + b"\xff\xd9"


def zeros_from_the_middle() -> bytes:
    """A download that stopped in its middle, in a file of the full size."""
    content = noisy("JPEG", quality=95)
    return half(content).ljust(len(content), b"\0")


def spoilt_png() -> bytes:
    """A PNG with other bytes in the middle of its pixels."""
    content = noisy("PNG")
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


def transparent_gif() -> bytes:
    """A GIF whose first quarter is transparent."""
    return saved(picture().quantize(8), "GIF", transparency=int(np.asarray(picture().quantize(8))[0, 0]))


def huge_gif() -> bytes:
    """A GIF of two colours that claims to be as large as a GIF can be."""
    size = b"\xff" * 4
    return b"GIF89a" + size + b"\x80\0\0" + bytes(6) + b",\0\0\0\0" + size + b"\0\2\2\x44\1\0;"


GREY_BELOW = (*QUARTERS[:2], (128, 128, 128), (128, 128, 128))
BLANK = np.zeros((1, 1), np.uint8)
SIXTEEN = tuple(value * 257 for value in GREYS)
HALVES = (255, 128, 0, 255)
GREYED = grey(GREYS)
NOT_READ = [
    Case("empty.jpg", "no bytes at all", lambda: b"", "empty file"),
    Case("page.jpg", "a web page instead of the image", lambda: b"<!DOCTYPE html><html></html>", "not an image: HTML"),
    Case("comment.jpg", "a web page after a comment", lambda: b"\n <!-- x --><HTML></HTML>", "not an image: HTML"),
    Case("drawing.png", "SVG", lambda: b'<?xml version="1.0"?><svg xmlns="x"></svg>', "SVG; convert it"),
    Case("error.jpg", "a storage's XML error", lambda: b'<?xml version="1.0"?><Error>x</Error>', "not an image: XML"),
    Case("answer.jpg", "a server's JSON error", lambda: b'{"error": "rate limit"}', "not an image: JSON"),
    Case("letter.jpg", "a text", lambda: b"Dear reader,\nplease find", "not an image: text"),
    Case("paper.jpg", "a PDF", lambda: b"%PDF-1.7\n%\xe2\xe3", "not an image: PDF"),
    Case("report.jpg", "an office document, a ZIP", lambda: b"PK\x03\x04" + bytes(99), "not an image: ZIP"),
    Case("packed.jpg", "gzip", lambda: b"\x1f\x8b\x08" + bytes(99), "not an image: gzip"),
    Case("pointer.jpg", "a Git LFS pointer", lambda: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    Case("figure.jpg", "PostScript, which Pillow would hand to another program", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n",
         "not an image: PostScript"),
    Case("clip.jpg", "a video", lambda: b"\0\0\0\x18ftypmp42" + bytes(99), "MP4"),
    Case("phone.jpg", "HEIC", lambda: b"\0\0\0\x18ftypheic" + bytes(99), "HEIC; convert it"),
    Case("new.jpg", "AVIF, which Pillow could read", lambda: saved(picture(), "AVIF"), "AVIF; convert it"),
    Case("slide.jpg", "JPEG 2000, which Pillow could read", lambda: saved(picture(), "JPEG2000"), "JPEG 2000; convert"),
    Case("scan.jpg", "DICOM", lambda: bytes(128) + b"DICM" + bytes(99), "DICOM; convert it"),
    Case("layers.jpg", "Photoshop", lambda: b"8BPS\0\1" + bytes(99), "Photoshop; convert it"),
    Case("plain.jpg", "Netpbm", lambda: saved(picture(), "PPM"), "Netpbm; convert it"),
    Case("zeros.jpg", "a download that was never filled", lambda: bytes(5000), "only zero bytes"),
    Case("noise.jpg", "chance bytes", lambda: b"\x07" + np.random.default_rng(1).bytes(999), "unknown bytes"),
    Case("half.jpg", "half a JPEG", lambda: half(noisy("JPEG")), "truncated"),
    Case("half-progressive.jpg", "half a progressive JPEG", lambda: half(noisy("JPEG", progressive=True)), "truncated"),
    Case("half-grey.jpg", "half a JPEG with an end put on: decoders fill it with grey", without_end, "truncated"),
    Case("half-zeros.jpg", "a JPEG whose second half is zero bytes", zeros_from_the_middle, "truncated"),
    Case("head.jpg", "the first bytes of a JPEG", lambda: jpeg()[:20], "damaged: begins like JPEG"),
    Case("half.png", "half a PNG", lambda: half(noisy("PNG")), "truncated"),
    Case("half.webp", "half a WebP", lambda: half(noisy("WEBP")), "damaged|truncated"),
    Case("half.tif", "half a TIFF", lambda: tiff(scene(), 8, 2)[:1000], "truncated"),
    Case("half-lzw.tif", "half a compressed TIFF", lambda: noisy("TIFF", compression="tiff_lzw")[:9000],
         "damaged|truncated"),
    Case("half.bmp", "half a BMP", lambda: half(noisy("BMP")), "truncated"),
    Case("half.gif", "half a GIF", lambda: half(noisy("GIF")), "truncated"),
    Case("spoilt.png", "other bytes in the middle of a PNG", spoilt_png, "damaged"),
    Case("bomb.png", "claims 30,000 x 30,000 pixels", lambda: png(BLANK, 8, 2, width=30_000, height=30_000),
         "900 megapixels, more than 100"),
    Case("large.png", "claims 101 megapixels", lambda: png(BLANK, 8, 0, width=10_100, height=10_000),
         "101 megapixels, more than 100"),
    Case("bomb.gif", "claims 65,535 x 65,535 pixels", huge_gif, "4,295 megapixels"),
    Case("bomb.tif", "claims 50,000 x 50,000 pixels", lambda: tiff(BLANK, 8, width=50_000, height=50_000),
         "2,500 megapixels"),
    Case("text-bomb.png", "a text that unpacks to 200 MB",
         lambda: png(scene(), 8, 2, chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))),
         "damaged: Decompressed data too large"),
    Case("pixel.gif", "a tracking pixel", lambda: saved(Image.new("RGB", (1, 1)), "GIF"), "1 x 1 pixels, smaller"),
    Case("line.png", "7 pixels high", lambda: saved(Image.new("RGB", (99, 7)), "PNG"), "99 x 7 pixels, smaller"),
    Case("nothing.png", "no pixels wide", lambda: png(BLANK[:, :0], 8, 0), "damaged|smaller"),
    Case("float.tif", "floating point", lambda: tiff(scene(GREYS, "<f4"), 32, sample_format=3), "floating-point"),
    Case("integer.tif", "32-bit whole numbers", lambda: tiff(scene(GREYS, "<i4"), 32, sample_format=2), "32-bit"),
    Case("signed.tif", "signed 16-bit numbers", lambda: tiff(scene(GREYS, "<i2"), 16, sample_format=2), "signed"),
    Case("lab.tif", "CIELAB", lambda: saved(Image.merge("LAB", picture().split()), "TIFF"), "CIELAB"),
]  # fmt: skip
READ = [
    Case("plain.jpg", "nothing", jpeg, QUARTERS, 3),
    Case("wrong-name.png", "a JPEG by another name", jpeg, QUARTERS, 3),
    Case("progressive.jpg", "progressive", lambda: jpeg(progressive=True), QUARTERS, 3),
    Case("bottom-grey.jpg", "mid-grey in its lower half", lambda: jpeg(grey_below()), GREY_BELOW, 3, (96, 96)),
    Case("subsampled.jpg", "colour at half size", lambda: saved(picture(), "JPEG", subsampling=2), QUARTERS, 9),
    Case("trailing.jpg", "bytes after its end", lambda: jpeg() + bytes(999), QUARTERS, 3),
    Case("motion.jpg", "a film after its end, as telephones append", lambda: jpeg() + b"ftypmp42\xff\xda" + bytes(99),
         QUARTERS, 3),
    Case("cmyk.jpg", "CMYK, inverted as Adobe does", lambda: jpeg(picture().convert("CMYK")), QUARTERS, 3),
    Case("cmyk.tif", "CMYK, not inverted", lambda: saved(picture().convert("CMYK"), "TIFF"), QUARTERS),
    Case("grey.jpg", "greyscale", lambda: jpeg(picture(GREYS)), GREYED, 3),
    Case("16.png", "16-bit greyscale", lambda: png(scene(SIXTEEN, np.uint16), 16, 0), GREYED),
    Case("16-little.tif", "16-bit greyscale", lambda: tiff(scene(SIXTEEN, "<u2"), 16), GREYED),
    Case("16-big.tif", "16-bit greyscale, high byte first", lambda: tiff(scene(SIXTEEN, ">u2"), 16, order=">"), GREYED),
    Case("16-white.tif", "16-bit greyscale, white is zero", lambda: tiff(65535 - scene(SIXTEEN, "<u2"), 16, 0), GREYED),
    Case("16-lzw.tif", "16-bit greyscale, compressed",
         lambda: saved(Image.fromarray(scene(SIXTEEN, np.uint16)), "TIFF", compression="tiff_lzw"), GREYED),
    Case("16-rgb.png", "16-bit colour", lambda: png(257 * scene(dtype=np.uint16), 16, 2), QUARTERS),
    Case("16-rgb.tif", "16-bit colour", lambda: tiff(257 * scene(dtype="<u2"), 16, 2), QUARTERS),
    Case("16-la.png", "16-bit greyscale with opacity",
         lambda: png(257 * np.stack([scene(GREYS), scene(HALVES)], -1).astype(np.uint16), 16, 4),
         over_white(HALVES, GREYED), 1),
    Case("16-rgba.png", "16-bit colour with opacity",
         lambda: png(257 * np.dstack([scene(), scene(HALVES)]).astype(np.uint16), 16, 6), over_white(HALVES), 1),
    Case("1.png", "black and white", lambda: saved(picture((0, 255, 255, 0)).convert("1"), "PNG"),
         grey((0, 255, 255, 0))),
    Case("fax.tif", "black and white, as fax machines do",
         lambda: saved(picture((0, 255, 255, 0)).convert("1"), "TIFF", compression="group4"), grey((0, 255, 255, 0))),
    Case("white-is-zero.tif", "8-bit greyscale, white is zero", lambda: tiff(255 - scene(GREYS), 8, 0), GREYED),
    Case("la.png", "greyscale with opacity: white shows through",
         lambda: saved(Image.merge("LA", (picture(GREYS), picture(HALVES))), "PNG"), over_white(HALVES, GREYED), 1),
    Case("rgba.png", "opacity: white shows through", lambda: saved(with_alpha(HALVES), "PNG"), over_white(HALVES), 1),
    Case("rgba.webp", "opacity: white shows through", lambda: saved(with_alpha(HALVES), "WEBP", lossless=True),
         (QUARTERS[0], over_white(HALVES)[1], WHITE, QUARTERS[3]), 1),
    Case("rgba.tif", "opacity: white shows through", lambda: saved(with_alpha(HALVES), "TIFF"), over_white(HALVES), 1),
    Case("premultiplied.tif", "opacity, colours already faded",
         lambda: tiff(np.asarray(with_alpha(HALVES).convert("RGBa")), 8, 2, extra=1),
         (QUARTERS[0], over_white(HALVES)[1], WHITE, QUARTERS[3]), 2),
    Case("opaque.png", "opacity, all of it full", lambda: saved(with_alpha((255,) * 4), "PNG"), QUARTERS),
    Case("palette.png", "palette", lambda: saved(picture().quantize(8), "PNG"), QUARTERS),
    Case("palette-alpha.png", "palette with opacities",
         lambda: saved(with_alpha(HALVES).quantize(8), "PNG"),
         (QUARTERS[0], over_white(HALVES)[1], WHITE, QUARTERS[3]), 3),
    Case("palette.gif", "palette with a transparent colour", transparent_gif, (WHITE, *QUARTERS[1:])),
    Case("key-colour.png", "colour with one transparent colour",
         lambda: png(scene(), 8, 2, chunk(b"tRNS", struct.pack(">3H", *QUARTERS[0]))), (WHITE, *QUARTERS[1:])),
    Case("animated.gif", "animation: the first picture", lambda: several("GIF"), QUARTERS, 3),
    Case("animated.png", "animation: the first picture", lambda: several("PNG"), QUARTERS),
    Case("animated.webp", "animation: the first picture", lambda: several("WEBP", lossless=True), QUARTERS),
    Case("pages.tif", "two pages: the first", lambda: several("TIFF"), QUARTERS),
    Case("phone.mpo", "a phone's two pictures: the first", lambda: several("MPO", quality=98), QUARTERS, 9),
    *(Case(f"exif-{number}.jpg", f"EXIF orientation {number}", lambda number=number: oriented(number), QUARTERS, 3)
      for number in range(1, 9)),
    Case("exif-6.png", "EXIF orientation 6", lambda: oriented(6, "PNG"), QUARTERS),
    Case("exif-6.webp", "EXIF orientation 6", lambda: oriented(6, "WEBP"), QUARTERS),
    Case("orientation-6.tif", "TIFF's own orientation 6",
         lambda: tiff(np.rot90(scene()).copy(), 8, 2, orientation=6), QUARTERS),
    Case("exif-9.jpg", "EXIF orientation 9, which there is not", lambda: oriented(9), QUARTERS, 3),
    Case("exif-broken.jpg", "broken EXIF", lambda: jpeg(exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(9)), QUARTERS, 3),
    Case("p3.png", "Display P3 profile", lambda: saved(picture(), "PNG", icc_profile=profile(DISPLAY_P3, 2.2)),
         in_srgb(QUARTERS, DISPLAY_P3, 2.2), 3),
    Case("adobe.jpg", "Adobe RGB profile", lambda: jpeg(icc_profile=profile(ADOBE_RGB, 2.2)),
         in_srgb(QUARTERS, ADOBE_RGB, 2.2), 8),
    Case("profile-alpha.png", "Adobe RGB profile, and opacity",
         lambda: saved(with_alpha((255, 255, 0, 255)), "PNG", icc_profile=profile(ADOBE_RGB, 2.2)),
         (*in_srgb(QUARTERS, ADOBE_RGB, 2.2)[:2], WHITE, in_srgb(QUARTERS, ADOBE_RGB, 2.2)[3]), 3),
    Case("linear-grey.png", "grey profile of gamma 1",
         lambda: saved(picture(GREYS), "PNG", icc_profile=profile((), 1.0, b"GRAY")), in_srgb(GREYED, SRGB, 1.0), 2),
    Case("srgb.png", "sRGB profile: not a pixel changes",
         lambda: saved(picture(), "PNG", icc_profile=own_profile()), QUARTERS),
    Case("profile-broken.png", "broken profile: ignored", lambda: saved(picture(), "PNG", icc_profile=b"acsp" * 40),
         QUARTERS),
    Case("profile-cut.jpg", "truncated profile: ignored", lambda: jpeg(icc_profile=profile(ADOBE_RGB, 2.2)[:200]),
         QUARTERS, 3),
    Case("profile-other.jpg", "grey profile on a colour image: ignored",
         lambda: jpeg(icc_profile=profile((), 1.0, b"GRAY")), QUARTERS, 3),
    Case("32.bmp", "BMP of 32 bits", lambda: saved(picture().convert("RGBA"), "BMP"), QUARTERS),
    Case("jpeg.tif", "TIFF with JPEG inside", lambda: saved(picture(), "TIFF", compression="jpeg", quality=98),
         QUARTERS, 9),
]  # fmt: skip
CASES = NOT_READ + READ


def outcome(case: Case) -> str:
    """What a file gave, in words."""
    from synthgen.errors import DamagedError
    from synthgen.vision.images.untrusted import open_photograph

    try:
        pixels = open_photograph(case.write())
    except DamagedError as error:
        return f"refused: {error}"
    colours = " ".join("#" + bytes(colour).hex() for colour in case.got(pixels))
    return f"{pixels.shape[1]} x {pixels.shape[0]}: {colours}"


def main() -> None:
    """Write the table."""
    lines = ["# Odd images", "", "Written by `python benchmarks/odd_images.py`: what `synthgen` makes of each file."]
    lines += ["Colours are those of the four quarters, top left first; upright and true, they are", ""]
    lines[-1:] = ["`" + " ".join("#" + bytes(colour).hex() for colour in QUARTERS) + "`.", ""]
    lines += ["| file | what is odd | what it gave |", "|---|---|---|"]
    lines += [f"| `{case.file}` | {case.odd} | {outcome(case)} |" for case in CASES]
    path = Path(__file__).parents[1] / "docs" / "odd-images.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(CASES)} files: {path.name}")


if __name__ == "__main__":
    main()
