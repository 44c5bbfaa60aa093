"""How images enter networks that say a mean and a deviation of each channel, and no more.

Not torchvision's transforms, which are the one part of it that would be used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Pixels


def normalised(mean: Sequence[float], deviation: Sequence[float], device: str) -> Callable[[Pixels], Tensor]:
    """What brings uint8 RGB, shape (n, height, width, 3), to floats (n, 3, height, width) on a device."""
    import torch

    middle, scale = (torch.tensor([*values], device=device).view(1, 3, 1, 1) for values in (mean, deviation))

    def enter(pixels: Pixels) -> Tensor:
        values = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div_(255)
        return values.sub_(middle).div_(scale)

    return enter
