"""Runs every family of diffusion models that is built here by every task, and writes docs/families.md with what ran.

The models are those of the tests: whole pipelines of diffusers' classes, as small as they get, with random weights.
What is asked of each is what a run needs, and nothing of what real weights draw. Run with
``python benchmarks/families.py``.
"""

import argparse
import importlib.util
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from synthgen.core import model_folder
from synthgen.core.devices import DeviceRequest
from synthgen.core.ip_adapter import describe_ip_adapter
from synthgen.core.model_parts import describe_controlnet
from synthgen.diffusion import pipelines
from synthgen.diffusion.strategies import controlnet, img2img, inpaint, ip_adapter, text2img
from synthgen.errors import SynthgenError
from synthgen.plan.sample import Recipe, Sample
from synthgen.vision.images.codec import psnr

ROOT = Path(__file__).resolve().parents[1]
TASKS: dict[str, Any] = {
    "text2img": text2img, "img2img": img2img, "inpaint": inpaint, "controlnet": controlnet, "ip_adapter": ip_adapter,
}  # fmt: skip
BESIDE: dict[str, tuple[str, Any]] = {
    "controlnet": ("tiny_controlnets", describe_controlnet), "ip_adapter": ("tiny_ip_adapters", describe_ip_adapter),
}  # fmt: skip
DTYPES = ("fp32", "bf16")
SIDE = 64
NAMES = {
    "sd": "Stable Diffusion 1 and 2", "sd-inpainting": "the same, for inpainting", "sdxl": "Stable Diffusion XL",
    "sd3": "Stable Diffusion 3", "sd3.5": "Stable Diffusion 3.5", "flux": "FLUX.1", "pixart-sigma": "PixArt-Sigma",
    "chroma": "Chroma", "auraflow": "AuraFlow", "sana": "Sana", "flux2-klein": "FLUX.2 klein",
    "qwen-image": "Qwen-Image", "z-image": "Z-Image", "lumina2": "Lumina 2", "cogview4": "CogView 4",
    "lcm": "latent consistency models", "flux-kontext": "FLUX.1 Kontext",
}  # fmt: skip
TEXT = """# Families of models

Made by `python benchmarks/families.py` with diffusers {version}: nothing here is written by hand. Each model is a whole
pipeline of diffusers' own classes with random weights, as small as it gets; so the table says what runs, and nothing of
how good images are. Real weights of these families were not run here.

What a cell says is how far an image is from itself when it is made alone, in place of beside another, on a CPU: first
in fp32, then in bf16, or once for both where they are alike. At another place of a batch of the same size, beside
another image still, it was the same to the byte in {identical} of {ran} runs. Another seed gave another image in all of
them, and another image for a ControlNet or an IP-Adapter did. These have random weights too; where diffusers has a
class for it and none was built, the cell says `not tried`.

| family | class | {tasks} |
|---|---|{lines}|
{rows}

Families in the first {known} rows are called by hand, and their bytes are promised from release to release. Every
other class of diffusers that makes images from prompts is looked at when a manifest is planned (does diffusers have
a class for the task, and does that take a prompt, a size or an image, and generators), and tried when it is loaded
first, with images of {side} pixels and two steps: an image alone and beside others is the same within 40 dB,
another seed and another prompt give another image, prompts that were seen before call no text encoder, guidance
does something where it is set above 1, and nothing is NaN. Only then it makes images; else it is refused in one
line that says what was found. What it showed is kept in the run, `proof` of an entry's environment in `run.json`,
so it is asked once a run and not by each process.

{refused}
"""


def main() -> None:
    """Run all of them and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "families.md")
    parser.add_argument("--family", action="append", choices=NAMES, help="only this one; repeatable")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    import diffusers

    found = {family: dict(tried(family)) for family in options.family or NAMES}
    cells = [cell for row in found.values() for cell in row.values()]
    ran = [cell for cell in cells if cell.distances]
    known = [family for family in found if family in builders()[1]]
    refused = {
        f"* {NAMES[family]}, {task}: {cell.reason}" for family, row in found.items()
        for task, cell in row.items() if cell.reason and "was tried here" in cell.reason
    }  # fmt: skip
    text = TEXT.format(
        version=diffusers.__version__, identical=sum(cell.same for cell in ran), ran=len(ran), side=SIDE,
        tasks=" | ".join(TASKS), lines="---|" * (len(TASKS) - 1) + "---", known=len(known),
        rows="\n".join(
            f"| {NAMES[family]} | `{next(iter(row.values())).kind}` | {' | '.join(one.text for one in row.values())} |"
            for family, row in found.items()
        ),
        refused="Refused when they were tried:\n\n" + "\n".join(sorted(refused)) if refused else "None was refused.",
    )  # fmt: skip
    options.out.write_text(text, encoding="utf-8")
    print(text)


class Cell:
    """What was found of a family and a task.

    Attributes:
        kind: The model's class.
        reason: Why it can't be done; empty where it can.
        distances: From an image alone to the same beside another, by dtype.
        same: Whether an image at another place was the same to the byte in every dtype.
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.reason, self.distances, self.same = kind, "", dict[str, float](), True

    @property
    def text(self) -> str:
        """The cell."""
        if self.reason:
            return "refused" if "was tried here" in self.reason else self.reason if self.reason == "not tried" else "no"
        said = (f"{dB:.0f} dB" if dB < float("inf") else "identical" for dB in self.distances.values())
        return ", ".join(dict.fromkeys(said))


