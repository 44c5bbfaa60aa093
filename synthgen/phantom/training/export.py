"""Writes the trained parts as a Stable Diffusion folder that diffusers loads as it is, with how they were trained."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from synthgen.phantom.training import networks
from synthgen.phantom.training.loop import Machine, curve
from synthgen.phantom.training.recipe import LABELS, MAX_TOKENS, SIDE, Recipe

TRAINING = "training.json"
_STAGES = ("classifier", "autoencoder", "text", "denoiser")
_CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---

# The model that ships with synthgen

A latent diffusion model of {millions:.1f} million parameters in Stable Diffusion's layout, for images of
{side} x {side} pixels. It draws phantoms: caricatures of a few textbook cues of {conditions},
on the six Fitzpatrick types. **It has seen no photograph and knows nothing of real disease.** It is for testing
software, and for trying a study out.

- Trained from nothing by `make weights`, on {images:,} images of `synthgen phantom --site a` with seed {seed};
  the recipe and the curves are in `{training}`.
- Prompts as `An image of psoriasis, a skin disease, Fitzpatrick skin type V`, up to {tokens} tokens; paraphrases, body
  sites and attributes as in `prompts/dermatology.yaml`.
- It predicts v, with zero terminal SNR. guidance_scale 1 to 5: in all steps, about 1.5 names the condition clearly;
  2.5 in steps 0.4 to 0.6 of the way names it as clearly, and keeps more of the spread of tones within a type.
- How well it does, with its failures: `docs/model.md`, written by `make model-report`.
"""


def export(out: Path, *, vae: Any, tokenizer: Any, text_encoder: Any, unet: Any) -> None:
    """Write ``out`` in diffusers' layout: UNet and autoencoder in fp16, the text encoder in fp32.

    transformers would keep half precision where diffusers does not, and the first call would fail.
    """
    import torch
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

    scheduler = DPMSolverMultistepScheduler.from_config(networks.schedule().config)
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=text_encoder.to(torch.float32),
        tokenizer=tokenizer,
        unet=unet.half(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(out, safe_serialization=True)


def describe(out: Path, folder: Path, recipe: Recipe, machine: Machine, parameters: int) -> None:
    """Write the recipe and the curves of every stage beside the weights, and their card.

    Args:
        out: The model's folder.
        folder: Where the stages' logs lie.
        recipe: What was trained.
        machine: Where.
        parameters: Of all parts together.
    """
    curves = {stage: [_numbers(line) for line in curve(folder / f"{stage}.jsonl")] for stage in _STAGES}
    content = {"recipe": asdict(recipe), "bf16": machine.bf16, "parameters": parameters, "curves": curves}
    text = json.dumps(content, separators=(",", ":")).replace("},{", "},\n{")
    (out / TRAINING).write_text(f"{text}\n", encoding="utf-8")
    card = _CARD.format(
        millions=parameters / 1e6,
        side=SIDE,
        conditions=", ".join(LABELS.values()),
        images=recipe.per_cell * len(LABELS) * 6,
        seed=recipe.seed,
        training=TRAINING,
        tokens=MAX_TOKENS,
    )
    (out / "README.md").write_text(card, encoding="utf-8")


def recipe_of(model: Path) -> Recipe:
    """The recipe that a model's folder says it was trained by."""
    written = json.loads((model / TRAINING).read_text(encoding="utf-8"))["recipe"]
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in written.items()}
    return Recipe(**fields)


def _numbers(line: dict[str, Any]) -> dict[str, float]:
    """A line of a log without what it says of time, which is another on every machine."""
    return {name: value for name, value in line.items() if name not in ("stage", "seconds")}
