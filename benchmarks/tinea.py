"""Teaches the bundled model a condition that it does not know, by every method, and writes docs/finetune.md.

The model has never seen tinea corporis. Each method is shown the same phantoms of it, by the other camera (site b), and
then it is asked for what is new and for everything that it knew before. A classifier that was trained on other phantoms
of all nine conditions by both cameras says what is right. ``python benchmarks/tinea.py``; what is made lies in
``build/tinea`` and is taken up again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from model_report import ROMAN, grid, look, new_judge, train_judge

from synthgen import finetune, generate
from synthgen.core import adapter_folder
from synthgen.extensions import EXTENSIONS
from synthgen.phantom import render
from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.training.recipe import LABELS, TONES
from synthgen.runs import load_plan, tar_samples
from synthgen.vision.images import codec

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
NEW = "tinea-corporis"
WORDS = {NEW: "tinea corporis", **LABELS}
NAMES = list(CONDITIONS)
KNOWN = [name for name in NAMES if name != NEW]
PER_TONE, JUDGE_SEED = 10, 2001
SAMPLER = {"scheduler": "dpm++2m", "num_inference_steps": 20, "guidance_scale": 2.5, "height": 64, "width": 64}
CLASS_PROMPTS = [f"An image of {words}, a skin disease" for words in LABELS.values()]
WIDE = ["to_k", "to_q", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "conv1", "conv2"]
PRIOR = {"with_prior_preservation": True, "num_class_images": 240, "class_prompts": CLASS_PROMPTS}
METHODS: dict[str, dict[str, Any]] = {
    "lora": {"rank": 32, "target_modules": WIDE, "learning_rate": 3e-3, "max_train_steps": 2000},
    "lora-prior": {"rank": 32, "target_modules": WIDE, "learning_rate": 3e-3, "max_train_steps": 2000, **PRIOR},
    "full": {"learning_rate": 1e-3, "max_train_steps": 2000},
    "full-prior": {"learning_rate": 1e-3, "max_train_steps": 2000, **PRIOR},
    "textual-inversion": {"learning_rate": 5e-3, "num_vectors": 8, "max_train_steps": 600},
}
SHARED = {"train_batch_size": 16, "lr_scheduler": "cosine", "checkpointing_steps": 100}
TITLES = {
    "before": "the model as it ships",
    "lora": "`lora`, in attention, feed-forward layers and convolutions",
    "lora-prior": "the same, with prior preservation",
    "full": "`full`",
    "full-prior": "`full`, with prior preservation",
    "textual-inversion": "`textual-inversion`",
}


class Measured(NamedTuple):
    """Accuracy on the new condition and on the eight others, by one way of making images."""

    new: float
    known: float
    seconds: float
    steps: int
    megabytes: float


def tuned(work: Path, methods: dict[str, dict[str, Any]]) -> None:
    """Train an adapter by each method, or go on where it was stopped."""
    document = {
        "name": "tinea", "seed": 7, "model": "phantom", "labels": {NEW: WORDS[NEW]}, "prompts": "sagers2023",
        "skin_tones": {"scale": "fitzpatrick", "values": list(TONES)},
        "real": {"source": "phantom", "site": "b", "count": PER_TONE * len(TONES), "seed": 7, "splits": {"train": 1.0}},
        "finetune": [
            {"name": name, "method": name.removesuffix("-prior"), "settings": {**SHARED, **settings}}
            for name, settings in methods.items()
        ],
        "generate": [{"strategy": "text2img", "per_cell": 1, "settings": SAMPLER}],
    }  # fmt: skip
    path = written(work / "tune.yaml", document)
    job = finetune.prepare(load_plan.read(path, EXTENSIONS, work / "tune"), work / "tune")
    for made in finetune.finetune(job):
        if isinstance(made, finetune.Trained):
            note(work, made.adapter, made.seconds)
            print(f"{made.adapter}: {made.steps} steps in {made.seconds:.0f} s, loss {made.loss:.4f}", flush=True)


def note(work: Path, name: str, seconds: float) -> None:
    """Keep how long an adapter took."""
    path = work / "seconds.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | {name: seconds}))


def written(path: Path, document: dict[str, Any]) -> Path:
    """A manifest as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def made(work: Path, name: str, per_cell: int) -> tuple[Any, list[str]]:
    """Images of all nine conditions by one adapter, or by none: uint8 (n, 64, 64, 3), and the label of each."""
    entry: dict[str, Any] = {"name": "text", "strategy": "text2img", "per_cell": per_cell, "settings": SAMPLER}
    if name != "before":
        entry["adapter"] = f"tune/{adapter_folder.FOLDER}/{name}"
    document = {
        "name": f"made-{name}", "seed": 11, "model": "phantom", "labels": {label: WORDS[label] for label in NAMES},
        "prompts": "sagers2023", "skin_tones": {"scale": "fitzpatrick", "values": list(TONES)}, "generate": [entry],
        "output": {"image_format": "png", "shard_samples": 54},
    }  # fmt: skip
    plan = load_plan.read(written(work / f"made-{name}.yaml", document), EXTENSIONS)
    root = work / f"made-{name}"
    list(generate.generate(generate.prepare(plan, root)))
    samples = [one for path in sorted((root / "text").glob("*.tar")) for one in tar_samples.read(path)]
    records = [json.loads(one.files["json"]) for one in samples]
    order = sorted(range(len(samples)), key=lambda place: records[place]["key"])
    return np.stack([codec.decode(samples[place].image) for place in order]), [records[p]["label"] for p in order]


