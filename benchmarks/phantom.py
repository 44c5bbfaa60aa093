"""How fast phantoms are drawn, what colour their skin is, and how hard they are to tell apart, all on one core.

Prints images a second, the median ITA of the skin outside lesions by type, and what share of held-out phantoms of site
``a`` a small convolutional network names rightly after 16 to 1,000 images a class: over all, by tone and by condition.
Run with ``python benchmarks/phantom.py``; ``--grid docs`` draws the pictures of ``docs/phantom.md`` instead.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from synthgen.phantom import skin_colour
from synthgen.phantom.camera import SITES
from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.render import Phantoms, render
from synthgen.vision import colour

SIZES = {16: 3, 64: 2, 250: 1, 1000: 1}  # images a class: training sets to average over
EPOCHS, LEAST_STEPS, BATCH = 12, 300, 64
HELD_OUT = 144  # images a class
TONES = [tone.name for tone in skin_colour.TONES.values()]


def draw(per_class: int, site: str, seed: int) -> Phantoms:
    """Phantoms by class, so many of each, the tones taking turns through all of them."""
    labels = [label for label in CONDITIONS for _ in range(per_class)]
    return render(labels, [index % 6 + 1 for index in range(len(labels))], site=site, seed=seed)


def tensors(drawn: Phantoms) -> tuple[torch.Tensor, torch.Tensor]:
    """Images as the network takes them, and the number of each one's class."""
    pixels = torch.from_numpy(drawn.images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    names = list(CONDITIONS)
    classes = torch.tensor([names.index(label) for label in drawn.labels])
    return pixels.contiguous(memory_format=torch.channels_last), classes


def network() -> nn.Module:
    """Five convolutions down to 4 x 4 places, a mean over them, and a linear layer: a quarter of a million weights."""

    def block(before: int, after: int, stride: int) -> list[nn.Module]:
        return [
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]

    layers = [*block(3, 16, 2), *block(16, 32, 1), nn.MaxPool2d(2), *block(32, 64, 1), nn.MaxPool2d(2)]
    layers += [*block(64, 128, 1), nn.MaxPool2d(2), *block(128, 128, 1)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, len(CONDITIONS))]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def learn(drawn: Phantoms, seed: int) -> nn.Module:
    """Train the network: AdamW, one cycle of the learning rate, images flipped and turned by quarters."""
    torch.manual_seed(seed)
    model = network()
    images, classes = tensors(drawn)
    steps = max(LEAST_STEPS, EPOCHS * len(classes) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.2)
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < BATCH:
            order = torch.cat([order, torch.randperm(len(classes))])
        chosen, order = order[:BATCH], order[BATCH:]
        batch = turned(images[chosen])
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(batch), classes[chosen], label_smoothing=0.05).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def turned(batch: torch.Tensor) -> torch.Tensor:
    """The batch in four parts, each turned and flipped its own way."""
    parts = []
    for part in batch.chunk(4):
        quarter = torch.rot90(part, int(torch.randint(4, ())), (2, 3))
        parts.append(quarter.flip(3) if torch.rand(()) < 0.5 else quarter)
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def right(model: nn.Module, drawn: Phantoms) -> np.ndarray:
    """Whether the network names each phantom rightly."""
    images, classes = tensors(drawn)
    named = torch.cat([model(part).argmax(1) for part in images.split(256)])
    return (named == classes).numpy()


def speed(site: str) -> float:
    """Images a second on one core, the median of five turns through all conditions and tones."""
    draw(6, site, 1)
    rates = []
    for turn in range(5):
        began = time.perf_counter()
        rates.append(len(draw(24, site, turn).seeds) / (time.perf_counter() - began))
    return float(np.median(rates))


def bare_ita(site: str) -> dict[str, float]:
    """The median ITA of the pixels outside lesions of each type's images, by type."""
    drawn = draw(96, site, 2)
    angles = colour.ita(drawn.images)
    return {
        name: float(np.median(angles[drawn.tones == tone][~drawn.masks[drawn.tones == tone]]))
        for tone, name in enumerate(TONES, 1)
    }


def grid(folder: Path) -> None:
    """Draw each condition (a row) on each type (two columns), a picture a site."""
    for site in SITES:
        tones = [1 + index // 2 for index in range(12)]
        rows = [np.concatenate(list(render([label] * 12, tones, site=site, seed=0).images), 1) for label in CONDITIONS]
        picture = Image.fromarray(np.concatenate(rows))
        picture = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
        picture.save(folder / f"phantom_{site}.png", optimize=True)


def curve() -> None:
    """Print the learning curve, over all, by tone and by condition, and how the largest network fares on site b."""
    test = draw(HELD_OUT, "a", 1_000_000)
    other = draw(HELD_OUT, "b", 1_000_000)
    print(f"{'site a':<12}{'over all':>10}" + "".join(f"{name:>7}" for name in TONES) + f"{'seconds':>9}")
    for per_class, repeats in SIZES.items():
        began, found = time.perf_counter(), []
        for seed in range(repeats):
            model = learn(draw(per_class, "a", 10 + seed), seed)
            found.append(right(model, test))
        line(f"{per_class:,} a class", np.mean(found, 0), test, (time.perf_counter() - began) / repeats)
    line("on site b", right(model, other), other)
    print("\nby condition, 1,000 a class of site a")
    for label in CONDITIONS:
        chosen = np.array([each == label for each in test.labels])
        print(f"{label:<26}{np.mean(found, 0)[chosen].mean():>6.1%}")


def line(name: str, hits: np.ndarray, drawn: Phantoms, seconds: float | None = None) -> None:
    """Print a row of the learning curve."""
    tones = "".join(f"{hits[drawn.tones == tone].mean():>7.1%}" for tone in skin_colour.TONES)
    spent = "" if seconds is None else f"{seconds:>9.0f}"
    print(f"{name:<14}{hits.mean():>8.1%}{tones}{spent}", flush=True)


def main() -> None:
    """Print every table, or draw the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=Path, metavar="FOLDER", help="draw the pictures there, and nothing else")
    arguments = parser.parse_args()
    if arguments.grid:
        grid(arguments.grid)
        return
    torch.set_num_threads(1)
    for site in SITES:
        print(f"site {site}: {speed(site):.0f} images/s on one core")
    print(f"\n{'median ITA':<12}" + "".join(f"{name:>7}" for name in TONES))
    for site in SITES:
        print(f"{'site ' + site:<12}" + "".join(f"{angle:>7.1f}" for angle in bare_ita(site).values()))
    print()
    curve()


if __name__ == "__main__":
    main()
