"""Copies are found whatever way they lie over the original, and what unrelated images look like sets what is one."""

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.render import render
from synthgen.vision.near_duplicates import CHANCE, FOUND, Calibration, Matcher, Matches, signatures

Pixels = npt.NDArray[np.uint8]
COUNT = 24


@cache
def drawn(seed: int) -> Pixels:
    """Phantoms of site b, of every condition and type."""
    labels = [list(CONDITIONS)[number % len(CONDITIONS)] for number in range(COUNT)]
    return render(labels, [number % 6 + 1 for number in range(COUNT)], site="b", seed=seed).images


@pytest.fixture(scope="module")
def rows() -> npt.NDArray[np.float32]:
    """Signatures of phantoms."""
    return signatures(drawn(5))


@pytest.fixture(scope="module")
def matcher(rows: npt.NDArray[np.float32]) -> Matcher:
    """They, to be matched with."""
    return Matcher(rows)


def pasted(image: Image.Image) -> Image.Image:
    """An image in a corner of a larger white one."""
    found = Image.new("RGB", (64, 64), "white")
    found.paste(image.resize((51, 51), Image.Resampling.LANCZOS), (2, 9))
    return found


def stretched(image: Image.Image) -> Image.Image:
    """The middle square of an image that was made wider by a quarter."""
    return image.resize((80, 64), Image.Resampling.LANCZOS).crop((8, 0, 72, 64))


def darkened(image: Image.Image) -> Image.Image:
    """An image with a gamma of 2."""
    return Image.fromarray((255 * (np.asarray(image) / 255) ** 2).astype(np.uint8))


@pytest.mark.parametrize(
    "change",
    [
        ImageOps.mirror,
        ImageOps.flip,
        ImageOps.invert,
        pasted,
        stretched,
        darkened,
        lambda image: image.crop((16, 3, 61, 48)).resize((64, 64)),
        *(lambda image, by=by: ImageOps.mirror(image.rotate(by, Image.Resampling.BICUBIC)) for by in (30, 240, 270)),
        *(lambda image, by=by: image.rotate(by, Image.Resampling.BICUBIC) for by in (-5, 8, 15, 60, 90, 163, 330)),
    ],
    ids=[
        "mirrored", "upended", "negative", "pasted", "stretched", "dark", "cropped", "mirrored-30", "mirrored-240",
        "mirrored-270", "-5", "8", "15", "60", "90", "163", "330",
    ],
)  # fmt: skip
def test_a_changed_copy_is_found(matcher: Matcher, change: Callable[[Image.Image], Image.Image]) -> None:
    """The original stands out, for every image but one at the most."""
    copies = signatures(np.stack([np.asarray(change(Image.fromarray(image))) for image in drawn(5)]))
    found = matcher.match(copies)
    chances = Calibration.fit(found, [""] * COUNT).chances(found, [""] * COUNT)  # too few of them: a fixed tail
    right = (found.index == np.arange(COUNT)[:, None]) & (chances <= CHANCE)
    assert right.any(1).sum() >= COUNT - 1


def test_an_unrelated_image_is_no_copy(matcher: Matcher) -> None:
    """Phantoms of the same conditions and types that were drawn apart."""
    found = matcher.match(signatures(drawn(6)))
    assert (Calibration.fit(found, [""] * COUNT).chances(found, [""] * COUNT) > CHANCE).all()


def test_an_image_is_not_its_own_copy(matcher: Matcher, rows: npt.NDArray[np.float32]) -> None:
    """What is excluded is not found; the others are."""
    itself = np.arange(COUNT, dtype=np.int64)
    found = matcher.match(rows, exclude=itself)
    assert not (found.index == itself[:, None]).any()
    assert matcher.match(rows).index[:, 0].tolist() == itself.tolist()


def test_the_rest_of_a_batch_changes_no_match(matcher: Matcher, rows: npt.NDArray[np.float32]) -> None:
    """Images matched alone have what they have among others, and twice the same bits."""
    together, again = matcher.match(rows[:9]), matcher.match(rows[:9])
    assert together.similarity.tobytes() == again.similarity.tobytes()
    alone = matcher.match(rows[4:5])
    assert alone.index.tolist() == together.index[4:5].tolist()
    assert alone.similarity == pytest.approx(together.similarity[4:5], abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_references_leave_places_empty(rows: npt.NDArray[np.float32], count: int) -> None:
    """Of fewer than four there is no ratio, and a copy is found by its similarity."""
    found = Matcher(rows[:count]).match(rows[:2], exclude=None)
    assert found.similarity.shape == (2, FOUND)
    assert (found.index[:, count:] == -1).all()
    assert (found.ratio == 0).all()
    chances = Calibration.fit(found, ["", ""]).chances(found, ["", ""])
    assert (chances[0] <= CHANCE).tolist() == [count > 0, False, False, False]


def scores(rng: np.random.Generator, scale: float, count: int) -> Matches:
    """Matches whose best stands out by chance alone, the more the larger the scale."""
    ratio = 1 - np.exp(-scale * rng.exponential(1, count))
    similarity = np.repeat(np.float32([[0.5, 0.5, 0.5, 0.5]]), count, 0)
    similarity[:, 0] = 0.5 + 0.5 * ratio
    return Matches(similarity, np.zeros((count, FOUND), np.int64))


def test_each_group_has_its_own_tail() -> None:
    """Two groups that are alike by nature to different degrees are taken for copies equally often."""
    rng = np.random.default_rng(3)
    both = [scores(rng, scale, 6000) for scale in (0.1, 0.2)]
    found = Matches(*(np.concatenate([getattr(one, name) for one in both]) for name in ("similarity", "index")))
    groups = ["light"] * 6000 + ["dark"] * 6000
    taken = Calibration.fit(found, groups).chances(found, groups)[:, 0] <= CHANCE
    assert taken[:6000].mean() == pytest.approx(CHANCE / 2, rel=0.6)
    assert taken[6000:].mean() == pytest.approx(taken[:6000].mean(), rel=0.6)
    plain = Calibration.fit(found, [""] * 12000).chances(found, [""] * 12000)[:, 0] <= CHANCE
    assert plain[6000:].sum() > 5 * plain[:6000].sum()


def test_copies_among_unrelated_images_hide_no_copy() -> None:
    """Real images that are there twice, one in twenty of them, leave the tail about where it was."""
    rng = np.random.default_rng(4)
    clean = scores(rng, 0.1, 400)
    clean.similarity[:20, 0] = 0.99
    chances = Calibration.fit(clean, ["light"] * 400).chances(clean, ["light"] * 400)[:, 0]
    assert (chances[:20] <= CHANCE).all()
    assert (chances[20:] <= CHANCE).mean() < 0.02