def judge(work: Path, per_cell: int, steps: int) -> tuple[Any, float]:
    """The classifier, and its accuracy on phantoms that it has not seen."""
    import torch
    from safetensors.torch import load_file, save_file

    def phantoms(count: int, seed: int) -> tuple[Any, Any]:
        cells = [(label, tone) for label in NAMES for tone in TONES for _ in range(count)]
        labels, tones = zip(*cells, strict=True)
        drawn = [render.render(list(labels), list(tones), site=site, seed=seed).images for site in ("a", "b")]
        return np.concatenate(drawn), np.tile([NAMES.index(label) for label in labels], 2)

    class Shown(NamedTuple):
        images: Any
        labels: Any

    path = work / f"judge-{per_cell}-{steps}.safetensors"
    if path.exists():
        network = new_judge(len(NAMES))
        network.load_state_dict(load_file(path))
    else:
        network = train_judge(Shown(*phantoms(per_cell, JUDGE_SEED)), steps, len(NAMES))
        work.mkdir(parents=True, exist_ok=True)
        save_file(network.state_dict(), path)
    held, labels = phantoms(6, JUDGE_SEED + 1)
    with torch.inference_mode():
        right = look(network.eval(), held)[0].argmax(1) == labels
    return network.eval(), float(right.mean())


def accuracy(network: Any, pictures: Any, labels: list[str]) -> tuple[float, float]:
    """The share of the new condition's images, and of the others', that the classifier calls by their label."""
    found = look(network, pictures)[0].argmax(1)
    right = found == np.array([NAMES.index(label) for label in labels])
    new = np.array([label == NEW for label in labels])
    return float(right[new].mean()), float(right[~new].mean())


