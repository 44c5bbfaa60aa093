"""What is found and put together on the device is what numpy makes of the pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.core.model_folder import BUNDLED, describe
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import Pipeline, latents
from synthgen.vision.images import codec

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pipe() -> Any:
    """The bundled model."""
    return pipelines.load_diffusers("text2img", describe(BUNDLED, Path()), "", "float32")


def test_every_value_under_a_mask_is_encoded_as_numpy_would(pipe: Any) -> None:
    """Grey where the mask is, and each of the 256 values elsewhere, to the bit."""
    import torch

    values = np.arange(64 * 64 * 3, dtype=np.uint32).reshape(1, 64, 64, 3) // 7 % 256
    images, mask = values.astype(np.uint8), np.zeros((1, 64, 64), bool)
    mask[:, 10:30] = True
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    here = latents.of_images(pipe, images, generators[:1], grey=mask)
    grey = np.where(mask[..., None], 0.5, images / 255)
    assert torch.equal(here, latents.of_images(pipe, grey, generators[1:]))


@pytest.mark.parametrize(("low", "high", "said"), [(0.0, 16.2, "black"), (90.0, 98.0, "flat"), (90.0, 99.0, "")])
def test_a_blank_image_is_told_by_its_extremes(pipe: Any, low: float, high: float, said: str) -> None:
    """As it is by its pixels."""
    import torch

    pixels = torch.full((2, 3, 8, 8), low / 255)
    pixels[1, 2, 3, 4] = high / 255
    pipeline = Pipeline(pipe, "float32")
    pipeline._finite.append(torch.ones(2, dtype=torch.bool))
    made = pipeline._to_uint8(pixels)
    assert made.extremes is not None
    assert codec.blank(made.pixels[1], made.extremes[1]) == codec.blank(made.pixels[1]) == said
