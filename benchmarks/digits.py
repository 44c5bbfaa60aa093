"""A study on real images that nobody here drew: does diffusion help a classifier of handwritten digits that are few?

The 1,797 digits of scikit-learn (UCI, 8 x 8 pixels, by 43 writers) are the real images. For each n and seed a small
diffusion model (a diffusers UNet on pixels, conditioned on the digit) is trained from nothing on only the n images a
digit that the classifiers of that trial see, and ten synthetic images are drawn for each. They are written as a dataset
that says what each model was trained on, and `synthgen classifier-eval` does the rest.

Run with ``python benchmarks/digits.py``: it writes docs/digits/. What is made lies in runs/digits/; killed and run
again, finished models are not trained again. What is published can be scored again, to the same bytes:
``synthgen classifier-eval docs/digits/manifest.yaml --out docs/digits --rescore``.
"""

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgen.core import atomic, processes
from synthgen.extensions import EXTENSIONS
from synthgen.plan import manifest as manifests
from synthgen.plan import real_pools
from synthgen.plan.sample import Record
from synthgen.runs import load_plan, tar_samples

ROOT = Path(__file__).parents[1]
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIZES, SEEDS, RATIO, SIDE = (8, 32), 3, 10, 32
STEPS, BATCH, SAMPLING = 1200, 64, 30
KEPT = (
    "report.md", "results.csv", "comparisons.csv", "by_label.csv", "class_figures.csv", "reliability.csv",
    "predictions.parquet", "validation.parquet",
)  # fmt: skip
MANIFEST = """# What:   does a diffusion model trained on only the digits that a classifier sees help it?
# Run:    python benchmarks/digits.py
name: digits
seed: 42
labels: {labels}
skin_tones: {{scale: fitzpatrick, values: [1]}}    # a manifest needs a scale; digits have no tone
real: {{source: folder, path: real, splits: {{train: 0.5, validation: 0.15, test: 0.35}}, license: CC-BY-4.0}}
generate: [{{strategy: fake, per_cell: 1, settings: {{height: 32, width: 32}}}}]    # not used
evaluate:
  synthetic: dataset
  n_real: [8, 32]
  ratios: [1, 10]
  seeds: 3
  near_copies: 0.999    # at the detector's own similarity all digits of a kind are copies of each other
  learner: {{kind: finetune, backbone: small-cnn, image_size: 32, optimizer_steps: 300}}
  strategies: {{diffusion: [{entries}]}}
"""
Pixels = NDArray[np.uint8]


def write_real(folder: Path) -> None:
    """Write the digits as an image folder, four times as large."""
    from sklearn.datasets import load_digits

    found = load_digits()
    folder.mkdir(parents=True)
    lines = ["file_name,label"]
    for number, (image, digit) in enumerate(zip(found.images, found.target, strict=True)):
        name = f"digit-{number:04d}.png"
        (folder / name).write_bytes(encode(np.rint(image * 255 / 16).astype(np.uint8)))
        lines.append(f"{name},{WORDS[digit]}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")


def encode(grey: Pixels) -> bytes:
    """An 8 x 8 image as a PNG of 32 x 32."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB").save(file, format="png")
    return file.getvalue()


def decode(path: Path) -> Any:
    """A digit as the diffusion model sees it: 8 x 8 from -1 to 1."""
    from PIL import Image

    small = Image.open(path).convert("L").resize((8, 8), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 127.5 - 1


def diffuse(images: NDArray[np.float32], labels: NDArray[np.int64], each: int, seed: int) -> Pixels:
    """Train a model on some digits and draw ``each`` of every digit: uint8, shape (10 * each, 8, 8), digit by digit."""
    import torch
    from diffusers import DDIMScheduler, UNet2DModel

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=16, num_class_embeds=10,
    )  # fmt: skip
    noises = DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", clip_sample_range=1.0)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS)
    known, classes = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
    for _ in range(STEPS):
        rows = torch.randint(len(known), (BATCH,))
        noise, times = torch.randn(BATCH, 1, 8, 8), torch.randint(noises.config.num_train_timesteps, (BATCH,))
        target = noises.get_velocity(known[rows], noise, times)
        found = net(noises.add_noise(known[rows], noise, times), times, class_labels=classes[rows]).sample
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(found, target).backward()
        optimizer.step()
        schedule.step()
    net.eval()
    return np.concatenate([_drawn(net, noises, digit, each) for digit in range(10)])


def _drawn(net: Any, noises: Any, digit: int, each: int) -> Pixels:
    import torch

    noises.set_timesteps(SAMPLING)
    images, classes = torch.randn(each, 1, 8, 8), torch.full((each,), digit)
    with torch.inference_mode():
        for step in noises.timesteps:
            images = noises.step(net(images, step, class_labels=classes).sample, step, images).prev_sample
    return np.asarray(((images[:, 0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy())


def make(home: Path, n: int, seed: int, chosen: Mapping[str, Sequence[str]]) -> Path:
    """One model's images, kept as a file: trained on the real images given by label."""
    path = home / "made" / f"{n}-{seed}.npy"
    if not path.exists():
        ids = [one for word in WORDS for one in chosen[word]]
        images = np.stack([decode(home / "real" / f"{one}.png") for one in ids])
        labels = np.repeat(np.arange(10), [len(chosen[word]) for word in WORDS])
        file = io.BytesIO()
        np.save(file, diffuse(images, labels, n * RATIO, 1000 * n + seed))
        atomic.write(path, file.getvalue())
    return path


