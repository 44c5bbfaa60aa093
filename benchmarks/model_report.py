"""Judges the bundled model, and writes docs/model.md with its grids: ``make model-report``.

The judge is a classifier trained here, on phantoms of site a alone, with another architecture and another seed than the
one that helped to train the model. Every figure of the report comes from this command.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from synthgen.phantom import render
from synthgen.phantom.training import data, export
from synthgen.phantom.training.recipe import LABELS, TONES, Recipe
from synthgen.vision import colour

HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "synthgen" / "phantom" / "weights"
DOCS = HERE.parent / "docs"
NAMES, ROMAN = list(LABELS), ("I", "II", "III", "IV", "V", "VI")
BATCH = 48
# guidance_scale, guidance_start and guidance_stop of a row each: throughout, and in some steps alone.
THROUGHOUT = [(scale, 0.0, 1.0) for scale in (1.0, 1.25, 1.5, 2.0, 3.0, 5.0)]
INTERVALS = [(2.5, 0.0, 0.4), (2.5, 0.6, 1.0), (2.5, 0.4, 1.0), (2.5, 0.4, 0.6), (2.0, 0.4, 0.6)]
JUDGE_SEED, HELD_SEED, OTHER_SEED = 1001, 1002, 1003
PROMPT = "An image of {}, a skin disease, Fitzpatrick skin type {}"
_OWN = (
    "Made by `make model-report`: every figure and picture here comes from that one command. It judges the model in",
    "`synthgen/phantom/weights` with",
)
_OTHER = (
    "Made by `python benchmarks/model_report.py --weights FOLDER --out FOLDER`, which judges a model's folder with",
)
_OTHERS = "Another seed, the same recipe: [another model](model-seed-1/model.md), judged in the same way."
_SHIPPED = "The one that ships, judged in the same way: [model.md](../model.md)."


class Set(NamedTuple):
    """Images with the label and type that were asked for: uint8 (n, 64, 64, 3), int (n,), int (n,)."""

    images: Any
    labels: Any
    tones: Any


def phantoms(per_cell: int, seed: int) -> Set:
    """Phantoms of site a, the same number of each condition the model knows and type."""
    cells = [(label, tone) for label in range(len(NAMES)) for tone in TONES for _ in range(per_cell)]
    labels, tones = np.array(cells).T
    images = render.render([NAMES[label] for label in labels], tones.tolist(), site="a", seed=seed).images
    return Set(images, labels, tones)


def tensor(images: Any) -> Any:
    """Images as the judge reads them."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def new_judge(classes: int) -> Any:
    """The judge before it has learned anything."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(JUDGE_SEED)
    config = ResNetConfig(embedding_size=32, hidden_sizes=[32, 64, 128, 192], depths=[1, 1, 1, 1], layer_type="basic")
    config.num_labels = classes
    return ResNetForImageClassification(config).train()


def train_judge(shown: Any, steps: int, classes: int = len(NAMES)) -> Any:
    """A ResNet of four levels that tells the conditions."""
    import torch

    judge = new_judge(classes)
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    rng = np.random.default_rng(JUDGE_SEED)
    for _ in range(steps):
        chosen = rng.integers(0, len(shown.labels), 64)
        images = shown.images[chosen]
        mirrored = rng.random(64) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
        loss = judge(pixel_values=tensor(images), labels=torch.from_numpy(shown.labels[chosen])).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return judge.eval()


def look(judge: Any, images: Any) -> tuple[Any, Any]:
    """Probabilities, shape (n, 8), and pooled features, shape (n, 192)."""
    import torch

    found = []
    with torch.inference_mode():
        for first in range(0, len(images), 256):
            pooled = judge.resnet(tensor(images[first : first + 256])).pooler_output
            found.append((judge.classifier(pooled).softmax(1).numpy(), pooled.flatten(1).numpy()))
    return np.concatenate([one for one, _ in found]), np.concatenate([other for _, other in found])


def frechet(one: Any, other: Any) -> float:
    """The Fréchet distance between Gaussians fitted to two sets of features (Heusel et al. 2017).

    The trace of the root of the covariances' product is the sum of the roots of its eigenvalues.
    """
    difference = one.mean(0) - other.mean(0)
    covariances = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(min=0))
    return float(difference @ difference + np.trace(covariances[0] + covariances[1]) - 2 * roots.sum())


def nearest(features: Any, training: Any) -> Any:
    """The distance of each image's features to the nearest of the training images' features."""
    import torch

    parts = torch.from_numpy(features).split(64)
    return torch.cat([torch.cdist(part, torch.from_numpy(training)).min(dim=1).values for part in parts]).numpy()


def learned_from(judge: Any, recipe: Recipe, work: Path) -> Any:
    """The judge's features of every phantom that the model was trained on, drawn again where they are not kept."""
    folder = recipe.folder(work)
    if folder.is_dir():
        return look(judge, data.load(folder, recipe).images)[1]
    with tempfile.TemporaryDirectory() as scratch:
        return look(judge, data.load(Path(scratch), recipe).images)[1]


