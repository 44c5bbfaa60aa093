"""Distils the bundled model into a LoRA that samples in four steps: latent consistency distillation (Luo et al. 2023).

A student answers at once what the teacher would reach by walking its whole path: for two neighbours on a path of the
teacher's, it learns to say the same. The teacher walks guided, so the student needs no guidance of its own. Teacher,
student and the student's answer at the next timestep are one UNet, without and with the LoRA added to its weights.

Not diffusers' example scripts: those need CUDA and accelerate, and do not go on to the same bits after a kill.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from synthgen.core import devices
from synthgen.phantom.training.data import TrainingPhantoms
from synthgen.phantom.training.denoiser import Latents
from synthgen.phantom.training.export import TRAINING, recipe_of
from synthgen.phantom.training.loop import Machine, TrainingStage, curve
from synthgen.phantom.training.low_rank import LowRank
from synthgen.phantom.training.recipe import LABELS, TONES, Recipe
from synthgen.phantom.training.wording import Wording

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module

_SIGMA_DATA, _TIMESTEP_SCALING = 0.5, 10.0  # LCMScheduler's own boundary conditions
_HUBER = 1e-3
_STAGE = "consistency"
_log = logging.getLogger("synthgen.phantom.training")
_CARD = """\
---
license: apache-2.0
library_name: diffusers
tags: [lora]
---

# The few-step adapter of the model that ships with synthgen

A LoRA that lets the bundled model draw in four steps, without guidance: `accelerate: phantom-lcm`. It is distilled
from the model by latent consistency (Luo et al. 2023), with `make weights-lcm` and seed {seed}, on the phantoms that
the model learned from; the recipe and the curve are in `{training}`. It draws phantoms, has seen no photograph and
knows nothing of real disease. How well it does: `docs/few-step.md`, written by `make model-report`.
"""


@dataclass(frozen=True, slots=True)
class ConsistencyRecipe:
    """How the few-step LoRA is distilled; equal recipes on equal machines give equal weights.

    Attributes:
        seed: With the step, the seed of all that is random in it.
        steps: Of the optimizer.
        batch: Latents a step.
        rank: Of the LoRA, the same in every linear and convolutional layer.
        original_inference_steps: The timesteps that a path is walked in, LCMScheduler's own parameter.
        prompts: Prompts that are drawn for each condition and type.
        learning_rate: Its peak.
        ema: The decay of the moving average of the LoRA, which answers at the next timestep and is kept in the end.
        guidance: The teacher's ``guidance_scale`` by timestep: first timestep, the one after the last, scale.
    """

    seed: int = 0
    steps: int = 480
    batch: int = 48
    rank: int = 26
    original_inference_steps: int = 50
    prompts: int = 48
    learning_rate: float = 3e-4
    ema: float = 0.95
    guidance: tuple[tuple[int, int, float], ...] = ((0, 400, 1.4), (400, 600, 2.0))


class PromptStates:
    """The text encoder's states of prompts drawn for each condition and type, and of the negative prompt."""

    def __init__(self, text_encoder: Module, tokenizer: Any, recipe: ConsistencyRecipe, machine: Machine) -> None:
        import torch

        rng, wording = np.random.default_rng([recipe.seed, 2]), Wording()
        self._count = recipe.prompts
        texts = [wording.draw(rng, label, tone) for label in LABELS for tone in TONES for _ in range(recipe.prompts)]

        def read(some: list[str]) -> Tensor:
            tokens = tokenizer(some, padding="max_length", truncation=True, return_tensors="pt").input_ids
            states: Tensor = text_encoder(tokens.to(machine.device)).last_hidden_state
            return states

        with torch.no_grad():
            parts = [read(texts[first : first + 128]) for first in range(0, len(texts), 128)]
            self._states, self.negative = torch.cat(parts), read(["blurry, low quality"])

    def draw(self, rng: np.random.Generator, labels: npt.NDArray[np.int64], tones: npt.NDArray[np.int64]) -> Tensor:
        """The states of a prompt for each label (its place) and type (1 to 6), shape (n, tokens, width)."""
        cells = labels * len(TONES) + tones - 1
        return self._states[cells * self._count + rng.integers(0, self._count, len(cells))]