def records(n: int, seed: int, images: Pixels) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The samples of one model, as they lie in a tar."""
    for number, grey in enumerate(images):
        digit, content = number // (len(images) // 10), encode(grey)
        entry = f"diffusion-{n}-{seed}"
        record = Record(
            key=f"{entry}-{number:05d}", entry=entry, label=WORDS[digit], label_id=digit, skin_tone="unknown",
            skin_tone_scale="fitzpatrick", fitzpatrick=0, strategy="text2img", prompt=f"the digit {WORDS[digit]}",
            negative_prompt="", attributes="{}", seed=1000 * n + seed, attempt=0, model="benchmarks/digits.py",
            model_revision="", adapter=entry, scheduler="ddim", num_inference_steps=SAMPLING, guidance_scale=1.0,
            strength=0.0, mask="", width=SIDE, height=SIDE, source_id="", source_group="", source_split="",
            source_dataset="", source_license="", image_sha256=hashlib.sha256(content).hexdigest(),
            generator="benchmarks/digits.py",
        )  # fmt: skip
        yield record.key, {"json": record.to_json(), "cls": str(digit).encode(), "png": content}


def write_dataset(home: Path, pools: Mapping[tuple[int, int], Sequence[str]]) -> None:
    """All images as a dataset that says what each model was trained on."""
    (home / "dataset/data").mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {}
    for place, (n, seed) in enumerate(pools):
        images, name = np.load(home / "made" / f"{n}-{seed}.npy"), f"data/train-{place:05d}-of-{len(pools):05d}.tar"
        with (home / "dataset" / name).open("wb") as file:
            files[name] = {"samples": sum(1 for _ in tar_samples.write(file, records(n, seed, images)))}
    adapters = {f"diffusion-{n}-{seed}": {"pool": list(ids)} for (n, seed), ids in pools.items()}
    provenance = {"name": "digits", "files": files, "adapters": adapters}
    atomic.write(home / "dataset/provenance.json", json.dumps(provenance).encode())


def write_sheet(home: Path, path: Path) -> None:
    """Real digits of seed 0 above the images of the models trained on 8 and on 32 of each."""
    from PIL import Image, ImageDraw

    rows = [np.load(home / "made" / f"{n}-0.npy").reshape(10, -1, 8, 8)[:, :2].reshape(20, 8, 8) for n in SIZES]
    names = [f"real/digit-{number:04d}.png" for number in range(20)]
    real = [np.asarray(Image.open(home / name).convert("L")) for name in names]
    sheet = Image.new("L", (20 * (SIDE + 4), 3 * (SIDE + 18)), 255)
    pen = ImageDraw.Draw(sheet)
    for row, (title, images) in enumerate(zip(("real", "n = 8", "n = 32"), [real, *rows], strict=True)):
        pen.text((0, row * (SIDE + 18)), title, fill=0)
        for place, grey in enumerate(images):
            sheet.paste(Image.fromarray(grey).resize((SIDE, SIDE)), (place * (SIDE + 4), row * (SIDE + 18) + 14))
    sheet.save(path)


def study(home: Path, out: Path) -> None:
    """Make what is missing, evaluate, and keep the report."""
    entries = [f"diffusion-{n}-{seed}" for n in SIZES for seed in range(SEEDS)]
    labels = "{" + ", ".join(f"{word}: {word}" for word in WORDS) + "}"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "real/metadata.csv").exists():
        shutil.rmtree(home / "real", ignore_errors=True)
        write_real(home / "real")
    (home / "manifest.yaml").write_text(MANIFEST.format(labels=labels, entries=", ".join(entries)))
    read = manifests.read(home / "manifest.yaml", EXTENSIONS)
    assert read.real is not None  # noqa: S101 - the manifest above has it
    train = load_plan.index(read, read.real, home / "index").usable("train")
    orders = [real_pools.draw(train, WORDS, read.document.seed, seed) for seed in range(SEEDS)]
    chosen = {(n, s): {word: orders[s].order[word][:n] for word in WORDS} for n in SIZES for s in range(SEEDS)}
    (home / "made").mkdir(exist_ok=True)
    with processes.pool(2) as pool:
        for done in [pool.submit(make, home, n, seed, ids) for (n, seed), ids in chosen.items()]:
            print(done.result(), flush=True)
    write_dataset(home, {place: [one for ids in by.values() for one in ids] for place, by in chosen.items()})
    command = [sys.executable, "-m", "synthgen", "classifier-eval", home / "manifest.yaml", "--out", home / "report"]
    subprocess.run(command, check=True)
    subprocess.run([*command, "--share", home / "shared"], check=True)
    shutil.rmtree(out / "plots", ignore_errors=True)
    shutil.copytree(home / "shared/plots", out / "plots")
    for name in KEPT:
        shutil.copy(home / "shared" / name, out)
    shutil.copy(home / "manifest.yaml", out)
    write_sheet(home, out / "digits.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("runs/digits"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs/digits")
    given, began = parser.parse_args(), time.perf_counter()
    study(given.home, given.out)
    print(f"{(time.perf_counter() - began) / 60:.1f} min")
