"""MixUp and CutMix: each image of a batch mixed with another, and so are their labels.

MixUp is of H. Zhang et al., ICLR 2018 (arXiv 1710.09412), CutMix of S. Yun et al., ICCV 2019 (arXiv 1905.04899). Not
timm's or torchvision's: neither is a dependency, and both draw from global states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np

_MIXUP, _CUTMIX = 0.2, 1.0  # of the Beta distribution that shares are drawn from, as in the papers


@dataclass(frozen=True)
class Mixing:
    """How a batch is mixed with itself.

    Attributes:
        share: Of the loss that an image's own label has; 1 where nothing is mixed.
        order: The row that each row is mixed with, shape (n,); ``None`` where nothing is mixed.
        box: Of CutMix: the left, top, right and lower end of what is pasted, as shares of width and height; ``None``
            for MixUp.
    """

    share: float
    order: Any = None
    box: tuple[float, float, float, float] | None = None

    @classmethod
    def none(cls) -> Self:
        """Nothing is mixed."""
        return cls(1.0)

    @classmethod
    def drawn(cls, name: str, count: int, rng: np.random.Generator) -> Self:
        """One mixing of a batch of so many images; none of a name that is neither ``mixup`` nor ``cutmix``."""
        import math

        import torch

        if name not in ("mixup", "cutmix"):
            return cls.none()
        even = _MIXUP if name == "mixup" else _CUTMIX
        own = float(rng.beta(even, even))
        order = torch.from_numpy(rng.permutation(count))
        if name == "mixup":
            return cls(own, order)
        side, centre = math.sqrt(1 - own), rng.random(2)
        left, top = (max(0.0, float(at) - side / 2) for at in centre)
        right, low = (min(1.0, float(at) + side / 2) for at in centre)
        return cls(1 - (right - left) * (low - top), order, (left, top, right, low))

    def apply(self, images: Any) -> Any:
        """The images mixed, float tensors of shape (n, channels, height, width)."""
        if self.order is None:
            return images
        order = self.order.to(images.device)
        if self.box is None:
            return self.share * images + (1 - self.share) * images[order]
        height, width = images.shape[-2:]
        left, right = (round(end * width) for end in (self.box[0], self.box[2]))
        top, low = (round(end * height) for end in (self.box[1], self.box[3]))
        mixed = images.clone()
        mixed[..., top:low, left:right] = images[order][..., top:low, left:right]
        return mixed

    def loss(self, logits: Any, targets: Any) -> Any:
        """The cross entropy of logits (n, classes) with labels mixed as the images are."""
        from torch.nn.functional import cross_entropy

        own = cross_entropy(logits, targets)
        if self.order is None:
            return own
        return self.share * own + (1 - self.share) * cross_entropy(logits, targets[self.order.to(targets.device)])
