"""Marks that files carry are found where they are, and never in pixels or in what is no image."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from synthgen.vision.images import codec, untrusted
from synthgen.vision.images.marks import marks

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
XMP = b"<x:xmpmeta><d>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia</d></x:xmpmeta>"
JUMBF = b"JP\0\1" + struct.pack(">II", 1, 40) + b"jumb" + b"\0\0\0\x20jumdc2pa" + bytes(24)


def saved(kind: str, **options: Any) -> bytes:
    """An image in a format, with what Pillow writes beside it."""
    sink = io.BytesIO()
    Image.fromarray(PIXELS).save(sink, kind, **options)
    return sink.getvalue()


def jpeg(marker: int, body: bytes) -> bytes:
    """A JPEG with a segment of its own."""
    plain = saved("JPEG")
    return plain[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + plain[2:]


def png(name: bytes, body: bytes) -> bytes:
    """A PNG with a chunk of its own after its header."""
    plain = saved("PNG")
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return plain[:33] + chunk + plain[33:]


def text(key: str, value: str, *, packed: bool = False) -> bytes:
    """A PNG with a text."""
    info = PngImagePlugin.PngInfo()
    info.add_text(key, value, zip=packed)
    return saved("PNG", pnginfo=info)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (jpeg(0xEB, JUMBF), ("c2pa",)),
        (png(b"caBX", JUMBF), ("c2pa",)),
        (jpeg(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP), ("iptc:trainedAlgorithmicMedia",)),
        (saved("WEBP", xmp=XMP), ("iptc:trainedAlgorithmicMedia",)),
        (png(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), ("iptc:trainedAlgorithmicMedia",)),
        (text("parameters", "a cat Steps: 20, Sampler: Euler a"), ("ai:Stable Diffusion",)),
        (text("parameters", "a cat Steps: 20, Sampler: Euler a", packed=True), ("ai:Stable Diffusion",)),
        (text("Software", "Midjourney"), ("ai:Midjourney",)),
        (text("Software", "DALL-E"), ("ai:DALL-E",)),
        (text("Comment", "vista dalle ore 10"), ()),
        (saved("JPEG"), ()),
        (saved("PNG"), ()),
        (saved("GIF"), ()),
        (b"", ()),
        (b"\xff\xd8\xff", ()),
        (b"no image, but Midjourney and c2pa in jumb", ()),
    ],
)
def test_marks_are_found(content: bytes, found: tuple[str, ...]) -> None:
    """In the parts of JPEG, PNG and WebP that say something beside the pixels."""
    assert marks(content) == found


@pytest.mark.parametrize("whole", [jpeg(0xEB, JUMBF), png(b"caBX", JUMBF), saved("WEBP", xmp=XMP)])
def test_a_file_that_is_cut_raises_nothing(whole: bytes) -> None:
    """Wherever it ends: whether it can be used is for decoding to say."""
    for size in range(0, len(whole), 7):
        marks(whole[:size])


def test_what_is_looked_at_of_one_file_is_bounded() -> None:
    """However much a few kilobytes unpack to: programs write their marks at the beginning."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "Midjourney")
    for number in range(12):
        info.add_text(f"long{number}", " " * 2_000_000, zip=True)
    info.add_text("Comment", "novelai")
    content = saved("PNG", pnginfo=info)
    assert len(content) < 100_000
    assert marks(content) == ("ai:Midjourney",)


def test_an_image_of_ours_says_that_it_is_made() -> None:
    """So that a dataset of such images that is taken for real ones is told by its index."""
    made = codec.encode(PIXELS, codec.Encoding("png"))
    assert marks(made) == ("iptc:trainedAlgorithmicMedia",)


def test_no_mark_is_in_what_is_made_from_a_marked_image() -> None:
    """Pixels alone go on; what is written says its own source type, and no C2PA of another's."""
    pixels = untrusted.open_photograph(jpeg(0xEB, JUMBF))
    assert "c2pa" not in marks(codec.encode(pixels, codec.Encoding("jpeg", 95)))
