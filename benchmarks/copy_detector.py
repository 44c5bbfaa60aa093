"""What the detector of copies finds, on light and dark skin, by what was done to an image; and what it takes for one.

Images are phantoms of site ``b``. Unrelated ones set the tails; others, as unrelated, are counted where they are taken
for copies. Prints the tables of ``docs/copies.md``: ``python benchmarks/copy_detector.py``.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from copies import CHANGES, THRESHOLD, cropped, stored
from PIL import Image, ImageFilter, ImageOps

from synthgen.curate.rules import interval
from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.render import render
from synthgen.plan import skin_tones
from synthgen.vision.near_duplicates import CHANCE, Calibration, Matcher, References, signatures

Pixels = npt.NDArray[np.uint8]
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def pasted(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """An image made smaller, somewhere on another colour."""
    side = round(image.width * share)
    left, top = (int(each) for each in rng.integers(0, image.width - side + 1, 2))
    within = Image.new("RGB", image.size, tuple(int(each) for each in rng.integers(0, 256, 3)))
    within.paste(image.resize((side, side), Image.Resampling.LANCZOS), (left, top))
    return within


def stretched(image: Image.Image) -> Image.Image:
    """An image stretched by 1.25 along one side, and its middle square."""
    width = round(image.width * 1.25)
    left = (width - image.width) // 2
    wide = image.resize((width, image.height), Image.Resampling.LANCZOS)
    return wide.crop((left, 0, left + image.width, image.height))


def darkened(image: Image.Image, gain: float, gamma: float) -> Image.Image:
    """An image of less light."""
    return Image.fromarray((255 * gain * (np.asarray(image) / 255) ** gamma).astype(np.uint8))


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """An image turned about its middle, its corners black."""
    return image.rotate(degrees, Image.Resampling.BICUBIC)


MORE: dict[str, Change] = {
    "JPEG at quality 20": lambda image, _: stored(image, 20),
    "blurred by 2 pixels": lambda image, _: image.filter(ImageFilter.GaussianBlur(2)),
    "anywhere, 0.6 of the side": lambda image, rng: cropped(image, 0.6, rng.random(2)),
    "turned by 5 degrees": lambda image, rng: turned(image, 5 * rng.choice([-1, 1])),
    "turned by 10 degrees": lambda image, rng: turned(image, 10 * rng.choice([-1, 1])),
    "turned by 15 degrees": lambda image, rng: turned(image, 15 * rng.choice([-1, 1])),
    "turned by 30, 60, ... or 330 degrees": lambda image, rng: turned(image, 30 * int(rng.integers(1, 12))),
    "turned by any angle and mirrored": lambda image, rng: ImageOps.mirror(turned(image, rng.uniform(0, 360))),
    "negative": lambda image, _: ImageOps.invert(image),
    "pasted at 0.8 of the side": lambda image, rng: pasted(image, 0.8, rng),
    "pasted at 0.7 of the side": lambda image, rng: pasted(image, 0.7, rng),
    "stretched by 1.25": lambda image, _: stretched(image),
    "gamma 2": lambda image, _: darkened(image, 1, 2),
    "half as bright": lambda image, _: darkened(image, 0.5, 1),
}


def drawn(count: int, seed: int) -> tuple[Pixels, npt.NDArray[np.str_]]:
    """Phantoms of site b, of every condition on every type in turn, and the group of each one's tone."""
    names = list(CONDITIONS)
    tones = [number // len(names) % 6 + 1 for number in range(count)]
    made = render([names[number % len(names)] for number in range(count)], tones, site="b", seed=seed)
    groups = skin_tones.GROUPS["fitzpatrick"]
    return made.images, np.array([next(name for name in groups if tone in groups[name]) for tone in tones])


def main() -> None:
    """Draw, calibrate, search and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=int, default=1200, help="images to search among")
    parser.add_argument("--calibration", type=int, default=1800, help="unrelated images that the tails are fitted to")
    parser.add_argument("--unrelated", type=int, default=12000, help="unrelated images that are counted")
    parser.add_argument("--copies", type=int, default=300, help="copies of each kind")
    options = parser.parse_args()
    real, tones = drawn(options.real, seed=1)
    rows = signatures(real)
    known, former = Matcher(rows), References(rows)
    fitted, groups = drawn(options.calibration, seed=2)
    calibration = Calibration.fit(known.match(signatures(fitted)), groups.tolist())
    other, groups = drawn(options.unrelated, seed=3)
    others = signatures(other)
    began = time.process_time()
    chances = calibration.chances(known.match(others), groups.tolist()).min(1)
    middle = time.process_time()
    similarity = former.nearest(others).similarity
    speed = [len(others) / spent for spent in (middle - began, time.process_time() - middle)]
    print("| taken for copies, of unrelated images | light skin | dark skin | ratio | 95 % interval |")
    print("|---|---:|---:|---:|---:|")
    for name, taken in {
        **{f"chance of {limit:g} and less": chances <= limit for limit in (CHANCE, CHANCE / 10)},
        f"`near_copy.similarity` from {THRESHOLD} on": similarity >= THRESHOLD,
    }.items():
        counts = [int(each.sum()) for group in ("dark", "light") for each in (taken[groups == group], groups == group)]
        ratio = f"{counts[0] / counts[1] / (counts[2] / counts[3]):.2f}" if counts[2] else "-"
        low, high = interval(*counts)
        shares = f"{counts[2]} of {counts[3]:,} | {counts[0]} of {counts[1]:,}"
        print(f"| {name} | {shares} | {ratio} | {low:.2f} to {high:.2f} |")
    print("\n| copy | found, light skin | found, dark skin | by `near_copy.similarity` |\n|---|---:|---:|---:|")
    chosen = np.flatnonzero(np.isin(tones, ("light", "dark")))[: options.copies]
    total = []
    for name, change in (CHANGES | MORE).items():
        rng = np.random.default_rng(0)
        copies = np.stack([np.asarray(change(Image.fromarray(each), rng).resize((64, 64))) for each in real[chosen]])
        signed = signatures(copies)
        found = known.match(signed)
        right = (calibration.chances(found, tones[chosen].tolist()) <= CHANCE) & (found.index == chosen[:, None])
        old = former.nearest(signed)
        before = (old.similarity >= THRESHOLD) & (old.index == chosen)
        shares = [right.any(1)[tones[chosen] == group].mean() for group in ("light", "dark")]
        total.append(shares)
        print(f"| {name} | {shares[0]:.1%} | {shares[1]:.1%} | {before.mean():.1%} |", flush=True)
    light, dark = np.mean(total, 0)
    print(f"| all | {light:.1%} | {dark:.1%} | |")
    print(f"\nMatched a second of CPU, among {options.real:,}: {speed[0]:.0f} images, by the former {speed[1]:.0f}.")


if __name__ == "__main__":
    main()