def draw_curves(training: dict[str, Any], path: Path) -> None:
    """The curves of the training: round trip of the autoencoder, loss of the denoiser, and whether it listens."""
    from matplotlib.figure import Figure

    curves = training["curves"]
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(*_points(curves["autoencoder"], "psnr"), color="#0072B2")
    left.set(title="autoencoder", xlabel="step of 16", ylabel="PSNR of a batch, dB")
    steps, losses = _points(curves["denoiser"], "loss")
    smooth = [float(np.mean(losses[max(0, place - 9) : place + 1])) for place in range(len(losses))]
    middle.plot(steps, smooth, color="#0072B2")
    middle.set(title="denoiser", xlabel="step of 32", ylabel="loss, mean of ten batches", ylim=(0, max(smooth[3:])))
    for name, style in (("right", "-"), ("empty", "--"), ("shuffled", ":")):
        right.plot(*_points(curves["denoiser"], name), style, color="black", label=f"{name} prompt")
    right.set(title="does it listen? loss at t = 900 to 999", xlabel="step of 32", ylim=(0, None))
    right.legend(frameon=False)
    figure.savefig(path, dpi=90)


def _points(lines: list[dict[str, float]], name: str) -> tuple[list[float], list[float]]:
    """Step and value of every line of a curve that has the value."""
    found = [(line["step"], line[name]) for line in lines if name in line]
    return [step for step, _ in found], [value for _, value in found]


def sampler(**changes: Any) -> Any:
    """The settings by which the quickstart samples, with changes."""
    from synthgen.core import resources
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import load_plan

    settings = load_plan.read(resources.find("manifests", "quickstart"), EXTENSIONS).entries["text"].recipe.settings
    return type(settings)(**settings.model_dump() | changes)