class Distillation:
    """The loss of latent consistency distillation on phantoms' latents."""

    def __init__(
        self, unet: Module, prompts: PromptStates, recipe: ConsistencyRecipe, machine: Machine, *, schedule: Any
    ) -> None:
        import torch

        torch.manual_seed(recipe.seed)
        self.lora = LowRank(unet, recipe.rank, machine.device)
        self._unet, self._prompts, self._recipe, self._machine = unet, prompts, recipe, machine
        signal: Tensor = schedule.alphas_cumprod.to(machine.device)
        self._signal, self._noise = signal.sqrt(), (1 - signal).sqrt()
        self._stride = len(signal) // recipe.original_inference_steps
        self._scales = torch.ones(len(signal))
        for first, stop, scale in recipe.guidance:
            self._scales[first:stop] = scale

    def loss(
        self,
        clean: Tensor,
        labels: npt.NDArray[np.int64],
        tones: npt.NDArray[np.int64],
        rng: np.random.Generator,
        average: Mapping[str, Tensor],
    ) -> Tensor:
        """The pseudo-Huber distance (Song & Dhariwal 2023) between the answers at two neighbours of the teacher's path.

        Args:
            clean: Latents of phantoms, shape (n, 4, side, side).
            labels: The place of each one's condition in the recipe's list, shape (n,).
            tones: Its Fitzpatrick type, 1 to 6, shape (n,).
            rng: Draws prompts and timesteps.
            average: The moving average of the LoRA, which gives the answer that is learned.
        """
        import torch
        from torch.func import functional_call

        count = self._recipe.original_inference_steps
        states = self._prompts.draw(rng, labels, tones)
        spread = (rng.permutation(len(clean)) + rng.random(len(clean))) / len(clean)
        places = torch.from_numpy((1 + spread * count).astype(np.int64)).to(clean.device)
        times = places * self._stride - 1
        nexts = (times - self._stride).clamp(min=0)
        noisy = self._at(self._signal, times) * clean + self._at(self._noise, times) * torch.randn_like(clean)
        weights = self.lora.weights()

        def student(latents: Tensor, at: Tensor, chosen: dict[str, Tensor]) -> Tensor:
            with self._machine.autocast():
                found = functional_call(self._unet, chosen, (latents, at, states)).sample
            return self.answer(latents, at, found.float())

        with torch.no_grad():
            velocity = self._guided(noisy, times, states)
            origin, noise = self._origin(noisy, times, velocity), self._epsilon(noisy, times, velocity)
            walked = self._at(self._signal, nexts) * origin + self._at(self._noise, nexts) * noise
            answer = student(walked, nexts, self.lora.weights(average))
            target = torch.where((places == 1).view(-1, 1, 1, 1), origin, answer)
        distance = student(noisy, times, weights) - target
        return ((distance**2 + _HUBER**2).sqrt() - _HUBER).mean()

    def _guided(self, latents: Tensor, times: Tensor, states: Tensor) -> Tensor:
        """The teacher's velocity, guided by classifier-free guidance where the recipe says so."""
        with self._machine.autocast():
            found: Tensor = self._unet(latents, times, states).sample.float()
            scales = self._scales.to(times.device)[times]
            guided = scales != 1
            if guided.any():
                negative = self._prompts.negative.expand(int(guided.sum()), -1, -1)
                other = self._unet(latents[guided], times[guided], negative).sample.float()
                found[guided] = other + scales[guided].view(-1, 1, 1, 1) * (found[guided] - other)
        return found

    def answer(self, latents: Tensor, times: Tensor, velocity: Tensor) -> Tensor:
        """The consistency function, as LCMScheduler computes it from a velocity."""
        scaled = (times.float() * _TIMESTEP_SCALING).view(-1, 1, 1, 1)
        skip = _SIGMA_DATA**2 / (scaled**2 + _SIGMA_DATA**2)
        out = scaled / (scaled**2 + _SIGMA_DATA**2).sqrt()
        return skip * latents + out * self._origin(latents, times, velocity)

    def _origin(self, latents: Tensor, times: Tensor, velocity: Tensor) -> Tensor:
        """The clean latents that a velocity points to (Salimans & Ho 2022)."""
        return self._at(self._signal, times) * latents - self._at(self._noise, times) * velocity

    def _epsilon(self, latents: Tensor, times: Tensor, velocity: Tensor) -> Tensor:
        """The noise that a velocity points to."""
        return self._at(self._signal, times) * velocity + self._at(self._noise, times) * latents

    @staticmethod
    def _at(table: Tensor, times: Tensor) -> Tensor:
        return table[times].view(-1, 1, 1, 1)


