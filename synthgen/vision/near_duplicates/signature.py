"""Signatures: images as 32 x 32 grey values without brightness and contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels

SIDE = 32
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_BATCH = 256
_FLAT = 1e-3  # of 255; below it, what is left of an image is rounding


def signatures(pixels: Pixels) -> Floats:
    """The signatures of images, float32, shape (n, 1024), each of norm 1; one that is flat has zeros alone.

    Args:
        pixels: uint8 RGB of any one size, shape (n, height, width, 3).

    Raises:
        InputError: The array is not such images.
    """
    import numpy as np
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
        raise InputError(f"near-duplicates: images of {pixels.dtype} {pixels.shape}; give uint8 (n, height, width, 3)")
    rows = np.zeros((len(pixels), SIDE * SIDE), np.float32)
    for start in range(0, len(pixels), _BATCH):
        part = torch.from_numpy(np.ascontiguousarray(pixels[start : start + _BATCH]))
        grey = (part.float() @ torch.tensor(_LUMA))[:, None]
        small = adaptive_avg_pool2d(grey, SIDE).flatten(1)
        small -= small.mean(1, keepdim=True)
        norm = small.norm(dim=1, keepdim=True)
        rows[start : start + _BATCH] = torch.where(norm > _FLAT * SIDE, small / norm, 0.0).numpy()
    return rows
