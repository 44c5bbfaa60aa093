"""Pictures keep their pixels, say where they come from, and damage in them is noticed."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from synthgen.errors import DamagedError
from synthgen.vision.images import codec
from synthgen.vision.images.codec import COMPOSITE, EXTENSIONS, GENERATED, Encoding

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
FORMATS = list(EXTENSIONS)
NEWSCODE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def picture(height: int = 24, width: int = 32, seed: int = 0) -> Pixels:
    """A smooth picture with some grain."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([4 * x + 60, 5 * y + 40, 2 * (x + y) + 30], axis=-1)
    return (base + np.random.default_rng(seed).integers(0, 12, base.shape)).clip(0, 255).astype(np.uint8)


def flat(*values: int) -> Pixels:
    """A picture whose left half has one value and whose right half the next."""
    pixels = np.full((8, 8, 3), values[0], np.uint8)
    pixels[:, 4:] = values[-1]
    return pixels


@pytest.mark.parametrize("image_format", ["png", "webp"])
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_lossless_formats_are_exact(image_format: str, height: int, width: int, seed: int) -> None:
    """Any pixels survive PNG and WebP unchanged."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert np.array_equal(codec.decode(codec.encode(pixels, Encoding(image_format))), pixels)


def test_jpeg_is_near() -> None:
    """JPEG at quality 95 keeps a picture within 35 dB, at quality 20 less so and smaller."""
    pixels = picture()
    high, low = (codec.encode(pixels, Encoding("jpeg", quality)) for quality in (95, 20))
    assert codec.psnr(pixels, codec.decode(high)) > 35 > codec.psnr(pixels, codec.decode(low))
    assert len(low) < len(high)


def test_jpeg_keeps_its_colours_at_full_size() -> None:
    """JPEG is written without chroma subsampling, which would smear colour over a lesion's edge."""
    with Image.open(io.BytesIO(codec.encode(picture(), Encoding()))) as image:
        assert {component[1:3] for component in image.layer} == {(1, 1)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("image_format", FORMATS)
def test_encoding_is_deterministic(image_format: str) -> None:
    """Equal pixels give equal bytes."""
    one, other = (codec.encode(picture(), Encoding(image_format)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("source_type", [GENERATED, COMPOSITE])
def test_the_origin_is_said_in_xmp(image_format: str, source_type: str) -> None:
    """Every format carries the IPTC digital source type where readers look for it."""
    content = codec.encode(picture(), Encoding(image_format), source_type)
    with Image.open(io.BytesIO(content)) as image:
        description = image.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert description["DigitalSourceType"] == NEWSCODE + source_type


@pytest.mark.parametrize("image_format", FORMATS)
def test_what_made_it_is_said_where_asked(image_format: str) -> None:
    """Model, version and prompt are IPTC's fields of 2025.1, whatever their characters; an empty one is not there."""
    prompt = "a \"scaly\" plaque & 'redness' < 3 cm {x}\x07 \u00e9"
    content = codec.encode(picture(), Encoding(image_format), GENERATED, codec.MadeBy("org/model", "", prompt))
    with Image.open(io.BytesIO(content)) as image:
        description = image.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert description["AISystemUsed"] == "org/model"
    assert description["AIPromptInformation"] == prompt.replace("\x07", "")
    assert "AISystemVersionUsed" not in description
    assert description["DigitalSourceType"] == NEWSCODE + GENERATED
    assert codec.encode(picture(), Encoding(image_format), GENERATED, codec.MadeBy()) == codec.encode(
        picture(), Encoding(image_format)
    )


@pytest.mark.parametrize("image_format", FORMATS)
def test_nothing_else_is_said(image_format: str) -> None:
    """No EXIF, comment or text goes with an image beside that XMP."""
    with Image.open(io.BytesIO(codec.encode(picture(), Encoding(image_format)))) as image:
        image.load()
        assert not image.getexif()
        assert set(image.info) <= {"xmp", "XML:com.adobe.xmp", "jfif", "jfif_version", "jfif_unit", "jfif_density",
                                   "loop", "background", "timestamp", "duration"}  # fmt: skip
        assert image.mode == "RGB"
        assert image.format == image_format.upper()


def test_png_carries_no_time() -> None:
    """PNG has no chunks but the picture's and the XMP's."""
    content, kinds, place = codec.encode(picture(), Encoding("png")), [], 8
    while place < len(content):
        kinds.append(content[place + 4 : place + 8])
        place += 12 + int.from_bytes(content[place : place + 4], "big")
    assert set(kinds) == {b"IHDR", b"iTXt", b"IDAT", b"IEND"}


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.8, 0.99])
def test_a_truncated_image_is_damaged(image_format: str, part: float) -> None:
    """An image of which only the beginning is there is not taken for whole."""
    content = codec.encode(picture(96, 96), Encoding(image_format))
    with pytest.raises(DamagedError):
        codec.decode(content[: int(part * len(content))])


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"\x89PNG\r\n\x1a\n" + bytes(99), b"\xff\xd8\xff\xe0"])
def test_garbage_is_damaged(content: bytes) -> None:
    """Bytes that are no image are refused as damage."""
    with pytest.raises(DamagedError):
        codec.decode(content)


