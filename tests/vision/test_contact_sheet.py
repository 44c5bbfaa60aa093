"""The contact sheet puts each picture where its label and skin tone say."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.errors import DamagedError, InputError
from synthgen.preview import Picture, write_contact_sheet

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)
EMPTY = (239, 239, 239)


def picture(key: str, colour: tuple[int, int, int], *, label: str = "acne", tone: str = "I", size: int = 64) -> Picture:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(buffer, "PNG")
    record = {"key": key, "label": label, "label_id": len(label), "skin_tone": tone}
    return Picture(record | {"skin_tone_scale": "fitzpatrick"}, buffer.getvalue())


def sheet(pictures: list[Picture], out: Path, **options: Any) -> Image.Image:
    defaults: dict[str, Any] = {"title": "A run", "cell": 32}
    write_contact_sheet(pictures, out, **defaults | options)
    with Image.open(out) as image:
        return image.convert("RGB")


def found(image: Image.Image, colour: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Every pixel of a colour as (x, y), row by row."""
    rows, columns = np.nonzero((np.asarray(image) == colour).all(axis=-1))
    return list(zip(columns.tolist(), rows.tolist(), strict=True))


def corner_of(image: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int]:
    """The upper left pixel of a colour."""
    return found(image, colour)[0]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "preview.png"


def test_pictures_of_a_cell_stand_side_by_side_by_key(out: Path) -> None:
    """The second picture by key begins one cell and a gap after the first."""
    image = sheet([picture("b", GREEN), picture("a", RED)], out)
    (x, y), second = corner_of(image, RED), corner_of(image, GREEN)
    assert second == (x + 32 + 2, y)


def test_only_the_first_by_key_are_shown(out: Path) -> None:
    """Where a cell has more pictures than places the later keys stay out."""
    image = sheet([picture("c", BLUE), picture("b", GREEN), picture("a", RED)], out)
    assert not found(image, BLUE)


def test_columns_follow_the_tones(out: Path) -> None:
    """Tone II stands right of tone I, and unknown right of both, whatever the keys are."""
    tones = [picture("a", BLUE, tone="unknown"), picture("b", GREEN, tone="II"), picture("c", RED)]
    image = sheet(tones, out, cell=64)
    assert [corner_of(image, c)[0] - corner_of(image, RED)[0] for c in (RED, GREEN, BLUE)] == [
        0,
        140,
        280,
    ]


def test_rows_follow_the_labels(out: Path) -> None:
    """Each label has a row of its own, a cell and a gap below the one before."""
    image = sheet([picture("a", GREEN, label="melanoma"), picture("b", RED)], out)
    (x, y), below = corner_of(image, RED), corner_of(image, GREEN)
    assert below == (x, y + 32 + 10)


def test_place_without_a_picture_is_grey(out: Path) -> None:
    """A missing picture leaves a grey tile that shows the gap in the data."""
    image = sheet([picture("a", RED)], out)
    x, y = corner_of(image, RED)
    assert image.getpixel((x + 32 + 2, y)) == EMPTY


def test_every_cell_lies_inside_the_sheet(out: Path) -> None:
    """The sheet is as large as its cells, its labels and a margin need."""
    image = sheet([picture("a", RED)], out, title="", cell=300)
    x, y = corner_of(image, RED)
    assert image.size == (x + 2 * 300 + 2 + 16, y + 300 + 16)


def test_long_title_fits(out: Path) -> None:
    """The sheet widens for its title."""
    assert sheet([picture("a", RED)], out, title="title " * 60).width > 2000


def test_no_pictures_make_an_empty_sheet(out: Path) -> None:
    """A run without pictures still gets a sheet that says what it would be."""
    assert sheet([], out).height < 150


def test_same_pictures_make_the_same_bytes(out: Path, tmp_path: Path) -> None:
    """Neither the hour nor the order of the pictures enters the file."""
    some, again = [picture("a", RED), picture("b", GREEN)], tmp_path / "again.png"
    sheet(some, out)
    sheet(some[::-1], again)
    assert out.read_bytes() == again.read_bytes()


def test_file_says_what_made_it(out: Path) -> None:
    """The PNG's Software text is the one that was asked for."""
    sheet([picture("a", RED)], out, software="synthgen 9")
    with Image.open(out) as image:
        assert image.info["Software"] == "synthgen 9"


@pytest.mark.parametrize("kind", ["PNG", "text"])
def test_foreign_file_is_left_alone(out: Path, kind: str) -> None:
    """A file without the Software text is refused and keeps its content."""
    foreign = picture("a", RED).image if kind == "PNG" else b"mine"
    out.write_bytes(foreign)
    with pytest.raises(InputError, match=out.name):
        sheet([picture("a", RED)], out)
    assert out.read_bytes() == foreign


def test_own_sheet_is_rewritten(out: Path) -> None:
    """A second sheet takes the first one's place and leaves nothing beside it."""
    sheet([picture("a", RED)], out)
    assert found(sheet([picture("a", GREEN)], out), GREEN)
    assert list(out.parent.iterdir()) == [out]


def test_undecodable_image_is_named(out: Path) -> None:
    """A damaged image is reported by its key."""
    broken = Picture(picture("text-acne-i-0000007", RED).record, b"not an image")
    with pytest.raises(DamagedError, match="text-acne-i-0000007"):
        sheet([broken], out)
