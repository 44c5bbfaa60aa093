"""How many planted faults curation finds in 2,000 phantoms, and how many sound images it rejects for nothing.

Planted are copies of real images, exact and changed, wrong labels, wrong skin tones, broken images and pictures of no
skin. Prints the table of ``docs/curate.md``: ``python benchmarks/planted.py``.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from copies import CHANGES
from PIL import Image, ImageFilter

from synthgen.curate.rules import interval
from synthgen.curate.scorers import Batch, Context, module
from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.render import Phantoms, render
from synthgen.plan import skin_tones
from synthgen.plan.manifest import rules
from synthgen.plan.real_index import Source
from synthgen.plan.sample import Record, field_types
from synthgen.vision.near_duplicates import THRESHOLD

LABELS = tuple(CONDITIONS)
TONES = ("I", "II", "III", "IV", "V", "VI")
SHARES = {"exact copy": 0.05, "changed copy": 0.05, "label": 0.05, "skin tone": 0.05, "broken": 0.05, "no skin": 0.02}
RULES = {
    "near_copy": f"near_copy.similarity < {THRESHOLD}",
    "agreement": "agreement.probability > 0.05",
    "skin_tone": "skin_tone.distance < 12",
    "quality": "quality.faults < 1",
    "domain": "domain.distance < 1.25",
}
MEANT = {
    "exact copy": "near_copy",
    "changed copy": "near_copy",
    "label": "agreement",
    "skin tone": "skin_tone",
    "broken": "quality",
    "no skin": "domain",
}
SETTINGS: dict[str, dict[str, bool]] = {"near_copy": {"others": False}, "skin_tone": {"calibrate": True}}
Pixels = npt.NDArray[np.uint8]


def drawn(count: int, seed: int) -> Phantoms:
    """Phantoms of site b, of every condition on every type in turn."""
    tones = [number // len(LABELS) % 6 + 1 for number in range(count)]
    return render([LABELS[number % len(LABELS)] for number in range(count)], tones, site="b", seed=seed)


def broken(image: Pixels, number: int) -> Pixels:
    """Black, flat or blurred, in turn."""
    match number % 3:
        case 0:
            return (image // 30).astype(np.uint8)
        case 1:
            return np.full_like(image, int(image.mean()))
        case _:
            return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(2.5)))


def no_skin(number: int, rng: np.random.Generator) -> Pixels:
    """Noise, checks, a ramp of colours, boxes, waves or lines as of text, in turn."""
    down, across = np.mgrid[0:64, 0:64]
    match number % 6:
        case 0:
            values = rng.integers(0, 256, (64, 64, 3))
        case 1:
            checks = (down // rng.integers(4, 12) + across // rng.integers(4, 12)) % 2 * 255
            values = np.repeat(checks[..., None], 3, 2)
        case 2:
            values = np.stack([down * 4, across * 4, 255 - down * 4], 2)
        case 3:
            values = np.zeros((64, 64, 3))
            for top, left, side in rng.integers([0, 0, 5], [50, 50, 30], (15, 3)):
                values[top : top + side, left : left + side] = rng.integers(0, 256, 3)
        case 4:
            waves = across[..., None] / rng.uniform(2, 8) + down[..., None] / rng.uniform(2, 8) + rng.uniform(0, 6, 3)
            values = 127 + 120 * np.sin(waves)
        case _:
            values = np.full((64, 64, 3), 240)
            for top in range(4, 60, 8):
                values[top : top + 4, rng.random(64) < 0.5] = 20
    return np.clip(values, 0, 255).astype(np.uint8)


def plant(made: Phantoms, real: Phantoms, rng: np.random.Generator) -> tuple[Pixels, list[str], list[int], list[str]]:
    """Images, the labels and tones that they were asked for, and what is wrong with each; empty for nothing."""
    images, labels, tones = made.images.copy(), list(made.labels), made.tones.tolist()
    kinds, places, begin = [""] * len(images), rng.permutation(len(images)), 0
    changes = list(CHANGES.values())[1:]
    for kind, share in SHARES.items():
        count = round(share * len(images))
        for number, place in enumerate(places[begin : begin + count].tolist()):
            kinds[place] = kind
            like = int(
                rng.choice(np.flatnonzero((np.array(real.labels) == labels[place]) & (real.tones == tones[place])))
            )
            match kind:
                case "exact copy":
                    images[place] = real.images[like]
                case "changed copy":
                    changed = changes[number % len(changes)](Image.fromarray(real.images[like]), rng)
                    images[place] = np.asarray(changed.resize((64, 64), Image.Resampling.LANCZOS))
                case "label":
                    labels[place] = str(rng.choice([each for each in LABELS if each != labels[place]]))
                case "skin tone":
                    tones[place] = int(rng.choice([each for each in range(1, 7) if each != tones[place]]))
                case "broken":
                    images[place] = broken(images[place], number)
                case _:
                    images[place] = no_skin(number, rng)
        begin += count
    return images, labels, tones, kinds


def blank() -> Record:
    """A record that says nothing."""
    return Record(**{name: kind() for name, kind in field_types().items()})


def context(real: Phantoms, batch: Batch, cache: Path) -> Context:
    """Real phantoms, by cells 70 % for training and 15 % each for validation and test."""
    images = {f"{number:064x}": image for number, image in enumerate(real.images)}
    cells, sources = 6 * len(LABELS), []
    for number, name in enumerate(images):
        turn = number // cells % 20
        split = "train" if turn < 14 else "validation" if turn < 17 else "test"
        label, tone = real.labels[number], int(real.tones[number])
        sources.append(Source(f"r{number}", label, tone, f"g{number}", split, "", "", "", sha256=name))
    read = lambda one: images[one.sha256]  # noqa: E731 - a field of the context
    return Context(LABELS, "fitzpatrick", 1, tuple(sources), read, lambda: iter([batch]), "planted", cache)


def main() -> None:
    """Plant, score, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--made", type=int, default=2000)
    parser.add_argument("--real", type=int, default=2160)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    real, made = drawn(options.real, 2 * options.seed + 1), drawn(options.made, 2 * options.seed + 2)
    images, labels, tones, kinds = plant(made, real, np.random.default_rng(options.seed))
    plain = blank()
    records = tuple(
        replace(plain, key=f"{number}", label=label, skin_tone=TONES[tone - 1], skin_tone_scale="fitzpatrick")
        for number, (label, tone) in enumerate(zip(labels, tones, strict=True))
    )
    batch, scores = Batch(records, images), {}
    with tempfile.TemporaryDirectory() as cache:
        told = context(real, batch, Path(cache))
        for name in RULES:
            settings = module(name).Settings(**SETTINGS.get(name, {}))
            found = module(name).open_scorer(settings, told).load()(batch)
            scores |= {f"{name}.{column}": np.asarray(found[column], float) for column in module(name).COLUMNS}
    kept = {name: rules.parse(text).judge(scores).holds for name, text in RULES.items()}
    show(kept, np.array(kinds))
    show_parity(kept, np.array(kinds) == "", made.tones)


