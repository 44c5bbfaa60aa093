"""Trains the autoencoder: by pixels, by edges, by colour, and by what a classifier sees in the image.

Without the last term PSNR looks fine while rings, hairs and rolled borders are lost; the classifier here is not the one
that judges the model. In the last quarter the encoder is frozen and the decoder learns to read noisy latents.
"""

from __future__ import annotations

import operator
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgen.phantom.training import networks
from synthgen.phantom.training.data import Images, TrainingPhantoms
from synthgen.phantom.training.loop import Machine, TrainingStage
from synthgen.phantom.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_KL, _FEATURES, _LATENT_NOISE = 1e-5, 0.1, 0.1


def pixels(images: Images, machine: Machine) -> Tensor:
    """uint8 images, shape (n, 64, 64, 3), as the networks read them: -1 to 1, shape (n, 3, 64, 64)."""
    import torch

    return torch.from_numpy(np.array(images)).to(machine.device).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_classifier(folder: Path, data: TrainingPhantoms, recipe: Recipe, machine: Machine) -> Module:
    """The classifier whose features the autoencoder keeps."""
    import torch

    torch.manual_seed(recipe.seed)
    network = networks.classifier().to(machine.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        images, chosen = data.draw(rng, 64)
        labels = torch.from_numpy(data.labels[chosen]).to(machine.device)
        tones = torch.from_numpy(data.tones[chosen] - 1).to(machine.device)
        with machine.autocast():
            label, tone = network(pixels(images, machine))
        right = (label.argmax(1) == labels).float().mean().item()
        cross_entropy = torch.nn.functional.cross_entropy
        return cross_entropy(label.float(), labels) + 0.3 * cross_entropy(tone.float(), tones), {"accuracy": right}

    steps = recipe.classifier_steps
    TrainingStage("classifier", folder, {"net": network}, seed=recipe.seed, steps=steps, learning_rate=2e-3).run(loss)
    return network


def train(folder: Path, data: TrainingPhantoms, classifier: Module, recipe: Recipe, machine: Machine) -> Any:
    """The autoencoder, its latents of mean 0 and deviation 1 in each channel."""
    import torch

    torch.manual_seed(recipe.seed + 1)
    vae = networks.autoencoder(recipe).to(machine.device, memory_format=torch.channels_last)
    frozen_from = recipe.autoencoder_steps * 3 // 4

    def loss(step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        real = pixels(data.draw(rng, 16)[0], machine)
        with machine.autocast():
            if step < frozen_from:
                posterior = vae.encode(real).latent_dist
                latents, divergence = posterior.sample(), posterior.kl().mean() / 16**2
            else:
                with torch.no_grad():
                    latents = vae.encode(real).latent_dist.sample()
                    deviation = latents.float().std(dim=(0, 2, 3), keepdim=True)
                    amount = _LATENT_NOISE * torch.rand(16, 1, 1, 1).to(latents.device)
                    latents = latents + amount * deviation * torch.randn_like(latents)
                divergence = torch.zeros(())
            made = vae.decode(latents).sample
            seen = _feature_loss(classifier, made, real)
        made = made.float()
        found = _pixel_loss(made, real) + _FEATURES * seen.float() + _KL * divergence
        error = torch.nn.functional.mse_loss(made.detach().clamp(-1, 1), real).item()
        return found, {"psnr": round(10 * np.log10(4 / max(error, 1e-9)), 2), "features": round(seen.item(), 4)}

    steps = recipe.autoencoder_steps
    stage = TrainingStage(
        "autoencoder", folder, {"vae": vae}, seed=recipe.seed, steps=steps, learning_rate=8e-4, ema=0.999
    )
    stage.run(loss)
    normalise_latents(vae, data, recipe, machine)
    return vae


def _pixel_loss(made: Tensor, real: Tensor) -> Tensor:
    """L1 of pixels, of their differences to both neighbours, of 4 x 4 means, and of colour differences."""
    import torch

    difference = made - real
    down = difference[..., 1:, :] - difference[..., :-1, :]
    right = difference[..., 1:] - difference[..., :-1]
    pooled = torch.nn.functional.avg_pool2d(difference, 4)
    chroma = difference - difference.mean(dim=1, keepdim=True)
    parts = ((difference, 1.0), (down, 0.5), (right, 0.5), (pooled, 1.0), (chroma, 1.0))
    return reduce(operator.add, (weight * part.abs().mean() for part, weight in parts))


def _feature_loss(classifier: Module, made: Tensor, real: Tensor) -> Tensor:
    """L1 of each level's feature maps, over their mean magnitude."""
    import torch

    with torch.no_grad():
        wanted: list[Tensor] = classifier(real, features=True)
    found: list[Tensor] = classifier(made, features=True)
    levels = zip(found, wanted, strict=True)
    return reduce(operator.add, ((one - other).abs().mean() / other.abs().mean() for one, other in levels))


def normalise_latents(vae: Any, data: TrainingPhantoms, recipe: Recipe, machine: Machine) -> None:
    """Fold mean and deviation of each latent channel into the 1 x 1 convolutions beside the latents."""
    import torch

    rng = np.random.default_rng(recipe.seed)
    with torch.no_grad():
        batches = [vae.encode(pixels(data.draw(rng, 64)[0], machine)).latent_dist.mean for _ in range(16)]
        latents = torch.cat(batches)
        mean, deviation = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
        before, after, channels = vae.quant_conv, vae.post_quant_conv, len(mean)
        after.bias += after.weight[:, :, 0, 0] @ mean
        after.weight *= deviation[None, :, None, None]
        before.weight[:channels] /= deviation[:, None, None, None]
        before.bias[:channels] = (before.bias[:channels] - mean) / deviation
        before.bias[channels:] -= 2 * deviation.log()
