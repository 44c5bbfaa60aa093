"""Backbones, which turn images into frozen features, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synthgen.errors import InputError
from synthgen.vision.features import named

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels

GABOR, EFFICIENTNET = "gabor", "efficientnet-lite0"
NAMES = (GABOR, EFFICIENTNET)


@dataclass(frozen=True, slots=True)
class Backbone:
    """A way to compute frozen features, with its name and origin.

    Attributes:
        name: As it was asked for.
        digest: What features are cached under; another formula, other weights or another library, another digest.
        dim: Features an image.
        size: The side in pixels that images are brought to.
        origin: One sentence on what its weights were learned from.
        compute: From uint8 RGB (n, size, size, 3) to float32 (n, dim).
    """

    name: str
    digest: str
    dim: int
    size: int
    origin: str
    compute: Callable[[Pixels], Floats] = field(repr=False, compare=False)

    def __call__(self, pixels: Pixels) -> Floats:
        """The features of images of any one size, float32, shape (n, dim).

        Args:
            pixels: uint8 RGB, shape (n, height, width, 3); the middle square is brought to the backbone's size.

        Raises:
            InputError: The array is not such images.
        """
        import numpy as np

        from synthgen.vision.images import untrusted

        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
            raise InputError(f"{self.name}: images of {pixels.dtype} {pixels.shape}; give uint8 (n, height, width, 3)")
        if not len(pixels):
            return np.empty((0, self.dim), np.float32)
        if pixels.shape[1:3] != (self.size, self.size):
            pixels = np.stack([untrusted.fit(each, self.size, self.size, "crop") for each in pixels])
        return self.compute(np.ascontiguousarray(pixels))


def backbone(name: str, *, revision: str | None = None, device: str = "cpu", half: bool = False) -> Backbone:
    """The backbone of a name.

    Args:
        name: ``gabor``; ``efficientnet-lite0``; a word of :data:`~synthgen.vision.features.named.WORDS`; a folder, from
            the current one, of transformers, timm or OpenCLIP, told by its files; or a Hub id, of transformers unless
            it begins with ``timm:`` or ``open_clip:``.
        revision: The commit or branch of a Hub id; the newest without it.
        device: torch's device for a network; ``gabor`` stays on the CPU.
        half: Whether a network computes under autocast to bfloat16; its norms and what comes out stay in float32. The
            digest says so, and the device where it is not the CPU, since either moves last digits.

    Raises:
        UnavailableError: There is no such backbone here; the line says what to install or give.
    """
    if name == GABOR:
        return _gabor()
    if name == EFFICIENTNET:
        from synthgen.vision.features import efficientnet

        return Backbone(name, *_on(device, efficientnet.load(device), half=half))
    checkpoint = named.stands_for(name)
    digest, dim, size, origin, compute = _loader(checkpoint.library)(checkpoint.name, revision, device)
    known = (digest, dim, size, checkpoint.trained_on or origin, compute)
    return Backbone(name, *_on(device, known, half=half))


def _loader(library: named.Library) -> Callable[..., tuple[str, int, int, str, Callable[[Pixels], Floats]]]:
    """What loads the checkpoints of a library."""
    if library == "timm":
        from synthgen.vision.features import timm_models

        return timm_models.load
    if library == "open_clip":
        from synthgen.vision.features import open_clip_models

        return open_clip_models.load
    from synthgen.vision.features import pretrained

    return pretrained.load


def _on(
    device: str, loaded: tuple[str, int, int, str, Callable[[Pixels], Floats]], *, half: bool
) -> tuple[str, int, int, str, Callable[[Pixels], Floats]]:
    """What a network's loader gave, with the device and the dtype in its digest, and computing in that dtype."""
    digest, dim, size, origin, compute = loaded
    if device != "cpu":
        digest += f"/{device}"
    if not half:
        return digest, dim, size, origin, compute

    def in_half(pixels: Pixels) -> Floats:
        import torch

        with torch.autocast(device, torch.bfloat16):
            return compute(pixels)

    return f"{digest}/bf16", dim, size, origin, in_half


def _gabor() -> Backbone:
    from importlib.metadata import version

    from synthgen.vision.features import gabor

    digest = f"{gabor.VERSION}/torch-{version('torch')}"
    return Backbone(GABOR, digest, gabor.dim(), gabor.SIDE, gabor.ORIGIN, gabor.describe)
