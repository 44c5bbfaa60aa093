"""Strangers' photographs come out right or are refused with a reason, and nothing else is raised."""

import contextlib
import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.errors import DamagedError
from synthgen.vision.images.untrusted import Fit, fit, fit_mask, open_mask, open_photograph

ODD = Path(__file__).parents[3] / "benchmarks" / "odd_images.py"


def _builders() -> Any:
    """The script that writes the odd files."""
    spec = importlib.util.spec_from_file_location("odd_images", ODD)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


odd = _builders()


@pytest.mark.parametrize("case", odd.NOT_READ, ids=lambda case: case.file)
def test_what_is_no_whole_photograph_is_refused(case: Any) -> None:
    """It is refused in a few words, one line, that say why."""
    with pytest.raises(DamagedError, match=case.expected) as caught:
        open_photograph(case.write())
    assert len(str(caught.value)) <= 100
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", odd.READ, ids=lambda case: case.file)
def test_an_odd_photograph_comes_out_right(case: Any) -> None:
    """It is uint8 RGB, upright, and each quarter has its colour."""
    pixels = open_photograph(case.write())
    assert (pixels.dtype, pixels.shape) == (np.uint8, (*case.size, 3))
    difference = np.abs(np.array(case.got(pixels)) - np.array(case.expected))
    assert difference.max() <= case.tolerance, case.got(pixels)


def test_the_page_lists_every_file() -> None:
    """`docs/odd-images.md` is the table of these files."""
    lines = (ODD.parents[1] / "docs" / "odd-images.md").read_text(encoding="utf-8").splitlines()
    listed = [line.split(" | ")[:2] for line in lines if line.startswith("| `")]
    assert listed == [[f"| `{case.file}`", case.odd] for case in odd.CASES]


def test_a_mirrored_scene_would_be_noticed() -> None:
    """The four quarters tell all eight orientations apart."""
    turned = {odd.CASES[-1].got(np.asarray(odd.picture().transpose(turn))) for turn in odd.TURNS if turn is not None}
    assert len(turned | {odd.QUARTERS}) == 8


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@given(st.dictionaries(st.integers(0, 400), st.integers(0, 255), min_size=1, max_size=4), st.integers(0, 2000))
def test_whatever_is_spoilt_it_opens_or_is_refused(image_format: str, spoilt: dict[int, int], cut: int) -> None:
    """Whatever bytes are changed or missing, there is a photograph or a reason; nothing else is raised."""
    content = bytearray(odd.saved(odd.picture(), image_format))
    for place, value in spoilt.items():
        content[place % len(content)] = value
    for read in (open_photograph, open_mask):
        with contextlib.suppress(DamagedError):
            assert min(read(bytes(content[: len(content) - cut % len(content)])).shape[:2]) >= 8


def test_a_photograph_below_the_limit_is_not_refused_for_its_size() -> None:
    """Pillow's own, smaller limit does not enter: 95 megapixels that are not there are a truncated file."""
    with pytest.raises(DamagedError, match="truncated"):
        open_photograph(odd.png(odd.BLANK, 1, 0, width=9_500, height=10_000))


