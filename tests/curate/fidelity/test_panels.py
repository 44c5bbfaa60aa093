"""Panels show the generated images that are nearest to training images."""

import io

import numpy as np
from PIL import Image as Pillow

from synthgen.curate.fidelity import nearest_panel
from synthgen.curate.fidelity.measure import Distances
from synthgen.curate.fidelity.sample_images import Image


def image(name: str, tone: str, shade: int = 0) -> Image:
    """A plain image."""
    return Image(name, "text", "acne", tone, "a", "0" * 64, lambda: np.full((32, 32, 3), shade, np.uint8))


MADE = [image("far", "I"), image("near", "II", 200), image("same", "I"), image("dark", "VI")]
TRAINING = [image("a", "I", 100), image("b", "VI")]
FAR = Distances(np.array([3.0, 1.0, 2.0, 5.0]), np.array([1, 0, 0, 1]), np.array([4.0]))


def test_light_and_dark_are_apart_and_the_nearest_come_first() -> None:
    """A training image that several are near is shown with the nearest of them alone."""
    found = nearest_panel.nearest_pairs(MADE, TRAINING, FAR, "fitzpatrick")
    names = {side: [(pair.generated.id, pair.real.id) for pair in pairs] for side, pairs in found.items()}
    assert names == {"light skin (I, II)": [("near", "a"), ("far", "b")], "dark skin (V, VI)": [("dark", "b")]}


def test_a_pair_says_where_one_was_made_from_the_other() -> None:
    """An inpainted image is near its own source by intent."""
    light = next(iter(nearest_panel.nearest_pairs(MADE, TRAINING, FAR, "fitzpatrick").values()))
    assert [pair.caption for pair in light] == ["distance 1.000, made from it", "distance 3.000"]


def test_without_tones_all_images_are_on_one_side() -> None:
    """Images of unknown tone are shown all the same."""
    found = nearest_panel.nearest_pairs([image("one", "unknown")], TRAINING, FAR, "fitzpatrick")
    assert list(found) == ["all images"]


def test_the_pictures_of_a_pair_stand_beside_one_another() -> None:
    """The generated image stands on the left, its training image on the right of it."""
    sheet = Pillow.open(
        io.BytesIO(nearest_panel.draw(nearest_panel.nearest_pairs(MADE, TRAINING, FAR, "fitzpatrick"), 2.0))
    )
    assert [sheet.getpixel((60, 90)), sheet.getpixel((160, 90))] == [(200, 200, 200), (100, 100, 100)]
