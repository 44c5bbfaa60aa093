"""The sample grid: images that a model makes before training and after, from the same seeds, beside training images.

Drawn by Pillow and not by diffusers' ``make_image_grid``: its rows have names.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from synthgen.errors import DamagedError

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

NUM_INFERENCE_STEPS = 20
_GUIDANCE, _STRENGTH = 3.0, 0.97
_SHOWN = 128  # pixels a side
_MARGIN, _GAP = 78, 4


def draw(
    pipe: Any,
    prompts: Sequence[str],
    shown: Sequence[Pixels],
    side: int,
    *,
    inpaint: bool,
    within: AbstractContextManager[Any],
    first_seed: int = 0,
    finite: bool = False,
) -> Pixels:
    """Images of prompts, each from a seed of its own; for inpainting with the middle of the n-th image painted anew.

    Args:
        pipe: The pipeline.
        prompts: The prompts.
        shown: Photographs, uint8 RGB, shape (side, side, 3); one a prompt.
        side: Height and width in pixels.
        inpaint: Whether the pipeline paints into them.
        within: The precision to compute in.
        first_seed: The seed of the first; each has the next one.
        finite: Whether values that are not finite are refused; shown, they are black.

    Returns:
        uint8 RGB, shape (prompts, side, side, 3).

    Raises:
        DamagedError: ``finite`` is asked for, and an image is not.
    """
    import numpy as np
    import torch
    from PIL import Image

    options: dict[str, Any] = {}
    if inpaint:
        mask = np.zeros((side, side), np.uint8)
        mask[side // 4 : side - side // 4, side // 4 : side - side // 4] = 255
        options = {
            "image": [Image.fromarray(one) for one in shown],
            "mask_image": [Image.fromarray(mask)] * len(shown),
            "strength": _STRENGTH,
        }
    scheduler = pipe.scheduler
    with torch.inference_mode(), within:
        made = pipe(
            list(prompts),
            height=side,
            width=side,
            num_inference_steps=NUM_INFERENCE_STEPS,
            guidance_scale=_GUIDANCE,
            generator=[torch.Generator("cpu").manual_seed(first_seed + place) for place in range(len(prompts))],
            output_type="np",
            **options,
        ).images
    pipe.scheduler = type(scheduler).from_config(scheduler.config)
    if finite and not np.isfinite(made).all():
        raise DamagedError(
            "class_prompts: the model drew images that are not finite, which would teach it black; "
            "set mixed_precision: bf16, or `no`"
        )
    found: Pixels = np.rint(np.nan_to_num(made) * 255).clip(0, 255).astype(np.uint8)
    return found


def sheet(rows: Sequence[tuple[str, Sequence[Pixels]]]) -> bytes:
    """A PNG of rows of images with their names at the left."""
    from PIL import Image

    from synthgen.vision.picture_sheet import PictureSheet

    columns, step = max(len(row) for _, row in rows), _SHOWN + _GAP
    whole = PictureSheet(_MARGIN + columns * step, len(rows) * step)
    for y, (name, row) in enumerate(rows):
        whole.write(name, (6, y * step + _SHOWN // 2), 14, "black", "lm")
        for x, pixels in enumerate(row):
            picture = Image.fromarray(pixels).resize((_SHOWN, _SHOWN), Image.Resampling.BICUBIC)
            whole.paste(picture, (_MARGIN + x * step, y * step))
    return whole.png(optimize=True)