def test_pillow_keeps_its_remarks_to_itself(recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture) -> None:
    """No warning of Pillow's reaches the terminal, in whatever thread a file is opened."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_opened, [case.write() for case in odd.CASES]))
    assert [str(remark.message) for remark in recwarn] == []
    assert caplog.messages == []


def _opened(content: bytes) -> None:
    with contextlib.suppress(DamagedError):
        open_photograph(content)


MASK = (0, 255, 255, 0)
CLASSES = ((0, 0, 0), (128, 0, 0), (255, 255, 255), (0, 0, 0))


def mask_of(*values: bool) -> Any:
    """The mask with these quarters."""
    return odd.scene(values, bool)


@pytest.mark.parametrize(
    ("content", "set_quarters"),
    [
        (lambda: odd.saved(odd.picture(MASK), "PNG"), (0, 1, 1, 0)),
        (lambda: odd.saved(odd.picture(MASK).convert("1"), "PNG"), (0, 1, 1, 0)),
        (lambda: odd.jpeg(odd.picture(MASK)), (0, 1, 1, 0)),
        (lambda: odd.saved(odd.picture((127, 128, 0, 255)), "PNG"), (0, 1, 0, 1)),
        (lambda: odd.saved(odd.picture((0, 1, 1, 0)), "PNG"), (0, 1, 1, 0)),
        (lambda: odd.png(odd.scene((0, 1, 1, 0), np.uint16), 16, 0), (0, 1, 1, 0)),
        (lambda: odd.png(odd.scene((0, 65535, 32768, 32700), np.uint16), 16, 0), (0, 1, 1, 0)),
        (lambda: odd.saved(odd.picture((0, 0, 0, 0)), "PNG"), (0, 0, 0, 0)),
        (lambda: odd.saved(odd.picture(((0, 0, 0), (255, 0, 0), (0, 0, 200), (90, 90, 90))), "PNG"), (0, 1, 1, 0)),
        (lambda: odd.saved(odd.picture(CLASSES).quantize(4), "PNG"), (0, 1, 1, 0)),
        (lambda: odd.saved(odd.with_alpha((0, 255, 128, 127)), "PNG"), (0, 1, 1, 0)),
        (lambda: odd.saved(odd.with_alpha((255,) * 4), "PNG"), (1, 1, 1, 1)),
        (lambda: odd.oriented(6, "PNG"), (1, 1, 1, 1)),
    ],
    ids=["255", "1-bit", "jpeg", "half", "ones", "16-bit-ones", "16-bit", "empty", "colours", "palette", "alpha",
         "opaque", "turned"],
)  # fmt: skip
def test_a_mask_is_set_where_it_is_bright_or_opaque(content: Any, set_quarters: tuple[int, ...]) -> None:
    """Brighter than half is set, ones among zeros are, and where there is opacity only that counts."""
    mask = open_mask(content())
    assert mask.dtype == np.bool_
    assert np.array_equal(mask, mask_of(*(bool(value) for value in set_quarters)))


def test_a_mask_that_is_no_image_is_refused() -> None:
    """A mask is refused with the reasons of a photograph."""
    with pytest.raises(DamagedError, match="HTML"):
        open_mask(b"<html></html>")


@pytest.mark.parametrize("how", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("size", [(16, 16), (40, 30), (8, 99), (24, 32)])
def test_a_mask_fits_where_its_photograph_does(how: Fit, size: tuple[int, int]) -> None:
    """Photograph and mask have the size asked for, and what is white in one is set in the other, but for the edges."""
    pixels = np.repeat(odd.scene(MASK)[..., None], 3, axis=-1)
    fitted, mask = fit(pixels, *size, how), fit_mask(open_mask(odd.saved(odd.picture(MASK), "PNG")), *size, how)
    assert fitted.shape == (*size, 3)
    assert (mask.shape, mask.dtype) == (size, np.bool_)
    assert ((fitted[..., 0] > 127) != mask).mean() < 0.15
    assert np.array_equal(fitted, fit(pixels, *size, how))


def test_crop_keeps_the_middle_and_pad_the_whole() -> None:
    """Of a wide photograph, crop loses its sides and pad puts black above and below."""
    pixels = np.full((10, 30, 3), 200, np.uint8)
    pixels[:, 10:20] = 90
    assert (fit(pixels, 10, 10, "crop")[:, 2:8] == 90).all()
    padded = fit(pixels, 30, 30, "pad")
    assert (padded[:9] == 0).all()
    assert np.array_equal(padded[10:20], pixels)


def test_a_very_long_photograph_can_be_padded() -> None:
    """A line of pixels is left of what would be less than one."""
    assert fit(np.full((8, 9000, 3), 9, np.uint8), 64, 64, "pad").max() == 9