def train(
    folder: Path,
    data: TrainingPhantoms,
    latents: Latents,
    *,
    unet: Module,
    prompts: PromptStates,
    recipe: ConsistencyRecipe,
    machine: Machine,
    checkpoint_seconds: float = 300.0,
) -> dict[str, torch.Tensor]:
    """The LoRA's layers in half precision, by the names that diffusers reads.

    Args:
        folder: Where checkpoint and log lie.
        data: The phantoms that the teacher learned from.
        latents: Their latents.
        unet: The teacher.
        prompts: What the teacher is told.
        recipe: What is trained and for how long.
        machine: Where.
        checkpoint_seconds: The time between two checkpoints.
    """
    import torch

    from synthgen.phantom.training import networks

    unet.eval().requires_grad_(requires_grad=False)
    distillation = Distillation(unet, prompts, recipe, machine, schedule=networks.schedule())
    sharp = np.flatnonzero(~latents.blurred)

    def loss(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = rng.choice(sharp, recipe.batch)
        clean = torch.from_numpy(latents.values[chosen]).float().to(machine.device)
        phantoms = latents.phantoms[chosen]
        return distillation.loss(clean, data.labels[phantoms], data.tones[phantoms], rng, stage.average), {}

    stage = TrainingStage(
        _STAGE,
        folder,
        distillation.lora.networks,
        seed=recipe.seed,
        steps=recipe.steps,
        learning_rate=recipe.learning_rate,
        ema=recipe.ema,
        checkpoint_seconds=checkpoint_seconds,
    )
    stage.run(loss)
    return distillation.lora.layers()


def folder(work: Path, model: Recipe, recipe: ConsistencyRecipe) -> Path:
    """The folder in the model's own that is this distillation's alone, so that none takes up another's checkpoint."""
    return model.folder(work) / f"consistency-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"


def export(out: Path, layers: Mapping[str, torch.Tensor], work: Path, recipe: ConsistencyRecipe) -> None:
    """Write the LoRA as diffusers reads it, with its recipe and its curve, and a card.

    Args:
        out: The adapter's folder.
        layers: Its layers, as :func:`train` gives them.
        work: Where the log of the training lies.
        recipe: What was trained.
    """
    from diffusers import StableDiffusionPipeline

    StableDiffusionPipeline.save_lora_weights(out, unet_lora_layers=dict(layers), safe_serialization=True)
    lines = [{"step": line["step"], "loss": line["loss"]} for line in curve(work / f"{_STAGE}.jsonl")]
    text = json.dumps({"recipe": dataclasses.asdict(recipe), "curve": lines}, separators=(",", ":"))
    (out / TRAINING).write_text(text.replace("},{", "},\n{") + "\n", encoding="utf-8")
    (out / "README.md").write_text(_CARD.format(training=TRAINING, seed=recipe.seed), encoding="utf-8")


def main() -> None:
    """Read the command line and distil."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    from synthgen.phantom.training import data

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/weights"), help="checkpoints and logs")
    parser.add_argument("--model", type=Path, required=True, help="the teacher's folder")
    parser.add_argument("--out", type=Path, required=True, help="the folder that the LoRA is written to")
    for field in dataclasses.fields(ConsistencyRecipe):
        if field.type == "int":
            name = field.name.replace("_", "-")
            parser.add_argument(f"--{name}", type=int, default=field.default, metavar="N")
    arguments = vars(parser.parse_args())
    work, model, out = (arguments.pop(name) for name in ("work", "model", "out"))
    recipe, device = ConsistencyRecipe(**arguments), devices.describe()
    machine = Machine(device.kind, device.bf16)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    learned = recipe_of(model)
    kept = folder(work, learned, recipe)
    kept.mkdir(parents=True, exist_ok=True)
    _log.info("phantoms")
    phantoms = data.load(kept.parent, learned)
    _log.info("latents")
    vae = AutoencoderKL.from_pretrained(model / "vae").float().to(machine.device)
    latents = Latents(kept.parent, phantoms, vae, learned, machine)
    text_encoder = CLIPTextModel.from_pretrained(model / "text_encoder").to(machine.device)
    prompts = PromptStates(text_encoder, AutoTokenizer.from_pretrained(model / "tokenizer"), recipe, machine)
    unet = UNet2DConditionModel.from_pretrained(model / "unet").float().to(machine.device)
    _log.info("LoRA, %d steps", recipe.steps)
    layers = train(kept, phantoms, latents, unet=unet, prompts=prompts, recipe=recipe, machine=machine)
    export(out, layers, kept, recipe)
    _log.info("wrote %s", out)


if __name__ == "__main__":
    main()
