"""A tone is judged by what real images of it look like, in more light and in less, so that all tones fare alike."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.curate.scorers import Batch, Context, skin_tone, tone
from synthgen.errors import UnavailableError
from synthgen.plan import sample
from synthgen.plan.real_index import Source
from synthgen.plan.sample import Record
from synthgen.vision import colour

LIGHT = {1: (78.0, 12.0), 2: (72.0, 15.0), 3: (66.0, 18.0), 4: (58.0, 20.0), 5: (45.0, 20.0), 6: (30.0, 14.0)}  # L*, b*
SPREAD = {1: 2.0, 2: 2.0, 3: 2.0, 4: 2.5, 5: 4.0, 6: 4.0}


def skin(value: int, rng: np.random.Generator) -> Any:
    """A flat picture of skin of a Fitzpatrick type, and some noise of the camera."""
    lightness, yellow = LIGHT[value]
    grid = np.arange(256, dtype=np.uint8)
    wanted = lightness + SPREAD[value] * rng.standard_normal()
    greys = np.stack([grid, (grid * 0.78).astype(np.uint8), (grid * (0.66 - yellow / 300)).astype(np.uint8)], -1)
    near = int(np.abs(colour.srgb_to_lab(greys)[0] - wanted).argmin())
    noise = rng.integers(-2, 3, (16, 16, 1))
    return np.clip(greys[near].astype(int) + noise, 0, 255).astype(np.uint8)


def context(each: dict[int, int]) -> tuple[Context, dict[str, Any]]:
    """Real training images, so many of each type."""
    rng = np.random.default_rng(0)
    sources = [
        Source(
            f"{value}-{number}", "nevus", value, f"{value}-{number}", "train", "", "", "", sha256=f"{value}-{number}"
        )
        for value, count in each.items()
        for number in range(count)
    ]
    pictures = {one.id: skin(one.tone, rng) for one in sources}

    def read(source: Source) -> Any:
        return pictures[source.id]

    def none() -> Iterator[Batch]:
        yield from ()

    return Context(("nevus",), "fitzpatrick", 0, tuple(sources), read, none, "run", Path()), pictures


def chances(scorer: Any, record: Record, pictures: list[Any], asked: str) -> Any:
    records = tuple(replace(record, skin_tone=asked, skin_tone_scale="fitzpatrick") for _ in pictures)
    return np.array(scorer(Batch(records, np.stack(pictures)))["chance"])


@pytest.fixture(scope="module")
def record(make_plan: Any) -> Record:
    """The record of an image."""
    first = next(iter(make_plan().entries.values())).sample(0)
    found: Record = sample.record(first, image_sha256="0" * 64, model_revision="", generator="")
    return found


@pytest.fixture(scope="module")
def loaded() -> Any:
    """The scorer, loaded with 120 images of each type."""
    return tone.open_scorer(tone.Settings(), context(dict.fromkeys(range(1, 7), 120))[0]).load()


@pytest.mark.parametrize("stops", [-0.5, 0.0, 0.5])
def test_other_light_rejects_all_tones_alike(loaded: Any, record: Record, stops: float) -> None:
    """Half a stop lighter or darker rejects no tone twice as often as another; fixed ranges reject light skin alone."""
    rng, names = np.random.default_rng(5), ("I", "II", "III", "IV", "V", "VI")
    rejected, by_range = [], []
    for value, name in enumerate(names, start=1):
        pictures = [tone.exposed(skin(value, rng), stops) for _ in range(80)]
        rejected.append((chances(loaded, record, pictures, name) < 0.02).mean())
        angles = [skin_tone.measure_angle(one)[0] for one in pictures]
        wanted = skin_tone.angles_of_tone("fitzpatrick", name)
        by_range.append(np.mean([skin_tone.distance_from(angle, wanted) >= 12 for angle in angles]))
    assert max(rejected) <= 0.1
    assert abs(sum(rejected[:2]) - sum(rejected[4:])) / 2 <= 0.05
    if stops < 0:
        assert max(by_range) > 0.5


def test_another_tone_is_found(loaded: Any, record: Record) -> None:
    """Skin of types V and VI is none that was asked as I or II, nor the other way."""
    rng = np.random.default_rng(6)
    for drawn, asked in ((6, "I"), (5, "II"), (1, "VI"), (2, "V")):
        assert (chances(loaded, record, [skin(drawn, rng) for _ in range(20)], asked) < 0.02).mean() > 0.9


def test_what_is_unknown_has_no_chance(loaded: Any, record: Record) -> None:
    """Another scale, an unknown tone, and a picture without skin."""
    picture = skin(3, np.random.default_rng(7))
    assert np.isnan(chances(loaded, record, [picture], "unknown")).all()
    assert np.isnan(chances(loaded, record, [np.zeros_like(picture)], "III")).all()
    other = replace(record, skin_tone="3", skin_tone_scale="monk")
    assert math.isnan(loaded(Batch((other,), picture[None]))["chance"][0])


def test_a_tone_of_few_images_is_measured_by_its_group() -> None:
    """Below twenty it takes those of light, medium or dark skin together; below twenty of these it has none."""
    found = tone.members("fitzpatrick", [1] * 25 + [2] * 5 + [3] * 8 + [4] * 8 + [6] * 30)
    assert {value: len(rows) for value, rows in found.items()} == {1: 25, 2: 30, 5: 30, 6: 30}


def test_too_few_images_are_said() -> None:
    """No tone could be judged."""
    with pytest.raises(UnavailableError, match="6 real training images have a known tone"):
        tone.open_scorer(tone.Settings(), context({1: 3, 6: 3})[0])


def test_more_light_is_more_linear_light() -> None:
    """One stop doubles it, and white stays white."""
    grey = np.full((1, 1, 3), 100, np.uint8)
    assert tone.exposed(tone.exposed(grey, 1), -1).tolist() == grey.tolist()
    before, after = (float(colour.srgb_to_lab(one)[0].item()) for one in (grey, tone.exposed(grey, 1)))
    assert ((after + 16) / 116) ** 3 / ((before + 16) / 116) ** 3 == pytest.approx(2, rel=0.02)
    assert tone.exposed(np.full((1, 1, 3), 255, np.uint8), 0.5).min() == 255
