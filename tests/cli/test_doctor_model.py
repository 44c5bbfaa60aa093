"""``synthgen doctor --model``: which cards a model fits, before it is downloaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_model_is_told_with_the_cards_that_it_fits(
    synthgen: Callable[..., Any], tiny_model: Callable[[str], Path]
) -> None:
    """One for inpainting too."""
    for family in ("sd", "sd-inpainting"):
        told = synthgen("doctor", "--model", str(tiny_model(family)), "--size", "64x64")
        assert told.code == 0
        assert "images that fit a card of 16 GB" in told.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "./nowhere"], "no folder"),
        (["--model", "phantom", "--size", "64"], "give width and height from 8 to 8192 pixels, as 1024x768"),
        (["--model", "phantom", "--size", "66x64"], "must be a multiple of"),
        (["--size", "64x64"], "--size is for --model"),
        (["--model", "phantom", "--steps", "A"], "--steps is for --benchmark"),
        (["--model", "phantom", "--device", "cpu"], "--device is for --benchmark"),
        (["--model", "phantom", "--benchmark"], "--model is for no --benchmark"),
    ],
)
def test_what_is_wrong_is_one_line(synthgen: Callable[..., Any], arguments: list[str], said: str) -> None:
    """With what to do."""
    told = synthgen("doctor", *arguments)
    assert told.code == 2
    assert said in told.err
