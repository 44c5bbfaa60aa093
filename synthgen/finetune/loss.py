"""The loss of a batch: which images are shown, by which words, how noisy, and how far the denoiser's answer is off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.diffusion import pipelines
from synthgen.finetune import noising, step_seeds
from synthgen.finetune.latents import TrainingImages
from synthgen.finetune.schedule import Schedule
from synthgen.finetune.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor


def predict(pipe: Any, denoiser: Any, noisy: Tensor, times: Tensor, conditions: Mapping[str, Tensor]) -> Tensor:
    """The denoiser's prediction for noisy latents.

    Args:
        pipe: The pipeline that it belongs to.
        denoiser: Its UNet or transformer, wrapped for several devices where there are.
        noisy: Latents, and for a UNet made for inpainting the mask and the masked image's behind them.
        times: Timesteps, shape (batch,).
        conditions: The prompts' embeddings, as of :func:`synthgen.diffusion.pipelines.encode`.

    Returns:
        The shape of the latents.
    """
    embeds, pooled = conditions["prompt_embeds"], conditions.get("pooled_prompt_embeds")
    family = pipelines.family(pipe)
    if family == "Flux":
        return _flux(pipe, denoiser, noisy, times, conditions)
    if family == "StableDiffusion3":
        output = denoiser(noisy, timestep=times, encoder_hidden_states=embeds, pooled_projections=pooled)
    elif family == "StableDiffusionXL":
        added = {"text_embeds": pooled, "time_ids": _sizes(pipe, noisy)}
        output = denoiser(noisy, times, embeds, added_cond_kwargs=added)
    else:
        output = denoiser(noisy, times, embeds)
    prediction: Tensor = output.sample
    return prediction


def _sizes(pipe: Any, noisy: Tensor) -> Tensor:
    """SDXL's time ids: original size, crop and target size, here of the image that is shown, uncropped."""
    height, width = (side * pipe.vae_scale_factor for side in noisy.shape[-2:])
    return noisy.new_tensor([[height, width, 0, 0, height, width]] * len(noisy))


def _flux(pipe: Any, denoiser: Any, noisy: Tensor, times: Tensor, conditions: Mapping[str, Tensor]) -> Tensor:
    """Flux reads latents in squares of two by two, and where each of them lies."""
    import torch

    batch, channels, height, width = noisy.shape
    config, embeds = pipe.transformer.config, conditions["prompt_embeds"]
    places = pipe._prepare_latent_image_ids(batch, height // 2, width // 2, noisy.device, noisy.dtype)
    packed = denoiser(
        hidden_states=pipe._pack_latents(noisy, batch, channels, height, width),
        timestep=times / 1000,
        guidance=torch.ones(batch, device=noisy.device) if config.guidance_embeds else None,
        pooled_projections=conditions["pooled_prompt_embeds"],
        encoder_hidden_states=embeds,
        txt_ids=torch.zeros(embeds.shape[1], 3, device=noisy.device, dtype=embeds.dtype),
        img_ids=places,
    ).sample
    factor = pipe.vae_scale_factor
    prediction: Tensor = pipe._unpack_latents(packed, height * factor, width * factor, factor)
    return prediction


@dataclass(frozen=True)
class TrainingData:
    """The images and prompts that a training shows its model.

    Attributes:
        own: The images to learn from.
        prior: Images not to forget by; ``None`` for none.
        embeddings: Every prompt's embeddings, by text; empty where a text encoder is trained.
    """

    own: TrainingImages
    prior: TrainingImages | None
    embeddings: Mapping[str, Mapping[str, Tensor]]


class Loss:
    """The loss of any batch of a training, by its number; all that is random in it follows from that.

    Args:
        digest: The adapter's digest.
        pipe: The pipeline, on its device.
        denoiser: Its denoiser, wrapped where it is trained.
        settings: The method's settings.
        data: The images and prompts that are shown.
        accelerator: accelerate's.
    """

    def __init__(
        self,
        digest: str,
        pipe: Any,
        *,
        denoiser: Any,
        settings: TrainingSettings,
        data: TrainingData,
        accelerator: Any,
    ) -> None:
        self._digest, self._pipe, self._denoiser, self._settings = digest, pipe, denoiser, settings
        self._data, self._accelerator = data, accelerator
        self._noising = noising.noising(pipe.scheduler.config, settings.snr_gamma)
        self._schedules = {
            what: Schedule(
                digest, what, images.texts, variants=images.variants, settings=settings, accelerator=accelerator
            )
            for what, images in (("own", data.own), ("prior", data.prior))
            if images is not None
        }

    def __call__(self, batch: int) -> Tensor:
        """The loss of a batch, counted over the whole training, on this process's device."""
        import torch

        process, settings = self._accelerator.process_index, self._settings
        torch.manual_seed(step_seeds.seed(self._digest, "batch", batch, process))
        loss = self._loss_of(self._data.own, batch, "own")
        if self._data.prior is not None:
            loss = loss + settings.prior_loss_weight * self._loss_of(self._data.prior, batch, "prior")
        return loss

    def _loss_of(self, images: TrainingImages, batch: int, what: str) -> Tensor:
        """The mean squared error of a batch, each image weighed by its timestep, and only what is painted counted."""
        import torch

        device = self._accelerator.device
        shown = self._schedules[what][batch]
        rows = images.places(shown.rows)
        mean, deviation = images.mean[rows], images.deviation[rows]
        clean = (mean + deviation * torch.randn(mean.shape)).to(device)
        noised = self._noising(clean, torch.randn(mean.shape).to(device))
        masks = None if images.masks is None else images.masks[rows].to(device)
        inputs = noised.latents
        if images.masked is not None and masks is not None:
            inputs = torch.cat([inputs, masks, images.masked[rows].to(device)], dim=1)
        with self._accelerator.autocast():
            prediction = predict(self._pipe, self._denoiser, inputs, noised.timesteps, self._conditions(shown.texts))
        error = (prediction.float() - noised.target.float()) ** 2
        if masks is not None and images.masked is None:
            error = error * masks / masks.mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)
        return (error.mean(dim=(1, 2, 3)) * noised.weights).mean()

    def _conditions(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The embeddings of a batch of prompts, encoded now where the text encoder is trained."""
        import torch

        if not self._data.embeddings:
            return pipelines.encode(self._pipe, texts)
        found = [self._data.embeddings[text] for text in texts]
        return {name: torch.stack([one[name] for one in found]).to(self._accelerator.device) for name in found[0]}
