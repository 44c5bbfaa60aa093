"""Prior images are what a model draws, and nothing that it could not draw is trained on."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synthgen.errors import DamagedError
from synthgen.finetune import prior
from synthgen.finetune.methods import lora


class Scheduler:
    """As much of a scheduler as is set back after drawing."""

    config: dict[str, Any] = {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Scheduler":
        """Another one of that configuration."""
        assert config == cls.config
        return cls()


class Draws:
    """A pipeline that draws grey, and in one place of the last image what it is told to."""

    def __init__(self, value: float) -> None:
        self.scheduler, self._value = Scheduler(), value

    def __call__(self, prompts: list[str], *, height: int, width: int, **options: Any) -> SimpleNamespace:
        """Images from 0 to 1."""
        images = np.full((len(prompts), height, width, 3), 0.5, np.float32)
        images[-1, 0, 0, 0] = self._value
        return SimpleNamespace(images=images)


def drawn(value: float) -> prior.PriorImages:
    """The prior images of that pipeline."""
    settings = lora.Settings(resolution=8, with_prior_preservation=True, class_prompts=["skin"], num_class_images=2)
    return prior.images(Draws(value), settings, "0" * 64, within=nullcontext, inpaint=False)


def test_prior_images_are_those_drawn() -> None:
    """Each comes with its prompt, in eight bits."""
    assert [(text, pixels.shape, int(pixels.max())) for text, pixels in drawn(1.0)] == [
        ("skin", (8, 8, 3), 128),
        ("skin", (8, 8, 3), 255),
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_prior_image_that_is_not_finite_is_refused(value: float) -> None:
    """One bad value is enough: as a black image it would be learned."""
    with pytest.raises(DamagedError, match="mixed_precision"):
        drawn(value)