def pictures(shown: dict[str, tuple[Any, list[str]]], path: Path) -> None:
    """A row for each way, a column for each skin type of the new condition and each condition that was known."""
    rows = []
    for drawn, labels in shown.values():
        of = {label: [image for image, name in zip(drawn, labels, strict=True) if name == label] for label in NAMES}
        step = len(of[NEW]) // len(TONES)
        rows.append([*of[NEW][::step][: len(TONES)], *(of[label][len(of[label]) // 2] for label in KNOWN)])
    grid(rows, path, list(shown), [*(f"tinea {tone}" for tone in ROMAN), *KNOWN], 1)


def report(found: dict[str, Measured], ceiling: float, settings: dict[str, dict[str, Any]], count: int) -> str:
    """The report in Markdown."""
    lines = [
        "# Fine-tuning",
        "",
        "Made by `python benchmarks/tinea.py`: every figure and picture here comes from that one command.",
        "",
        "The bundled model has never seen tinea corporis. Each method is shown the same",
        f"{PER_TONE * len(TONES)} phantoms of it, {PER_TONE} of each Fitzpatrick type, taken by a camera (site b)",
        f"that the model does not know either. Then the model draws all nine conditions, {count} images of each, and",
        "a classifier that was trained on other phantoms of both cameras says which condition an image shows (it is",
        f"right for {ceiling:.3f} of phantoms that it has not seen). The second column tells what was forgotten: only",
        "with prior preservation does the model see anything else meanwhile, 240 images of its own of what it knew.",
        "",
        "| | tinea corporis | the eight others | optimizer steps | seconds | megabytes |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, one in found.items():
        rest = f"{one.steps:,} | {one.seconds:,.0f} | {one.megabytes:.3f}" if one.steps else "| |"
        lines.append(f"| {TITLES[name]} | {one.new:.3f} | {one.known:.3f} | {rest} |")
    lines += [
        "",
        "Seconds are those of the steps, on a machine that other programs used too; megabytes those of the weights.",
        "",
        "![The phantoms, the model as it ships, and after each method, from the same seeds](finetune_grid.png)",
        "",
        "## Settings",
        "",
        "| method | settings |",
        "|---|---|",
        *(f"| `{name}` | {_listed({**SHARED, **one})} |" for name, one in settings.items()),
        "",
    ]
    return "\n".join(lines)


def _listed(settings: dict[str, Any]) -> str:
    """Settings in a row."""
    return ", ".join(
        f"`{key}` {', '.join(value) if key == 'target_modules' else value}"
        for key, value in settings.items()
        if key != "class_prompts"
    )


def main() -> None:
    """Train, draw, judge and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/tinea"), help="adapters, images and the classifier")
    parser.add_argument("--per-cell", type=int, default=10, help="generated images a condition and type")
    parser.add_argument("--judge-per-cell", type=int, default=100, help="its phantoms a condition, type and camera")
    parser.add_argument("--judge-steps", type=int, default=2500, help="its steps of 64 images")
    arguments = parser.parse_args()
    began, work = time.perf_counter(), arguments.work.resolve()
    network, ceiling = judge(work, arguments.judge_per_cell, arguments.judge_steps)
    print(f"judge: {ceiling:.3f} on held-out phantoms", flush=True)
    tuned(work, METHODS)
    seconds = json.loads((work / "seconds.json").read_text())
    found: dict[str, Measured] = {}
    real = render.render([NEW] * 6 + KNOWN, [*TONES, *([3] * len(KNOWN))], site="b", seed=7).images
    shown: dict[str, tuple[Any, list[str]]] = {"phantoms": (real, [NEW] * 6 + KNOWN)}
    for name in ("before", *METHODS):
        shown[name] = made(work, name, arguments.per_cell)
        new, known = accuracy(network, *shown[name])
        folder = work / "tune" / adapter_folder.FOLDER / name
        size = sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 1e6
        steps = adapter_folder.read(folder)["steps"] if folder.is_dir() else 0
        found[name] = Measured(new, known, seconds.get(name, 0.0), steps, size)
        print(f"{name}: tinea corporis {new:.3f}, others {known:.3f}", flush=True)
    pictures(shown, DOCS / "finetune_grid.png")
    text = report(found, ceiling, METHODS, arguments.per_cell * len(TONES))
    (DOCS / "finetune.md").write_text(text, encoding="utf-8")
    print(f"docs/finetune.md written in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
