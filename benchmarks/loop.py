"""How fast `synthgen generate` is beside the bare diffusers pipeline and beside the usual script, in one run.

Whole processes, start-up and loading included, making 480 images; those of ``loop.yaml``, in all but the last of these:

* ``generate``  labelled, checked, encoded, hashed, written and verified shards;
* ``bare``      the diffusers pipeline alone at its own best batch size and dtype (tried first, not counted), the same
                prompts, settings and seeds, its output thrown away;
* ``usual``     the usual script: one prompt at a time, fp32, a PNG each. A part of the images is made, and its time for
                all 480 follows from its start-up and its rate;
* ``quickstart``  as ``generate``, by the manifest that ships: guided in the middle steps alone, so with fewer passes.

They take turns. Run with ``make bench``; ``--rounds 3`` for a steadier figure.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MANIFEST = HERE / "loop.yaml"
QUICKSTART = HERE.parent / "manifests" / "quickstart.yaml"
WEIGHTS = HERE.parent / "synthgen" / "phantom" / "weights"
BATCHES = (16, 24, 48)


def samples() -> list[Any]:
    """The samples of the benchmark's manifest."""
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import load_plan

    entry = load_plan.read(MANIFEST, EXTENSIONS).entries["text"]
    return [entry.sample(index) for index in range(entry.samples)]


def pipeline(dtype: str) -> Any:
    """The bundled model as anyone loads it."""
    import torch
    from diffusers import AutoPipelineForText2Image, DPMSolverMultistepScheduler

    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipe = AutoPipelineForText2Image.from_pretrained(WEIGHTS, dtype=getattr(torch, dtype)).to(device)
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def call(pipe: Any, batch: list[Any], output_type: str) -> Any:
    """One call of the bare pipeline for a batch of samples."""
    import torch

    settings = batch[0].recipe.settings
    return pipe(
        [sample.prompt for sample in batch],
        negative_prompt=[sample.negative_prompt for sample in batch],
        generator=[torch.Generator("cpu").manual_seed(sample.seed) for sample in batch],
        num_inference_steps=settings.num_inference_steps,
        guidance_scale=settings.guidance_scale,
        height=settings.height,
        width=settings.width,
        output_type=output_type,
    ).images


def tune() -> None:
    """Child: find the bare pipeline's best dtype and batch size; prints them as JSON."""
    from synthgen.core import devices

    device, todo, best = devices.describe(), samples(), (0.0, "", 0)
    dtypes = ("float16",) if device.kind == "cuda" else ("float32", "bfloat16") if device.bf16 else ("float32",)
    for dtype in dtypes:
        pipe = pipeline(dtype)
        for size in BATCHES:
            call(pipe, todo[:size], "pt")
            began = time.perf_counter()
            call(pipe, todo[:size], "pt")
            best = max(best, (size / (time.perf_counter() - began), dtype, size))
    print(json.dumps({"dtype": best[1], "batch": best[2]}))


def bare(dtype: str, size: int) -> None:
    """Child: every image through the bare pipeline, thrown away."""
    pipe, todo = pipeline(dtype), samples()
    for first in range(0, len(todo), size):
        call(pipe, todo[first : first + size], "pt")


def usual(count: int) -> None:
    """Child: the usual script for some of the images; prints seconds an image as JSON."""
    pipe, todo = pipeline("float32"), samples()
    with tempfile.TemporaryDirectory() as folder:
        call(pipe, todo[:1], "pil")
        began = time.perf_counter()
        for sample in todo[:count]:
            call(pipe, [sample], "pil")[0].save(Path(folder) / f"{sample.key}.png")
        print(json.dumps({"seconds": (time.perf_counter() - began) / count}))


def child(*arguments: str) -> tuple[float, dict[str, Any]]:
    """Run this file in a process of its own: its wall seconds, and what it printed."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or each process would compile all of torch again
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    text = done.stdout.decode().strip()
    return time.perf_counter() - began, json.loads(text) if text.startswith("{") else {}


def generate(manifest: Path) -> tuple[float, float]:
    """A whole `synthgen generate`: its wall seconds, and those of them its images took."""
    with tempfile.TemporaryDirectory() as folder:
        wall, _ = child("-m", "synthgen", "generate", str(manifest), "--out", f"{folder}/work", "-q")
        receipts = [json.loads(path.read_text()) for path in Path(folder, "work", "text").glob("*.json")]
        return wall, sum(receipt["timing"]["seconds"] for receipt in receipts)


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1, help="turns of generate, bare and usual")
    parser.add_argument("--usual", type=int, default=48, help="images the usual script makes")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, *rest = arguments.child
        {"tune": tune, "bare": lambda: bare(rest[0], int(rest[1])), "usual": lambda: usual(int(rest[0]))}[name]()
        return
    from synthgen.core import devices

    me = str(Path(__file__))
    images = len(samples())
    _, best = child(me, "--child", "tune")
    ours, bares, usuals, inside, rates, quick = [], [], [], [], [], []
    for _ in range(arguments.rounds):
        quick.append(generate(QUICKSTART))
        wall, made = generate(MANIFEST)
        ours.append(wall)
        inside.append(made)
        bares.append(child(me, "--child", "bare", best["dtype"], str(best["batch"]))[0])
        start, rate = child(me, "--child", "usual", str(arguments.usual))
        rates.append(rate["seconds"])
        usuals.append(start + (images - arguments.usual - 1) * rate["seconds"])
    device = devices.describe()
    print(f"{images} images, whole processes, median of {arguments.rounds}; {device.name}, {device.threads} threads")
    for name, wall in (
        ("generate", statistics.median(ours)),
        (f"bare ({best['dtype']}, batch {best['batch']})", statistics.median(bares)),
        (f"usual (from {arguments.usual} images)", statistics.median(usuals)),
    ):
        print(f"  {name:<30} {wall:8.1f} s {images / wall:8.2f} images/s")
    made = statistics.median(inside)
    rest = statistics.median(ours) - made
    for name, others, goal in (("bare", bares, 0.95), ("usual", usuals, 6)):
        ratios = [other / wall for other, wall in zip(others, ours, strict=True)]
        print(f"generate / {name:<6}{statistics.median(ratios):.2f}  (goal {goal})")
    print(f"of generate's time, {rest:.1f} s is start-up, loading and the last shard's writing; without these")
    times = images * statistics.median(rates) / made
    print(f"  {made:.1f} s, {images / made:.2f} images/s, {times:.2f} times the usual script's rate")
    shorter = statistics.median(made for _, made in quick)
    ratios = [other / one for (_, one), other in zip(quick, inside, strict=True)]
    print(f"quickstart: {statistics.median(wall for wall, _ in quick):.1f} s whole; without the same parts")
    print(f"  {shorter:.1f} s, {images / shorter:.2f} images/s, {statistics.median(ratios):.2f} times generate's rate")


if __name__ == "__main__":
    main()
