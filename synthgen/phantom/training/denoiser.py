"""Trains the text encoder and the denoiser together on the autoencoder's latents.

The text encoder first learns, alone, to tell label and type from a prompt: from random weights the denoiser would not
start to listen to it. Watch ``right``, ``shuffled`` and ``empty``: the loss at the noisiest timesteps with each image's
own prompt, another's, and none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from synthgen.phantom.training import networks
from synthgen.phantom.training.autoencoder import pixels
from synthgen.phantom.training.data import Images, TrainingPhantoms, blur
from synthgen.phantom.training.loop import Machine, TrainingStage
from synthgen.phantom.training.recipe import LABELS, LATENT_CHANNELS, LATENT_SIDE, TEXT_WIDTH, TONES, Recipe
from synthgen.phantom.training.wording import Wording

if TYPE_CHECKING:
    from torch import Tensor

_BATCH, _DROPPED, _BLURRED, _PROBE_STEPS = 32, 0.1, 1 / 16, 500
_NAMES = tuple(LABELS)


class Latents:
    """The autoencoder's latents of every phantom, and of blurred copies of one in sixteen.

    Attributes:
        values: float16, shape (n, 4, 16, 16).
        phantoms: The phantom that latent i shows, shape (n,).
        blurred: Whether it is blurred, shape (n,).
    """

    def __init__(self, folder: Path, data: TrainingPhantoms, vae: Any, recipe: Recipe, machine: Machine) -> None:
        rng = np.random.default_rng([recipe.seed, 1])
        count = len(data)
        copies = rng.choice(count, int(count * _BLURRED), replace=False)
        self.phantoms = np.concatenate([np.arange(count), copies])
        self.blurred = np.arange(len(self.phantoms)) >= count
        path = folder / "latents.npy"
        if not path.exists():
            parts = [_encode(vae, data.images[first : first + 64], machine) for first in range(0, count, 64)]
            parts += [
                _encode(vae, blur(data.images[copies[first : first + 64]], rng), machine)
                for first in range(0, len(copies), 64)
            ]
            with path.with_suffix(".scratch").open("wb") as file:
                np.save(file, np.concatenate(parts))
            path.with_suffix(".scratch").rename(path)
        self.values = np.load(path)


def _encode(vae: Any, images: Images, machine: Machine) -> npt.NDArray[np.float16]:
    import torch

    with torch.inference_mode(), machine.autocast():
        mean: Tensor = vae.encode(pixels(images, machine)).latent_dist.mean
        return np.asarray(mean.half().cpu().numpy())


def train(
    folder: Path, data: TrainingPhantoms, latents: Latents, *, tokenizer: Any, recipe: Recipe, machine: Machine
) -> tuple[Any, Any]:
    """The text encoder and the UNet."""
    import torch

    torch.manual_seed(recipe.seed + 2)
    encoder = networks.text_encoder(len(tokenizer)).to(machine.device)
    unet = networks.denoiser(recipe).to(machine.device)
    models = _TextAndDenoiser(data, latents, machine, tokenizer=tokenizer, encoder=encoder, unet=unet)
    models.teach_text(folder, recipe)
    stage = TrainingStage(
        "denoiser",
        folder,
        {"text": encoder, "unet": unet},
        seed=recipe.seed,
        steps=recipe.denoiser_steps,
        learning_rate=8e-4,
        ema=0.9995,
    )
    for network in (encoder, unet):
        network.requires_grad_(requires_grad=True)
    stage.run(models.loss)
    return encoder, unet


class _TextAndDenoiser:
    """Text encoder and denoiser, and their losses."""

    def __init__(
        self, data: TrainingPhantoms, latents: Latents, machine: Machine, *, tokenizer: Any, encoder: Any, unet: Any
    ) -> None:
        self._data, self._latents, self._tokenizer = data, latents, tokenizer
        self._encoder, self._unet, self._machine = encoder, unet, machine
        self._wording, self._schedule = Wording(), networks.schedule()

    def teach_text(self, folder: Path, recipe: Recipe) -> None:
        """Teach the text encoder, alone, which label and type a prompt names."""
        import torch

        heads = torch.nn.Linear(TEXT_WIDTH, len(LABELS) + len(TONES)).to(self._machine.device)

        def loss(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
            labels, tones = rng.integers(0, len(LABELS), 64), rng.integers(1, 7, 64)
            texts = [
                self._wording.draw(rng, _NAMES[label], int(tone)) for label, tone in zip(labels, tones, strict=True)
            ]
            scores = heads(self._read(texts).mean(dim=1))
            label, tone = scores[:, : len(LABELS)], scores[:, len(LABELS) :]
            cross_entropy = torch.nn.functional.cross_entropy
            wanted = torch.from_numpy(labels).to(scores.device), torch.from_numpy(tones - 1).to(scores.device)
            right = (label.argmax(1) == wanted[0]).float().mean().item()
            return cross_entropy(label, wanted[0]) + cross_entropy(tone, wanted[1]), {"accuracy": right}

        networks_taught = {"text": self._encoder, "heads": heads}
        steps = recipe.text_steps
        TrainingStage("text", folder, networks_taught, seed=recipe.seed, steps=steps, learning_rate=2e-3).run(loss)

    def loss(self, step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The mean squared error of v on a batch, timesteps spread evenly over the schedule."""
        chosen = rng.integers(0, len(self._latents.phantoms), _BATCH)
        texts = [text if rng.random() >= _DROPPED else "" for text in self._texts(chosen, rng)]
        steps = ((np.arange(_BATCH) + rng.random()) / _BATCH * 1000).astype(np.int64)
        found = self._error(chosen, texts, steps)
        last = (step + 1) % _PROBE_STEPS == 0
        return found, self._probe() if last else {}

    def _texts(self, chosen: npt.NDArray[np.int64], rng: np.random.Generator) -> list[str]:
        latents, data = self._latents, self._data
        return [
            self._wording.draw(
                rng,
                _NAMES[data.labels[latents.phantoms[place]]],
                int(data.tones[latents.phantoms[place]]),
                blurred=bool(latents.blurred[place]),
            )
            for place in chosen
        ]

    def _read(self, texts: list[str]) -> Tensor:
        """The text encoder's hidden states, shape (texts, tokens, width)."""
        tokens = self._tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        states: Tensor = self._encoder(tokens.to(self._machine.device)).last_hidden_state
        return states

    def _error(self, chosen: npt.NDArray[np.int64], texts: list[str], steps: npt.NDArray[np.int64]) -> Tensor:
        """The mean squared error of v for latents at timesteps, with these prompts."""
        import torch

        clean = torch.from_numpy(self._latents.values[chosen]).float().to(self._machine.device)
        noise = torch.randn(len(chosen), LATENT_CHANNELS, LATENT_SIDE, LATENT_SIDE).to(clean.device)
        times = torch.from_numpy(steps).to(clean.device)
        noisy = self._schedule.add_noise(clean, noise, times)
        wanted = self._schedule.get_velocity(clean, noise, times)
        with self._machine.autocast():
            found = self._unet(noisy, times, self._read(texts)).sample
        return torch.nn.functional.mse_loss(found.float(), wanted)

    def _probe(self) -> dict[str, float]:
        """Whether the denoiser listens, on one fixed batch at timesteps 900 to 999."""
        import torch

        rng = np.random.default_rng(0)
        chosen = rng.choice(len(self._data), 96, replace=False)
        texts, steps = self._texts(chosen, rng), rng.integers(900, 1000, 96)
        ways = {"right": texts, "shuffled": texts[1:] + texts[:1], "empty": [""] * 96}
        found = {}
        with torch.no_grad():
            for name, said in ways.items():
                torch.manual_seed(0)
                found[name] = round(self._error(chosen, said, steps).item(), 4)
        return found
