"""What a denoiser has to predict follows from its own scheduler, and every loss has a finite weight."""

import json

import pytest

from synthgen.core import model_folder
from synthgen.finetune import noising

BUNDLED = json.loads((model_folder.bundled() / "scheduler" / "scheduler_config.json").read_bytes())
SD = {"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def batch(count: int = 64) -> tuple[object, object]:
    """Latents and noise."""
    import torch

    torch.manual_seed(0)
    return torch.randn(count, 4, 4, 4), torch.randn(count, 4, 4, 4)


def test_epsilon_is_the_noise() -> None:
    """Stable Diffusion predicts the noise itself."""
    clean, noise = batch()
    noised = noising.noising(SD, None)(clean, noise)
    assert noised.target is noise
    assert noised.weights.tolist() == [1.0] * 64


def test_v_is_salimans_and_ho_s() -> None:
    """The bundled model predicts v: from noisy latents and v both latents and noise come back (eqs. 12 and 13)."""
    import torch

    clean, noise = batch()
    make = noising.noising(BUNDLED, None)
    noised = make(clean, noise)
    alphas = make.scheduler.alphas_cumprod[noised.timesteps][:, None, None, None]
    back = alphas.sqrt() * noised.latents - (1 - alphas).sqrt() * noised.target
    torch.testing.assert_close(back, clean, atol=1e-4, rtol=1e-4)


def test_the_last_timestep_of_the_bundled_model_is_noise_alone() -> None:
    """Its schedule has zero terminal SNR (Lin et al. 2024), so the last timestep shows nothing of the image."""
    import torch

    clean, noise = batch(2)
    schedule = noising.noising(BUNDLED, None).scheduler
    torch.testing.assert_close(schedule.add_noise(clean, noise, torch.tensor([999, 999])), noise, atol=1e-3, rtol=0)


@pytest.mark.parametrize("config", [SD, BUNDLED], ids=["epsilon", "v"])
def test_min_snr_weights_are_finite_and_bounded(config: dict[str, object]) -> None:
    """No weight is above one for epsilon or v, and none is infinite, at zero SNR neither (Hang et al. 2023)."""
    import torch

    weights = noising.noising(config, 5.0).weights(torch.arange(1000))
    assert bool(weights.isfinite().all())
    assert 0 <= float(weights.min()) <= float(weights.max()) <= 1


def test_a_flow_goes_from_latents_to_noise() -> None:
    """Its target is noise minus latents, and its noisy latents lie on the straight line between them."""
    import torch

    clean, noise = batch()
    noised = noising.noising({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}, None)(clean, noise)
    torch.testing.assert_close(noised.target, noise - clean)
    share = (noised.timesteps / 1000)[:, None, None, None]
    torch.testing.assert_close(noised.latents, clean + share * noised.target, atol=1e-4, rtol=1e-4)
