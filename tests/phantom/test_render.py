"""Phantoms are pure functions of what they are asked for, and their truth is true."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.errors import InputError
from synthgen.phantom import render, skin_colour
from synthgen.phantom.camera import SITES
from synthgen.phantom.conditions import CONDITIONS
from synthgen.vision import colour

CELLS = [(label, tone) for label in CONDITIONS for tone in skin_colour.TONES]
SICK = [label for label in CONDITIONS if label != "healthy"]
cells = st.tuples(st.sampled_from(list(CONDITIONS)), st.integers(1, 6))


def draw(cells: list[tuple[str, int]], site: str = "a", seed: int = 3, start: int = 0) -> render.Phantoms:
    return render.render([label for label, _ in cells], [tone for _, tone in cells], site=site, seed=seed, start=start)


@pytest.fixture(scope="module")
def drawn() -> dict[str, render.Phantoms]:
    """Every condition on every tone three times, by site."""
    return {site: draw(CELLS * 3, site) for site in SITES}


@pytest.mark.parametrize("site", SITES)
def test_every_condition_renders_on_every_tone(site: str, drawn: dict[str, render.Phantoms]) -> None:
    """Each cell at each site is a picture that is neither black nor flat, with its own label, tone and seed."""
    phantoms = drawn[site]
    assert phantoms.images.shape == (len(CELLS) * 3, 64, 64, 3)
    assert phantoms.images.dtype == np.uint8
    assert phantoms.images.std(axis=(1, 2, 3)).min() > 2
    assert phantoms.images.max(axis=(1, 2, 3)).min() > 40
    assert list(zip(phantoms.labels, phantoms.tones.tolist(), strict=True)) == CELLS * 3
    assert len(set(phantoms.seeds)) == len(CELLS) * 3


@given(st.lists(cells, min_size=1, max_size=4), st.integers(-(2**70), 2**70), st.sampled_from(list(SITES)))
def test_the_same_call_draws_the_same(asked: list[tuple[str, int]], seed: int, site: str) -> None:
    """Two calls with the same arguments give the same pixels and the same truth."""
    one, two = draw(asked, site, seed), draw(asked, site, seed)
    assert np.array_equal(one.images, two.images)
    assert np.array_equal(one.masks, two.masks)
    assert (one.seeds, one.ita.tolist()) == (two.seeds, two.ita.tolist())


@given(st.lists(cells, min_size=1, max_size=4), st.data())
def test_an_image_does_not_depend_on_its_neighbours(asked: list[tuple[str, int]], data: st.DataObject) -> None:
    """Image i alone, asked for by its number, is image i among others."""
    index = data.draw(st.integers(0, len(asked) - 1))
    alone = draw([asked[index]], start=index)
    assert np.array_equal(alone.images[0], draw(asked).images[index])


@given(cells, st.integers(0, 99))
def test_the_seed_alone_paints_the_image_again(cell: tuple[str, int], number: int) -> None:
    """`paint` with an image's own seed gives its pixels and mask."""
    phantoms = draw([cell], start=number)
    again = render.render_one(*cell, "a", phantoms.seeds[0])
    assert np.array_equal(again.image, phantoms.images[0])
    assert np.array_equal(again.mask, phantoms.masks[0])


def test_another_seed_draws_another_image() -> None:
    """The seed enters every image."""
    one, two = draw(CELLS[:9], seed=1), draw(CELLS[:9], seed=2)
    assert not any(np.array_equal(*pair) for pair in zip(one.images, two.images, strict=True))


def test_a_large_seed_keeps_within_63_bits() -> None:
    """An image's seed fits a signed 64-bit column, whatever the seed it comes from."""
    assert all(0 <= seed < 2**63 for seed in draw(CELLS, seed=2**80).seeds)


@pytest.mark.parametrize("site", SITES)
def test_only_healthy_skin_has_an_empty_mask(site: str, drawn: dict[str, render.Phantoms]) -> None:
    """Masks mark some of the picture and never nearly all of it, and nothing on healthy skin."""
    share = drawn[site].masks.mean(axis=(1, 2))
    healthy = np.array([label == "healthy" for label in drawn[site].labels])
    assert share[healthy].max() == 0
    assert share[~healthy].min() > 0
    assert share.max() < 0.9


