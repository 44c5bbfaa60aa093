"""How the measures of fidelity move with the number of images, and what they say of images that are known to differ.

Phantoms of one camera are the real images. Held against them are others of the same camera, for which a measure should
say that there is no difference; the same conditions by the other camera; half of the labels alone; and copies of
training images, flipped and saved again as JPEG. Run with ``python benchmarks/fidelity.py``; it writes the tables of
docs/fidelity.md.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.render import render
from synthgen.vision.features import backbone
from synthgen.vision.metrics import MEASURES, Measured, compare, nearest
from synthgen.vision.metrics.memorisation import memorisation

PAGE = Path(__file__).parents[1] / "docs/fidelity.md"
BEGIN, END = "<!-- measured: made by `python benchmarks/fidelity.py` -->", "<!-- /measured -->"
SIZES = (25, 50, 100, 200, 400)
Pixels, Floats = NDArray[np.uint8], NDArray[np.float32]


def draw(count: int, site: str, start: int) -> tuple[Pixels, NDArray[np.str_]]:
    """So many phantoms in an order by chance, and their labels; another start, other phantoms."""
    labels = [list(CONDITIONS)[number % len(CONDITIONS)] for number in range(count)]
    drawn = render(
        labels, [number // len(CONDITIONS) % 6 + 1 for number in range(count)], site=site, seed=7, start=start
    )
    order = np.random.default_rng(start).permutation(count)
    return drawn.images[order], np.array(labels)[order]


def copied(pixels: Pixels) -> Pixels:
    """Images turned left to right and saved as JPEG of quality 80."""
    copies = []
    for image in pixels:
        file = io.BytesIO()
        Image.fromarray(image[:, ::-1]).save(file, "JPEG", quality=80)
        copies.append(np.asarray(Image.open(file)))
    return np.stack(copies)


def sets(count: int) -> tuple[Floats, Floats, dict[str, Floats]]:
    """Features of real training images, of real test images, and of every set that stands for generated ones."""
    (training, _), (test, _), (same, labels), (other, _) = (
        draw(count, site, start) for site, start in (("a", 0), ("a", 10_000), ("a", 20_000), ("b", 20_000))
    )
    half = same[np.isin(labels, list(CONDITIONS)[: len(CONDITIONS) // 2])]
    shown = {"same camera": same, "other camera": other, "half of the labels": half, "copies": copied(training)}
    describe = backbone("gabor")
    return describe(training), describe(test), {name: describe(pixels) for name, pixels in shown.items()}


def tables(count: int) -> Iterator[str]:
    """The two tables as Markdown."""
    training, test, shown = sets(count)
    yield f"| n | {' | '.join(MEASURES)} |\n|---:|{'---:|' * len(MEASURES)}"
    for size in (one for one in SIZES if one <= count):
        found, _ = compare(shown["same camera"], test[:size], training[:size])
        yield f"| {size} | {' | '.join(_text(found.measures[name]) for name in MEASURES)} |"
    yield f"\n| images | n | {' | '.join(MEASURES)} | memorised |\n|---|---:|{'---:|' * (len(MEASURES) + 1)}"
    held_out = nearest(test, training)[0]
    for name, features in shown.items():
        found, _ = compare(features, test[: len(features)], training)
        rate = memorisation(nearest(features, training)[0], held_out).rate
        values = [_text(found.measures[measure]) for measure in MEASURES]
        yield f"| {name} | {found.n} | {' | '.join(values)} | {rate.value:.1%} |"


def _text(found: Measured) -> str:
    """Value and standard error to three places."""
    return f"{found.value:.3f}" if np.isnan(found.standard_error) else f"{found.value:.3f} ± {found.standard_error:.3f}"


def main() -> None:
    """Measure, and write the tables into the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=400, help="phantoms a set")
    count = options.parse_args().count
    with threadpool_limits(1, user_api="blas"):
        lines = "\n".join(tables(count))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{lines}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(lines)


if __name__ == "__main__":
    main()
