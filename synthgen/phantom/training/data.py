"""The training images: phantoms of site a, drawn once and kept as one array on disk."""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from synthgen.phantom import render
from synthgen.phantom.training.recipe import LABELS, SIDE, TONES, Recipe

_CHUNK = 125
Images = npt.NDArray[np.uint8]


class TrainingPhantoms:
    """Every training phantom; image i has ``labels[i]`` (its place in :data:`LABELS`) and ``tones[i]`` (1 to 6).

    Attributes:
        images: uint8, shape (n, 64, 64, 3), read from disk as it is used.
        labels: int64, shape (n,).
        tones: int64, shape (n,).
    """

    def __init__(self, images: Images, per_cell: int) -> None:
        self.images = images
        cells = [(label, tone) for label in range(len(LABELS)) for tone in TONES]
        self.labels = np.repeat([label for label, _ in cells], per_cell)
        self.tones = np.repeat([tone for _, tone in cells], per_cell)

    def __len__(self) -> int:
        return len(self.labels)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Images, npt.NDArray[np.int64]]:
        """Images drawn with equal chance, each mirrored or not along both axes, and their indices."""
        chosen = rng.integers(0, len(self), count)
        images = self.images[chosen]
        for axis in (1, 2):
            mirrored = rng.random(count) < 0.5
            images[mirrored] = np.flip(images[mirrored], axis)
        return images, chosen


def load(folder: Path, recipe: Recipe) -> TrainingPhantoms:
    """The training phantoms of a recipe, drawn now if they are not in ``folder`` yet."""
    name = f"phantoms-{recipe.seed}-{recipe.per_cell}.npy"
    path = folder / name
    if not path.exists():
        scratch = folder / f".{name}"
        cells = [(label, tone) for label in LABELS for tone in TONES]
        count = recipe.per_cell
        images = np.lib.format.open_memmap(
            scratch, mode="w+", dtype=np.uint8, shape=(len(cells) * count, SIDE, SIDE, 3)
        )
        parts = [
            (label, tone, recipe.seed, first, min(_CHUNK, count - first))
            for label, tone in cells
            for first in range(0, count, _CHUNK)
        ]
        place = 0
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            for part in pool.map(_draw, parts):
                images[place : place + len(part)] = part
                place += len(part)
        images.flush()
        del images
        scratch.rename(path)
    return TrainingPhantoms(np.load(path, mmap_mode="r"), recipe.per_cell)


def _draw(part: tuple[str, int, int, int, int]) -> Images:
    label, tone, seed, first, count = part
    return render.render([label] * count, [tone] * count, site="a", seed=seed, start=first).images


def blur(images: Images, rng: np.random.Generator) -> Images:
    """The images as a bad camera would take them, out of focus and grainy, in their shape."""
    import torch

    pixels = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    small = torch.nn.functional.interpolate(pixels, scale_factor=0.25, mode="area")
    soft = torch.nn.functional.interpolate(small, size=images.shape[1:3], mode="bicubic", align_corners=False)
    grainy = soft.permute(0, 2, 3, 1).numpy() + rng.normal(0, 6, images.shape)
    return np.clip(np.rint(grainy), 0, 255).astype(np.uint8)
