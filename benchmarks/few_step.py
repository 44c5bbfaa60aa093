"""Judges the few-step adapter of the bundled model beside its teacher, and writes docs/few-step.md with its grids.

``make model-report`` runs it after the report of the model itself; the judge is that report's, trained again to the
same bits.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import model_report as teacher
import numpy as np
from model_report import DOCS, NAMES, PROMPT, ROMAN, WEIGHTS, Model, Set

from synthgen.core import model_parts
from synthgen.phantom.training.recipe import LABELS, TONES

ADAPTER = model_parts.bundled_adapters() / "phantom-lcm"
STEPS = (1, 2, 4, 8)
PICKED = 4
UNGUIDED = {"guidance_scale": 1.0, "guidance_start": 0.0, "guidance_stop": 1.0}
# What the adapter has to reach at four steps: name, bar, whether the figure has to lie above it.
BARS = (
    ("label accuracy", 0.94, True),
    ("least accurate condition", 0.88, True),
    ("melanoma on types V and VI", 0.88, True),
    ("types V and VI", 0.94, True),
    ("median ITA, furthest from the phantoms', degrees", 4.0, False),
    ("spread", 0.85, True),
    ("Fréchet distance", 3.5, False),
)


class FewStep(Model):
    """The bundled model with the adapter added to its weights, sampled as ``accelerate: phantom-lcm`` samples it."""

    def __init__(self, weights: Path, adapter: Path) -> None:
        from synthgen.core.adapter_folder import LORA
        from synthgen.diffusion.pipelines import model_parts as parts
        from synthgen.diffusion.pipelines import schedulers

        super().__init__(weights)
        parts.load_lora(self.pipe, adapter / LORA, adapter.name)
        self.pipe.fuse_lora()
        for pipe in (self.pipe, self.inpainting):
            pipe.scheduler = schedulers.fresh("lcm", pipe.scheduler)

    def draw(self, prompts: list[str], first_seed: int = 0, **changes: Any) -> Any:
        """Images of prompts, one seed each, in four steps unless told otherwise."""
        return super().draw(prompts, first_seed, **{"num_inference_steps": PICKED} | UNGUIDED | changes)

    def inpaint(self, images: Any, prompts: list[str], **changes: Any) -> Any:
        """The middle quarter of images painted anew, in four steps unless told otherwise."""
        return super().inpaint(images, prompts, **{"num_inference_steps": PICKED} | UNGUIDED | changes)


def measure(judge: Any, images: Set, held: Set, other: Any) -> dict[str, Any]:
    """Everything that is asked of images: accuracies, tones, spread and Fréchet distance.

    Args:
        judge: The classifier.
        images: What is judged.
        held: Phantoms that nothing learned from.
        other: The judge's features of other phantoms.
    """
    scores, features = teacher.look(judge, images.images)
    right = scores.argmax(1) == images.labels
    here, there = teacher.image_ita(images.images), teacher.image_ita(held.images)
    medians = [
        [float(np.median(ita[of.tones == tone])) for tone in TONES] for ita, of in ((here, images), (there, held))
    ]
    dark = images.tones >= 5
    return {
        "table": [
            [float(right[(images.labels == label) & (images.tones == tone)].mean()) for tone in TONES]
            for label in range(len(NAMES))
        ],
        "medians": medians,
        "label accuracy": float(right.mean()),
        "least accurate condition": min(float(right[images.labels == label].mean()) for label in range(len(NAMES))),
        "melanoma on types V and VI": float(right[dark & (images.labels == NAMES.index("melanoma"))].mean()),
        "types V and VI": float(right[dark].mean()),
        "median ITA, furthest from the phantoms', degrees": float(np.abs(np.subtract(*medians)).max()),
        "spread": teacher.spread(images, held),
        "Fréchet distance": teacher.frechet(features, other),
    }


def draw_grids(model: FewStep, first: Model, held: Set, out: Path) -> None:
    """Each condition on each type, the same prompts in 1 to 8 steps beside the teacher, and inpainting."""
    cells = model.cells(2)
    rows = [list(cells.images[cells.labels == label]) for label in range(len(NAMES))]
    teacher.grid(rows, out / "few_step_grid.png", NAMES, list(ROMAN))
    prompts = [PROMPT.format(LABELS[name], tone) for name, tone in zip(NAMES, (*ROMAN, "II", "V"), strict=True)]
    drawn = [model.draw(prompts, num_inference_steps=steps) for steps in STEPS]
    names = [f"{steps} step{'s' * (steps > 1)}" for steps in STEPS]
    teacher.grid(
        [*drawn, first.draw(prompts)], out / "few_step_steps.png", [*names, "the teacher,\n24 passes"], NAMES, 2
    )
    bare = np.flatnonzero(held.labels == NAMES.index("healthy"))
    healthy = held.images[bare[np.linspace(0, len(bare) - 1, len(NAMES)).astype(int)]]
    wanted = [f"An image of {LABELS[name]}, a skin disease" for name in NAMES]
    painted = [list(healthy), list(model.inpaint(healthy, wanted)), list(first.inpaint(healthy, wanted))]
    teacher.grid(painted, out / "few_step_inpainting.png", ["healthy phantom", "4 steps", "the teacher"], NAMES, 2)


def report(found: dict[str, Any]) -> str:
    """The report in Markdown."""
    rows = [("held-out phantoms", "", found["held"]), ("the teacher", found["passes"], found["teacher"])]
    rows += [(f"the adapter, {steps} step{'s' * (steps > 1)}", steps, found[steps]) for steps in STEPS]
    columns = [name for name, _, _ in BARS]
    lines = [
        "# The few-step adapter of the bundled model",
        "",
        "Made by `make model-report`: every figure and picture here comes from that one command. `phantom-lcm` is a",
        "LoRA of the bundled model, distilled from it by latent consistency",
        "([Luo et al. 2023](https://arxiv.org/abs/2310.04378)) and loaded as LCM-LoRA is for a large model:",
        "`accelerate: phantom-lcm` in an entry of `generate`. Like the model it draws phantoms and knows nothing of",
        "real disease.",
        "",
        f"{found['images']} images in each row, in {found['dtype']}, judged by the classifier of",
        "[the model's own report](model.md). The teacher is the model as the first table there has it; passes",
        "are those of an image through the denoiser.",
        "",
        f"| | passes | {' | '.join(columns)} |",
        f"|---|{'---:|' * (len(columns) + 1)}",
    ]
    for name, passes, one in rows:
        shown = [f"{one[key]:.{1 if 'degrees' in key or 'Fréchet' in key else 3}f}" for key in columns]
        lines.append(f"| {name} | {passes} | {' | '.join(shown)} |")
    bars = [f"{'≥' if above else '≤'} {bar}" for _, bar, above in BARS]
    lines += [
        f"| *asked of {PICKED} steps* | {PICKED} | {' | '.join(bars)} |",
        "",
        f"## {PICKED} steps, by condition and type",
        "",
        f"| condition | {' | '.join(ROMAN)} | all | the teacher |",
        f"|---|{'---:|' * 8}",
    ]
    for name, row, other in zip(NAMES, found[PICKED]["table"], found["teacher"]["table"], strict=True):
        lines.append(f"| {name} | {' | '.join(f'{v:.2f}' for v in row)} | {np.mean(row):.3f} | {np.mean(other):.3f} |")
    lines += ["", "The median ITA of images in degrees:", "", f"| | {' | '.join(ROMAN)} |", f"|---|{'---:|' * 6}"]
    for name, medians in (
        ("phantoms", found["held"]["medians"][0]),
        ("the teacher", found["teacher"]["medians"][0]),
        (f"{PICKED} steps", found[PICKED]["medians"][0]),
    ):
        lines.append(f"| {name} | {' | '.join(f'{value:.0f}' for value in medians)} |")
    recipe = found["training"]["recipe"]
    lines += [
        "",
        "![Each condition on each type, two images each, in four steps](few_step_grid.png)",
        "",
        "![The same prompts in 1, 2, 4 and 8 steps, and by the teacher](few_step_steps.png)",
        "",
        "![Healthy phantoms, and their middle quarter painted anew](few_step_inpainting.png)",
        "",
        "## Training",
        "",
        f"Seed {recipe['seed']}, {recipe['steps']:,} steps of {recipe['batch']} phantoms of site a, those that the "
        f"teacher learned from; rank {recipe['rank']}, {found['bytes'] / 1e6:.1f} MB.",
        "`make weights-lcm` trains it from nothing, or goes on where it was stopped. The recipe is",
        "`synthgen/phantom/training/consistency.py`; what was trained, with its curve, is in the adapter's",
        "`training.json`.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Train the judge, judge, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-cell", type=int, default=20, help="generated images a condition and type")
    parser.add_argument("--judge-steps", type=int, default=1500, help="the judge's training steps of 64 images")
    parser.add_argument("--judge-per-cell", type=int, default=170, help="its training phantoms a condition and type")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="the teacher's folder")
    parser.add_argument("--adapter", type=Path, default=ADAPTER, help="the adapter's folder; the one that ships")
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder of few-step.md and its pictures")
    arguments = parser.parse_args()
    began = time.perf_counter()
    training = teacher.phantoms(arguments.judge_per_cell, teacher.JUDGE_SEED)
    held = teacher.phantoms(arguments.per_cell, teacher.HELD_SEED)
    judge = teacher.train_judge(training, arguments.judge_steps)
    other = teacher.look(judge, teacher.phantoms(arguments.per_cell, teacher.OTHER_SEED).images)[1]
    first, model = Model(arguments.weights), FewStep(arguments.weights, arguments.adapter)
    found: dict[Any, Any] = {
        "images": len(held.labels),
        "dtype": model.dtype,
        "passes": teacher.sampler().passes,
        "held": measure(judge, held, held, other),
        "teacher": measure(judge, first.cells(arguments.per_cell), held, other),
        "bytes": sum(path.stat().st_size for path in arguments.adapter.glob("*.safetensors")),
        "training": json.loads((arguments.adapter / "training.json").read_text(encoding="utf-8")),
    }
    for steps in STEPS:
        found[steps] = measure(judge, model.cells(arguments.per_cell, num_inference_steps=steps), held, other)
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw_grids(model, first, held, arguments.out)
    (arguments.out / "few-step.md").write_text(report(found), encoding="utf-8")
    for name, bar, above in BARS:
        value = found[PICKED][name]
        kept = value >= bar if above else value <= bar
        print(f"{'kept  ' if kept else 'MISSED'} {name}: {value:.3f}, asked {bar}")
    print(f"{arguments.out / 'few-step.md'} written in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
