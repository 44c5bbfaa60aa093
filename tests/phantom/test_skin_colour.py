"""Colours convert as the standards say, there and back."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.phantom import skin_colour
from synthgen.vision import colour

channel = st.integers(0, 255)


@given(st.tuples(channel, channel, channel))
def test_bytes_survive_lab_and_back(rgb: tuple[int, int, int]) -> None:
    """SRGB to CIELAB and back is the same byte."""
    pixel = np.array(rgb) / 255
    back = colour.to_srgb(colour.lab_to_linear(colour.linear_to_lab(colour.to_linear(pixel)))) * 255
    assert np.rint(back).astype(int).tolist() == list(rgb)


def test_white_is_100_0_0() -> None:
    """D65 white has lightness 100 and no colour."""
    assert colour.linear_to_lab(np.ones(3)) == pytest.approx([100, 0, 0], abs=1e-9)


def test_a_known_colour_has_its_known_lab() -> None:
    """SRGB red is L* 53.24, a* 80.09, b* 67.20, as published for D65."""
    assert colour.linear_to_lab(np.array([1.0, 0, 0])) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)


@pytest.mark.parametrize("tone", skin_colour.TONES)
def test_a_base_colour_has_the_ita_it_says(tone: int) -> None:
    """Measured in the picture, the unlit colour's ITA is the one drawn, up to rounding to bytes."""
    rng = np.random.default_rng(tone)
    for _ in range(20):
        angle, linear = skin_colour.base(rng, tone)
        pixel = np.rint(colour.to_srgb(linear) * 255).astype(np.uint8)
        assert float(colour.ita(pixel)) == pytest.approx(angle, abs=2)


def test_types_do_not_overlap() -> None:
    """The range of each type's ITA ends where the next one's begins, or above it."""
    ranges = [tone.ita for tone in skin_colour.TONES.values()]
    assert all(lighter[0] >= darker[1] for lighter, darker in itertools.pairwise(ranges))