@pytest.mark.parametrize("label", SICK)
def test_the_mask_is_where_the_lesion_is(label: str) -> None:
    """Over many images of a condition, pixels under the mask differ in colour from those outside."""
    phantoms = draw([(label, 3)] * 24)
    pixels = phantoms.images.astype(float)
    pairs = [
        (one[mask].mean(axis=0), one[~mask].mean(axis=0)) for one, mask in zip(pixels, phantoms.masks, strict=True)
    ]
    assert np.median([np.abs(inside - outside).max() for inside, outside in pairs]) > 8


@pytest.mark.parametrize("site", SITES)
def test_skin_darkens_from_type_to_type(site: str, drawn: dict[str, render.Phantoms]) -> None:
    """The median ITA outside lesions falls strictly from type I to VI."""
    medians = bare_ita(drawn[site])
    assert medians == sorted(medians, reverse=True)
    assert len(set(medians)) == 6


def test_skin_spans_the_real_scale(drawn: dict[str, render.Phantoms]) -> None:
    """At site a the median ITA is above 55 degrees for type I and below -30 for type VI."""
    medians = bare_ita(drawn["a"])
    assert medians[0] > 55
    assert medians[-1] < -30


@pytest.mark.parametrize("tone", skin_colour.TONES)
def test_the_drawn_ita_is_within_its_type(tone: int, drawn: dict[str, render.Phantoms]) -> None:
    """The angle that comes with an image lies in the range of its type."""
    low, high = skin_colour.TONES[tone].ita
    angles = drawn["a"].ita[drawn["a"].tones == tone]
    assert low <= angles.min() <= angles.max() <= high


def test_site_b_is_darker(drawn: dict[str, render.Phantoms]) -> None:
    """The telephone's pictures are darker than the clinic's, on average over the same cells."""
    assert drawn["b"].images.mean() < drawn["a"].images.mean() - 5


def test_site_b_is_noisier(drawn: dict[str, render.Phantoms]) -> None:
    """Neighbouring pixels of healthy skin differ more at site b."""

    def grain(phantoms: render.Phantoms) -> float:
        healthy = phantoms.images[[label == "healthy" for label in phantoms.labels]].astype(float)
        return float(np.median(np.abs(np.diff(healthy, axis=2))))

    assert grain(drawn["b"]) > 1.3 * grain(drawn["a"])


def test_site_b_shows_smaller_lesions(drawn: dict[str, render.Phantoms]) -> None:
    """The telephone is farther away: lesions cover less of its pictures."""
    assert drawn["b"].masks.mean() < drawn["a"].masks.mean()


@pytest.mark.parametrize(
    ("labels", "tones", "site", "faults"),
    [
        (["acne"], [1], "a", ["no condition `acne`"]),
        (["healthy"], [7], "a", ["no Fitzpatrick type 7"]),
        (["healthy"], [1], "c", ["no site `c`; there are: a, b"]),
        (["healthy", "healthy"], [1], "a", ["2 labels but 1 tones"]),
        (
            ["acne", "warts"],
            [0, 9],
            "z",
            ["no Fitz", "no Fitz", "no condition `acne`", "no condition `warts`", "no site"],
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(labels: list[str], tones: list[int], site: str, faults: list[str]) -> None:
    """Each unknown condition, type or site is one line."""
    with pytest.raises(InputError) as refused:
        render.render(labels, tones, site=site, seed=0)
    assert len(refused.value.faults) == len(faults)
    assert all(said.startswith(fault) for said, fault in zip(refused.value.faults, faults, strict=True))


def bare_ita(phantoms: render.Phantoms) -> list[float]:
    angles = colour.ita(phantoms.images)
    chosen = [phantoms.tones == tone for tone in skin_colour.TONES]
    return [float(np.median(angles[which][~phantoms.masks[which]])) for which in chosen]
