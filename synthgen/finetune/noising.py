"""Noise on latents, and what a denoiser has to predict: epsilon, v or velocity, as the model's own scheduler says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class NoisyBatch:
    """A batch of latents with noise on them, and what a denoiser has to predict of it.

    Attributes:
        latents: The noisy latents, shape (batch, channels, h, w).
        timesteps: What the denoiser is told, shape (batch,).
        target: What it has to predict, the shape of the latents.
        weights: The weight of each image's loss, shape (batch,).
    """

    latents: Tensor
    timesteps: Tensor
    target: Tensor
    weights: Tensor


class DiffusionNoise:
    """Noise on a schedule of betas (Ho et al. 2020), rescaled to zero terminal SNR where the model's is.

    Args:
        config: The configuration of the model's scheduler.
        snr_gamma: As of the settings.

    Attributes:
        scheduler: diffusers', of that configuration.
    """

    def __init__(self, config: Mapping[str, Any], snr_gamma: float | None) -> None:
        from diffusers import DDPMScheduler

        self.scheduler, self._gamma = DDPMScheduler.from_config(config), snr_gamma
        self._prediction_type = self.scheduler.config.prediction_type

    def __call__(self, clean: Tensor, noise: Tensor) -> NoisyBatch:
        """Clean latents with noise on them; timesteps, all as likely, are drawn from torch's generator."""
        import torch

        last = self.scheduler.config.num_train_timesteps
        times = torch.randint(0, last, (len(clean),)).to(clean.device)
        noisy = self.scheduler.add_noise(clean, noise, times)
        match self._prediction_type:
            case "epsilon":
                target = noise
            case "v_prediction":
                target = self.scheduler.get_velocity(clean, noise, times)
            case _:
                target = clean
        return NoisyBatch(noisy, times, target, self.weights(times))

    def weights(self, times: Tensor) -> Tensor:
        """The weights of timesteps in the loss, shape (batch,), as of Hang et al. 2023.

        min(SNR, gamma) over what the prediction's own loss already weighs by (their table 1); 1 without a gamma.
        """
        import torch
        from diffusers.training_utils import compute_snr

        if self._gamma is None:
            return torch.ones(len(times), device=times.device)
        snr: Tensor = compute_snr(self.scheduler, times)
        clipped = snr.clamp(max=self._gamma)
        own = {"epsilon": snr.clamp(min=1e-8), "v_prediction": snr + 1}.get(self._prediction_type, torch.ones_like(snr))
        return clipped / own


class FlowNoise:
    """A straight line from latents to noise, sampled more often in its middle (Esser et al. 2024, logit-normal).

    Args:
        config: The configuration of the model's scheduler.

    Attributes:
        scheduler: diffusers', of that configuration.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        from diffusers import FlowMatchEulerDiscreteScheduler

        self.scheduler = FlowMatchEulerDiscreteScheduler.from_config(config)

    def __call__(self, clean: Tensor, noise: Tensor) -> NoisyBatch:
        """Clean latents with noise on them; timesteps are drawn from torch's generator."""
        import torch

        steps = self.scheduler.config.num_train_timesteps
        places = (torch.sigmoid(torch.randn(len(clean))) * steps).long().clamp(max=steps - 1)
        times, sigmas = (
            self.scheduler.timesteps[places].to(clean.device),
            self.scheduler.sigmas[places].to(clean.device),
        )
        share = sigmas[:, None, None, None]
        return NoisyBatch((1 - share) * clean + share * noise, times, noise - clean, torch.ones_like(sigmas))


def noising(config: Mapping[str, Any], snr_gamma: float | None) -> DiffusionNoise | FlowNoise:
    """The noise that a model with such a scheduler was trained to take off."""
    flow = str(config.get("_class_name", "")).startswith("FlowMatch") or config.get("use_flow_sigmas")
    return FlowNoise(config) if flow else DiffusionNoise(config, snr_gamma)
