"""How many copies of real images are found, by what was done to them, and how many other images are taken for copies.

Real images are phantoms of site ``b``. Prints the table of ``docs/curate.md``: ``python benchmarks/copies.py``.
"""

import argparse
import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.render import render
from synthgen.vision.near_duplicates import THRESHOLD, nearest, signatures

Pixels = npt.NDArray[np.uint8]
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def drawn(count: int, seed: int) -> Pixels:
    """Phantoms of site b, of every condition on every type in turn."""
    names = list(CONDITIONS)
    tones = [number // len(names) % 6 + 1 for number in range(count)]
    return render([names[number % len(names)] for number in range(count)], tones, site="b", seed=seed).images


def stored(image: Image.Image, quality: int) -> Image.Image:
    """An image as a JPEG of that quality keeps it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cropped(image: Image.Image, share: float, place: npt.NDArray[np.float64]) -> Image.Image:
    """A square of an image, of that share of its side, at the old size."""
    side = round(image.width * share)
    left, top = (int(each) for each in (place * (image.width - side)).round())
    return image.crop((left, top, left + side, top + side)).resize(image.size, Image.Resampling.LANCZOS)


def recoloured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """An image with other gains, offsets and gamma."""
    values = np.asarray(image) * rng.uniform(0.8, 1.2, 3) + rng.uniform(-20, 20, 3)
    return Image.fromarray((255 * (np.clip(values, 0, 255) / 255) ** rng.uniform(0.75, 1.33)).astype(np.uint8))


def noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """An image with noise of 6 of 255."""
    return Image.fromarray(np.clip(np.asarray(image) + rng.normal(0, 6, (64, 64, 3)), 0, 255).astype(np.uint8))


def everything(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """An image mirrored, cropped, recoloured and stored as a JPEG."""
    image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return stored(recoloured(cropped(image, rng.uniform(0.75, 0.95), rng.random(2)), rng), 60)


MIDDLE = np.array([0.5, 0.5])
CHANGES: dict[str, Change] = {
    "exact": lambda image, _: image,
    "mirrored": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image, _: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "JPEG at quality 40": lambda image, _: stored(image, 40),
    "recoloured": recoloured,
    "blurred by 1 pixel": lambda image, _: image.filter(ImageFilter.GaussianBlur(1)),
    "with noise": noisy,
    "enlarged to 512 x 512": lambda image, _: image.resize((512, 512), Image.Resampling.BICUBIC),
    "middle, 0.8 of the side": lambda image, _: cropped(image, 0.8, MIDDLE),
    "anywhere, 0.9 of the side": lambda image, rng: cropped(image, 0.9, rng.random(2)),
    "anywhere, 0.8 of the side": lambda image, rng: cropped(image, 0.8, rng.random(2)),
    "anywhere, 0.7 of the side": lambda image, rng: cropped(image, 0.7, rng.random(2)),
    "mirrored, cropped, recoloured and JPEG": everything,
}


def main() -> None:
    """Draw, change, search and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=int, default=3530, help="real images to search among")
    parser.add_argument("--copies", type=int, default=500, help="copies of each kind")
    parser.add_argument("--others", type=int, default=2000, help="images that are no copies")
    options = parser.parse_args()
    real = drawn(options.real, seed=1)
    rows = signatures(real)
    print(
        f"Found among {options.real:,} real images above a similarity of {THRESHOLD}:\n\n| copy | found |\n|---|---:|"
    )
    for name, change in CHANGES.items():
        rng = np.random.default_rng(0)
        copies = np.stack([np.asarray(change(Image.fromarray(each), rng)) for each in real[: options.copies]])
        found = nearest(signatures(copies), rows)
        right = (found.similarity > THRESHOLD) & (found.index == np.arange(len(copies)))
        print(f"| {name} | {right.mean():.1%} |", flush=True)
    other = nearest(signatures(drawn(options.others, seed=2)), rows).similarity
    print(f"\nOf {options.others:,} other images, {(other > THRESHOLD).mean():.2%} are taken for copies;", end=" ")
    print(f"99 of 100 stay below {np.quantile(other, 0.99):.3f}, the highest has {other.max():.3f}.")


if __name__ == "__main__":
    main()
