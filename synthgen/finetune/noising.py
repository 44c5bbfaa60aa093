"""Noise on latents, and what a denoiser has to predict: epsilon, v or velocity, as the model's own scheduler says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Noised:
    """A batch with noise on it.

    Attributes:
        latents: The noisy latents, shape (batch, channels, h, w).
        timesteps: What the denoiser is told, shape (batch,).
        target: What it has to predict, the shape of the latents.
        weights: The weight of each image's loss, shape (batch,).
    """

    latents: Any
    timesteps: Any
    target: Any
    weights: Any


class Diffusion:
    """Noise on a schedule of betas (Ho et al. 2020), rescaled to zero terminal SNR where the model's is.

    Args:
        config: The configuration of the model's scheduler.
        snr_gamma: As of the settings.
    """

    def __init__(self, config: Mapping[str, Any], snr_gamma: float | None) -> None:
        from diffusers import DDPMScheduler

        self._schedule, self._gamma = DDPMScheduler.from_config(config), snr_gamma
        self._predicts = self._schedule.config.prediction_type

    def __call__(self, clean: Any, noise: Any) -> Noised:
        """Put noise on clean latents; draws timesteps, all as likely, from torch's generator."""
        import torch

        last = self._schedule.config.num_train_timesteps
        times = torch.randint(0, last, (len(clean),)).to(clean.device)
        noisy = self._schedule.add_noise(clean, noise, times)
        match self._predicts:
            case "epsilon":
                target = noise
            case "v_prediction":
                target = self._schedule.get_velocity(clean, noise, times)
            case _:
                target = clean
        return Noised(noisy, times, target, self._weights(times))

    def _weights(self, times: Any) -> Any:
        """min(SNR, gamma) over what the prediction's own loss already weighs by (Hang et al. 2023, table 1)."""
        import torch
        from diffusers.training_utils import compute_snr

        if self._gamma is None:
            return torch.ones(len(times), device=times.device)
        snr = compute_snr(self._schedule, times)
        least = snr.clamp(max=self._gamma)
        own = {"epsilon": snr.clamp(min=1e-8), "v_prediction": snr + 1}.get(self._predicts, torch.ones_like(snr))
        return least / own


class Flow:
    """A straight line from latents to noise, sampled more often in its middle (Esser et al. 2024, logit-normal).

    Args:
        config: The configuration of the model's scheduler.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        from diffusers import FlowMatchEulerDiscreteScheduler

        self._schedule = FlowMatchEulerDiscreteScheduler.from_config(config)

    def __call__(self, clean: Any, noise: Any) -> Noised:
        """Put noise on clean latents; draws timesteps from torch's generator."""
        import torch

        steps = self._schedule.config.num_train_timesteps
        places = (torch.sigmoid(torch.randn(len(clean))) * steps).long().clamp(max=steps - 1)
        times, sigmas = (
            self._schedule.timesteps[places].to(clean.device),
            self._schedule.sigmas[places].to(clean.device),
        )
        share = sigmas[:, None, None, None]
        return Noised((1 - share) * clean + share * noise, times, noise - clean, torch.ones_like(sigmas))


def noising(config: Mapping[str, Any], snr_gamma: float | None) -> Diffusion | Flow:
    """The noise that a model with such a scheduler was trained to take off."""
    flow = str(config.get("_class_name", "")).startswith("FlowMatch") or config.get("use_flow_sigmas")
    return Flow(config) if flow else Diffusion(config, snr_gamma)