@pytest.mark.parametrize("image_format", FORMATS)
@given(st.dictionaries(st.integers(0, 60), st.integers(0, 255), min_size=1, max_size=3))
@example({6: 63, 7: 63, 12: 48, 16: 255, 17: 255, 18: 255, 19: 255, 20: 255, 21: 255, 22: 255, 23: 255, 24: 255})
def test_a_spoiled_header_is_damage_or_another_picture(image_format: str, spoilt: dict[int, int]) -> None:
    """Whatever its first bytes say, an image is decoded or damaged; nothing else is raised."""
    content = bytearray(codec.encode(picture(), Encoding(image_format)))
    for place, value in spoilt.items():
        content[place] = value
    try:
        pixels = codec.decode(bytes(content))
    except DamagedError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)


def test_an_image_that_claims_to_be_huge_is_damaged() -> None:
    """A header that promises more pixels than any image here has is damage, not an alarm of Pillow's."""
    content = bytearray(codec.encode(picture(), Encoding("png")))
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    with pytest.raises(DamagedError):
        codec.decode(bytes(content))


def test_psnr_of_equal_images_is_infinite() -> None:
    """Equal images have no noise between them."""
    assert codec.psnr(picture(), picture()) == float("inf")


@pytest.mark.parametrize(("difference", "decibel"), [(1, 48.1308), (16, 24.0484), (255, 0.0)])
def test_psnr_values(difference: int, decibel: float) -> None:
    """A constant difference d has 20 log10(255 / d) dB, both ways, without wrapping around."""
    one, other = flat(0), flat(difference)
    assert codec.psnr(one, other) == pytest.approx(decibel, abs=1e-3)
    assert codec.psnr(other, one) == pytest.approx(decibel, abs=1e-3)


def test_psnr_needs_one_shape() -> None:
    """Images of two sizes are not compared."""
    with pytest.raises(ValueError, match=r"\(8, 8, 3\)"):
        codec.psnr(picture(8, 8), picture(8, 9))


@pytest.mark.parametrize(
    ("pixels", "verdict"),
    [
        (flat(0), "black"),
        (flat(16), "black"),
        (flat(0, 16), "black"),
        (flat(17), "flat"),
        (flat(128), "flat"),
        (flat(255), "flat"),
        (flat(120, 128), "flat"),
        (flat(120, 129), ""),
        (flat(0, 17), ""),
        (picture(), ""),
    ],
)
def test_blank(pixels: Pixels, verdict: str) -> None:
    """Black is at most 16 everywhere, flat spreads by at most 8 in each channel, and the rest is a picture."""
    assert codec.blank(pixels) == verdict


def test_a_plain_colour_is_flat() -> None:
    """Channels far apart are still flat where each of them is."""
    assert codec.blank(np.full((8, 8, 3), (200, 20, 90), np.uint8)) == "flat"


def test_one_channel_that_varies_is_a_picture() -> None:
    """A picture that varies in blue alone is none the less a picture."""
    pixels = np.full((8, 8, 3), 90, np.uint8)
    pixels[0, 0, 2] = 120
    assert codec.blank(pixels) == ""


def test_extensions() -> None:
    """Files are called as WebDataset readers expect."""
    assert [Encoding(name).extension for name in ("jpeg", "png", "webp")] == ["jpg", "png", "webp"]