def show(kept: dict[str, npt.NDArray[np.bool_]], kinds: npt.NDArray[np.str_]) -> None:
    """Print recall, precision and false rejections of each kind by the rule that is meant for it."""
    sound = kinds == ""
    print("| planted | images | rule | found by it | planted, of all it rejects | sound ones rejected | found by any |")
    print("|---|---:|---|---:|---:|---:|---:|")
    anything = ~np.all(list(kept.values()), axis=0)
    for kind, name in MEANT.items():
        here, rejected = kinds == kind, ~kept[name]
        precision = (rejected & ~sound).sum() / max(1, rejected.sum())
        print(
            f"| {kind} | {here.sum()} | `{RULES[name]}` | {rejected[here].mean():.1%} | {precision:.1%} | "
            f"{rejected[sound].mean():.1%} | {anything[here].mean():.1%} |"
        )
    print(f"\nOf {sound.sum():,} sound images, all rules together reject {anything[sound].mean():.1%}.")


def show_parity(
    kept: dict[str, npt.NDArray[np.bool_]], sound: npt.NDArray[np.bool_], tones: npt.NDArray[np.int64]
) -> None:
    """Print how often each rule rejects sound images of dark and of light skin."""
    print("\n| rule | dark skin rejected | light skin rejected | ratio | 95 % interval |\n|---|---:|---:|---:|---:|")
    groups = skin_tones.GROUPS["fitzpatrick"]
    dark, light = (sound & np.isin(tones, groups[name]) for name in ("dark", "light"))
    for name, of in kept.items():
        counts = [int(each.sum()) for group in (dark, light) for each in (group & ~of, group)]
        ratio = f"{counts[0] / counts[1] / (counts[2] / counts[3]):.2f}" if counts[2] else "-"
        low, high = interval(*counts)
        shares = f"{counts[0]} of {counts[1]} | {counts[2]} of {counts[3]}"
        print(f"| `{RULES[name]}` | {shares} | {ratio} | {low:.2f} to {high:.2f} |")


if __name__ == "__main__":
    main()