def builders() -> tuple[dict[str, Callable[[Path], None]], set[str]]:
    """What builds each tiny model, and those whose classes are called by hand."""
    parts, others = beside("tiny_models"), beside("tiny_families")
    found = parts.FAMILIES | {name: partial(build, parts=parts) for name, build in others.FAMILIES.items()}
    return found, {*parts.FAMILIES, "sd3.5"}


def beside(name: str) -> Any:
    """A module of the tests."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tried(family: str) -> Iterator[tuple[str, Cell]]:
    """What becomes of each task by a family's tiny model."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        builders()[0][family](Path(folder))
        facts = model_folder.describe(folder, Path())
        for task, strategy in TASKS.items():
            cell = Cell(facts.class_name)
            try:
                pipelines.pipeline_class(strategy.Settings.task, facts.class_name, "MODEL")
                with tempfile.TemporaryDirectory() as other:
                    more = built(task, Path(folder), Path(other))
                    for dtype in DTYPES:
                        run(cell, task, facts, dtype, more)
            except KeyError:
                cell.reason = "not tried"
            except SynthgenError as error:
                cell.reason = " ".join(str(error).split()).replace(folder, "MODEL")
            yield task, cell
        pipelines.release()


def built(task: str, model: Path, folder: Path) -> dict[str, Any]:
    """What a recipe has beside the model for a task, built here.

    Raises:
        KeyError: None is built for such a model.
    """
    if task not in BESIDE:
        return {}
    module, describe = BESIDE[task]
    beside(module).build(model, folder)
    return {task: describe(str(folder), Path())}


def run(cell: Cell, task: str, facts: model_folder.ModelFacts, dtype: str, more: dict[str, Any]) -> None:
    """Make an image alone, beside another, and at another place, and note how far these are apart."""
    strategy, of = TASKS[task], pipelines.family_of(facts.class_name)
    scheduler = "default" if of == "other" or facts.flow or pipelines.matches_flow(of) else "ddim"
    settings = strategy.Settings(num_inference_steps=2, height=SIDE, width=SIDE, scheduler=scheduler).fitted(facts)
    recipe = Recipe(task, task, settings, facts, **more)
    environment = strategy.environment(recipe, DeviceRequest("cpu", dtype, batch_size=2), 2)
    strategy.maker(recipe, environment)
    pipeline = pipelines.loaded(settings.task, environment)
    if pipeline is None:
        raise LookupError(task)
    first, second, third = (sample(recipe, seed) for seed in range(3))

    def make(*samples: Sample, shown: int = 0) -> Any:
        images = np.stack([start(one.seed + shown) for one in samples])
        if task == "text2img":
            return pipeline.text2img(samples).pixels
        if task == "inpaint":
            masks = np.zeros(images.shape[:3], bool)
            masks[:, 16:48, 16:48] = True
            return pipeline.inpaint(samples, images, masks).pixels
        return getattr(pipeline, task)(samples, images).pixels

    together = make(first, second)
    if np.array_equal(make(replace(first, seed=9), second)[0], together[0]):
        raise ValueError(f"{cell.kind}, {task}: another seed gives the same image")
    if task in BESIDE and np.array_equal(make(first, second, shown=9)[0], together[0]):
        raise ValueError(f"{cell.kind}, {task}: another image gives the same image")
    cell.distances[dtype] = psnr(make(first)[0], together[0])
    cell.same &= np.array_equal(make(third, first)[1], together[0])


def sample(recipe: Recipe, seed: int) -> Sample:
    """A sample of a seed, with a prompt of another length than the next."""
    return Sample(
        key=str(seed), index=seed, recipe=recipe, label="", label_id=0, skin_tone="", skin_tone_scale="",
        fitzpatrick=0, prompt="an image of melanoma" + " on skin" * seed, negative_prompt="", attributes=(), seed=seed,
        attempt=0,
    )  # fmt: skip


def start(seed: int) -> Any:
    """An image to start from."""
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


if __name__ == "__main__":
    main()
