"""A white sheet with pictures and words on it."""

import io

import numpy as np
from PIL import Image

from synthgen.vision.picture_sheet import PictureSheet, extent


def opened(content: bytes) -> Image.Image:
    """The PNG, decoded."""
    image = Image.open(io.BytesIO(content), formats=["PNG"])
    image.load()
    return image


def test_a_picture_lies_where_it_was_put() -> None:
    """An array and Pillow's image of it give the same sheet, white wherever nothing was put."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    sheet, other = PictureSheet(20, 10), PictureSheet(20, 10)
    sheet.paste(pixels, (3, 2))
    other.paste(Image.fromarray(pixels), (3, 2))
    assert sheet.png() == other.png()
    found = np.asarray(opened(sheet.png()))
    assert (found[2:7, 3:10] == pixels).all()
    found = found.copy()
    found[2:7, 3:10] = 255
    assert (found == 255).all()


def test_words_fit_in_their_extent() -> None:
    """What a text covers is not more than its extent says."""
    width, height = extent("Fitzpatrick\nVI", 17)
    sheet = PictureSheet(200, 100)
    sheet.write("Fitzpatrick\nVI", (0, 0), 17)
    rows, columns = np.nonzero((np.asarray(opened(sheet.png())) < 255).any(2))
    assert 0 < rows.max() < height
    assert 0 < columns.max() < width


def test_a_sheet_says_what_made_it() -> None:
    """The software is a text of the PNG; without one there is none."""
    sheet = PictureSheet(2, 2)
    assert opened(sheet.png(software="synthgen preview")).info["Software"] == "synthgen preview"
    assert "Software" not in opened(sheet.png()).info