class Model:
    """The bundled model, as diffusers loads it, sampled as the quickstart samples it unless told otherwise."""

    def __init__(self, weights: Path) -> None:
        from synthgen.core import devices

        device = devices.describe()
        import torch
        from diffusers import AutoPipelineForInpainting, AutoPipelineForText2Image

        self.dtype = "bfloat16" if device.bf16 else "float32"
        self.pipe = AutoPipelineForText2Image.from_pretrained(weights, dtype=getattr(torch, self.dtype))
        self.pipe.vae.to(memory_format=torch.channels_last)
        self.inpainting = AutoPipelineForInpainting.from_pipe(self.pipe)
        for pipe in (self.pipe, self.inpainting):
            pipe.set_progress_bar_config(disable=True)

    def draw(self, prompts: list[str], first_seed: int = 0, **changes: Any) -> Any:
        """Images of prompts, one seed each; with changes to the sampler's settings."""
        import torch

        made, settings = [], sampler(**changes)
        for first in range(0, len(prompts), BATCH):
            part = prompts[first : first + BATCH]
            seeds = [torch.Generator().manual_seed(first_seed + first + place) for place in range(len(part))]
            made.append(self._call(self.pipe, settings, prompt=part, generator=seeds))
        return np.rint(np.concatenate(made) * 255).astype(np.uint8)

    @staticmethod
    def _call(pipe: Any, settings: Any, **inputs: Any) -> Any:
        """What a pipeline makes of inputs, values 0 to 1, shape (n, 64, 64, 3)."""
        from synthgen.diffusion.pipelines import guidance

        with guidance.only_in(pipe, settings.guided_steps, settings.num_inference_steps):
            return pipe(
                **inputs,
                num_inference_steps=settings.num_inference_steps,
                guidance_scale=settings.guidance_scale,
                height=settings.height,
                width=settings.width,
                output_type="np",
            ).images

    def cells(self, per_cell: int, **changes: Any) -> Set:
        """So many images of each condition and type."""
        cells = [(label, tone) for label in range(len(NAMES)) for tone in TONES for _ in range(per_cell)]
        labels, tones = np.array(cells).T
        prompts = [PROMPT.format(LABELS[NAMES[label]], ROMAN[tone - 1]) for label, tone in cells]
        return Set(self.draw(prompts, **changes), labels, tones)

    def round_trip(self, images: Any) -> Any:
        """Images through the autoencoder and back."""
        import torch

        made = []
        with torch.inference_mode():
            for first in range(0, len(images), BATCH):
                pixels = tensor(images[first : first + BATCH]).to(self.pipe.vae.dtype)
                back = self.pipe.vae.decode(self.pipe.vae.encode(pixels).latent_dist.mean).sample
                made.append(((back.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
        return np.concatenate(made)

    def inpaint(self, images: Any, prompts: list[str], **changes: Any) -> Any:
        """The middle quarter of images painted anew; with changes to the sampler's settings."""
        import torch
        from PIL import Image

        mask = np.zeros((64, 64), np.uint8)
        mask[16:48, 16:48] = 255
        made = self._call(
            self.inpainting,
            sampler(**changes),
            prompt=prompts,
            image=[Image.fromarray(image) for image in images],
            mask_image=[Image.fromarray(mask)] * len(images),
            strength=0.97,
            generator=[torch.Generator().manual_seed(seed) for seed in range(len(images))],
        )
        return np.rint(made * 255).astype(np.uint8)


def image_ita(images: Any) -> Any:
    """The median ITA of each image in degrees."""
    return np.array([np.median(colour.ita(image)) for image in images])


def grid(rows: list[Any], path: Path, left: list[str], top: list[str], scale: int = 1) -> None:
    """Write rows of images as one PNG with names beside them and, one a column or a group of columns, above."""
    from PIL import Image, ImageDraw, ImageFont

    font, side, margin, head = ImageFont.load_default(13), 64 * scale + 2, 150, 52
    columns = max(len(row) for row in rows)
    sheet = Image.new("RGB", (margin + columns * side, head + len(rows) * side), "white")
    pen = ImageDraw.Draw(sheet)
    for place, name in enumerate(top):
        x = margin + place * columns // len(top) * side + 2
        pen.multiline_text((x, head - 4), name.replace("-", "\n"), fill="black", font=font, anchor="ld", spacing=1)
    for y, (name, row) in enumerate(zip(left, rows, strict=True)):
        middle = head + y * side + side // 2
        pen.multiline_text((4, middle), name.replace("-", "\n"), fill="black", font=font, anchor="lm", spacing=1)
        for x, image in enumerate(row):
            picture = Image.fromarray(image).resize((side - 2, side - 2), Image.Resampling.BICUBIC)
            sheet.paste(picture, (margin + x * side, head + y * side))
    sheet.save(path, optimize=True)


def _settings(scale: float, start: float, stop: float) -> dict[str, float]:
    """Guidance as changes to the sampler's settings."""
    return {"guidance_scale": scale, "guidance_start": start, "guidance_stop": stop}


def draw_grids(model: Model, judge: Any, made: Set, real: Set, out: Path) -> None:
    """Every picture of the report but the curves."""
    cell = {
        (label, tone): np.flatnonzero((made.labels == label) & (made.tones == tone))
        for label in range(8)
        for tone in TONES
    }
    rows = [[made.images[i] for tone in TONES for i in cell[label, tone][:2]] for label in range(8)]
    grid(rows, out / "model_grid.png", NAMES, list(ROMAN))
    prompts = [PROMPT.format(LABELS[name], tone) for name, tone in zip(NAMES, (*ROMAN, "II", "V"), strict=True)]
    guided = [model.draw(prompts, **_settings(scale, 0.0, 1.0)) for scale in (1, 2, 3, 4, 5)]
    names = [f"guidance_scale {scale}" for scale in (1, 2, 3, 4, 5)]
    grid([*guided, model.draw(prompts)], out / "model_guidance.png", [*names, "as the\nquickstart"], NAMES, 2)
    stepped = [model.draw(prompts, num_inference_steps=steps) for steps in (5, 10, 20, 50)]
    grid(stepped, out / "model_steps.png", [f"{steps} steps" for steps in (5, 10, 20, 50)], NAMES, 2)
    bare = np.flatnonzero(real.labels == NAMES.index("healthy"))
    healthy = real.images[bare[np.linspace(0, len(bare) - 1, len(NAMES)).astype(int)]]
    painted = model.inpaint(healthy, [f"An image of {LABELS[name]}, a skin disease" for name in NAMES])
    grid([list(healthy), list(painted)], out / "model_inpainting.png", ["healthy phantom", "inpainted"], NAMES, 2)
    scores = look(judge, made.images)[0]
    least = scores[np.arange(len(made.labels)), made.labels]
    worst = [np.flatnonzero(made.labels == label)[np.argsort(least[made.labels == label])][:8] for label in range(8)]
    failures = [[made.images[i] for i in row] for row in worst]
    grid(failures, out / "model_failures.png", NAMES, [f"worst {place}" for place in range(1, 9)])


def table(judge: Any, images: Set) -> tuple[Any, Any]:
    """Label accuracy by condition and type, shape (8, 6), and overall."""
    right = look(judge, images.images)[0].argmax(1) == images.labels
    cells = [[right[(images.labels == label) & (images.tones == tone)].mean() for tone in TONES] for label in range(8)]
    return np.array(cells), float(right.mean())


def report(found: dict[str, Any]) -> str:
    """The report in Markdown."""
    own = sampler()
    lines = [
        "# The bundled model"
        if found["ships"]
        else f"# A model trained as the bundled one, from seed {found['recipe'].seed}",
        "",
        *(_OWN if found["ships"] else _OTHER),
        "a classifier that was trained on phantoms of site a alone. The model draws phantoms, not people: nothing here",
        "says anything about real disease.",
        "",
        f"{found['images']} images as the quickstart samples them: {own.num_inference_steps} steps (`dpm++2m`), "
        f"guidance_scale {own.guidance_scale}",
        f"from {own.guidance_start} to {own.guidance_stop} of the steps, {found['dtype']}:",
        "",
        "| set | label accuracy | types V and VI | Fréchet distance | nearest training image | 1st percentile |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in ("held-out phantoms", "round trip of the autoencoder", "generated"):
        one = found[name]
        lines.append(
            f"| {name} | {one['accuracy']:.3f} | {one['dark']:.3f} | {one['frechet']:.1f} "
            f"| {one['nearest']:.2f} | {one['near']:.2f} |"
        )
    lines += [
        "",
        "The Fréchet distance is on the judge's own pooled features, between each set and other phantoms: in the first",
        "row, phantoms against phantoms. The last columns are distances, in those features, to the nearest of all",
        "phantoms that the model was trained on, median and 1st percentile: a model that copies comes nearer to them",
        "than phantoms do that it has never seen.",
        "",
        "## Label accuracy by condition and type",
        "",
        f"| condition | {' | '.join(ROMAN)} | all | held-out phantoms |",
        f"|---|{'---:|' * 8}",
    ]
    for name, row, base in zip(NAMES, found["table"], found["base"], strict=True):
        cells = " | ".join(f"{value:.2f}" for value in row)
        lines.append(f"| {name} | {cells} | {np.mean(row):.3f} | {np.mean(base):.3f} |")
    by_tone = " | ".join(f"{value:.2f}" for value in np.mean(found["table"], axis=0))
    lines.append(f"| **all** | {by_tone} | {np.mean(found['table']):.3f} | {np.mean(found['base']):.3f} |")
    lines += [
        "",
        "## Skin tone",
        "",
        "The median ITA of each image's pixels in degrees; in brackets the 10th and 90th percentile of images.",
        "",
        f"| | {' | '.join(ROMAN)} |",
        f"|---|{'---:|' * 6}",
        *(
            f"| {name} | {' | '.join(f'{m:.0f} ({a:.0f} to {b:.0f})' for a, m, b in found['ita'][name])} |"
            for name in found["ita"]
        ),
        "",
        "![Each condition on each type, two images each](model_grid.png)",
        "",
        "## Guidance, steps, inpainting",
        "",
        f"{found['fewer']} images in each row. An image's passes through the denoiser are one a step, and another",
        "where it is guided. Spread is the standard deviation of the images' ITA within a type as a share of the",
        "phantoms' own, mean over types. Guidance sharpens the condition and narrows the tones, how much of either",
        "depends on the steps.",
        "",
        "| guidance_scale | of the steps | passes | label accuracy | types V and VI | Fréchet distance | spread |",
        "|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {scale} | {start} to {stop} | {one['passes']} | {one['accuracy']:.3f} | {one['dark']:.3f} "
            f"| {one['frechet']:.1f} | {one['spread']:.2f} |"
            for (scale, start, stop), one in found["guidance"].items()
        ),
        "",
        "![guidance_scale 1 to 5 in all steps, and as the quickstart has it](model_guidance.png)",
        "",
        "![5 to 50 steps](model_steps.png)",
        "",
        "![Healthy phantoms, and their middle quarter painted anew](model_inpainting.png)",
        "",
        "## Training",
        "",
        f"{_recipe(found)}",
        "",
        "![Curves of the training](model_training.png)",
        "",
        "`make weights` trains it from nothing, or goes on where it was stopped; from another seed by",
        "`make weights WEIGHTS_ARGS='--seed 1'`. The recipe is `synthgen/phantom/training/recipe.py`; what was",
        f"trained, with every curve, is in `{'synthgen/phantom/weights/' if found['ships'] else ''}training.json`"
        f"{'' if found['ships'] else ' of its folder, which is not kept here'}.",
        "",
        _OTHERS if found["ships"] else _SHIPPED,
        "",
        "## Failures",
        "",
        "Of each condition, the eight images that the judge found least like it.",
        "",
        "![The worst eight of each condition](model_failures.png)",
        "",
    ]
    return "\n".join(lines)


def _recipe(found: dict[str, Any]) -> str:
    """The recipe in a sentence."""
    recipe: Recipe = found["recipe"]
    return (
        f"Seed {recipe.seed}, {recipe.per_cell * len(NAMES) * len(TONES):,} phantoms of site a; the autoencoder "
        f"{recipe.autoencoder_channels} {recipe.autoencoder_steps:,} steps of 16, the text encoder "
        f"{recipe.text_steps:,} steps of 64 on naming label and type, then text encoder and UNet "
        f"{recipe.denoiser_channels} together {recipe.denoiser_steps:,} steps of 32; {found['bytes'] / 1e6:.1f} MB."
    )


def spread(images: Set, of: Set) -> float:
    """The standard deviation of ITA within a type as a share of another set's, mean over types."""
    here, there = image_ita(images.images), image_ita(of.images)
    return float(np.mean([here[images.tones == tone].std() / there[of.tones == tone].std() for tone in TONES]))


def measure(judge: Any, images: Set, training: Any, other: Any) -> dict[str, float]:
    """A row of the first table; ``training`` and ``other`` are features of phantoms."""
    scores, features = look(judge, images.images)
    right = scores.argmax(1) == images.labels
    distances = nearest(features, training)
    return {
        "accuracy": float(right.mean()),
        "dark": float(right[images.tones >= 5].mean()),
        "frechet": frechet(features, other),
        "nearest": float(np.median(distances)),
        "near": float(np.percentile(distances, 1)),
    }


def main() -> None:
    """Train the judge, judge, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-cell", type=int, default=20, help="generated images a condition and type")
    parser.add_argument("--judge-steps", type=int, default=1500, help="the judge's training steps of 64 images")
    parser.add_argument("--judge-per-cell", type=int, default=170, help="its training phantoms a condition and type")
    parser.add_argument("--work", type=Path, default=Path("build/weights"), help="where the training kept its phantoms")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="the model's folder; the one that ships")
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder of model.md and its pictures")
    arguments = parser.parse_args()
    began = time.perf_counter()
    training, held = phantoms(arguments.judge_per_cell, JUDGE_SEED), phantoms(arguments.per_cell, HELD_SEED)
    judge = train_judge(training, arguments.judge_steps)
    other = look(judge, phantoms(arguments.per_cell, OTHER_SEED).images)[1]
    model = Model(arguments.weights)
    made = model.cells(arguments.per_cell)
    found: dict[str, Any] = {"images": len(made.labels), "dtype": model.dtype, "guidance": {}, "ita": {}}
    sets = {
        "held-out phantoms": held,
        "round trip of the autoencoder": held._replace(images=model.round_trip(held.images)),
        "generated": made,
    }
    history = json.loads((arguments.weights / export.TRAINING).read_text(encoding="utf-8"))
    recipe = export.recipe_of(arguments.weights)
    found["recipe"], found["ships"] = recipe, arguments.weights == WEIGHTS
    found["bytes"] = sum(path.stat().st_size for path in arguments.weights.rglob("*.safetensors"))
    learned = learned_from(judge, recipe, arguments.work)
    for name, one in sets.items():
        found[name] = measure(judge, one, learned, other)
    found["table"], found["base"] = table(judge, made)[0], table(judge, held)[0]
    for name, one in (("phantoms", held), ("generated", made)):
        ita = image_ita(one.images)
        found["ita"][name] = [np.percentile(ita[one.tones == tone], (10, 50, 90)) for tone in TONES]
    for guidance in THROUGHOUT + INTERVALS:
        changes = _settings(*guidance)
        part = model.cells(max(1, arguments.per_cell // 2), **changes)
        more = {"spread": spread(part, held), "passes": sampler(**changes).passes}
        found["guidance"][guidance] = measure(judge, part, learned, other) | more
        found["fewer"] = len(part.labels)
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw_grids(model, judge, made, held, arguments.out)
    draw_curves(history, arguments.out / "model_training.png")
    (arguments.out / "model.md").write_text(report(found), encoding="utf-8")
    summary = {name: found[name] for name in sets}
    print(json.dumps(summary, indent=1))
    print(f"{arguments.out / 'model.md'} written in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
