"""The loss of a batch: which images are shown, by which words, how noisy, and how far the denoiser's answer is off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthgen.diffusion import pipelines
from synthgen.finetune import noising, step_seeds
from synthgen.finetune.latents import Material


def predict(pipe: Any, denoiser: Any, noisy: Any, times: Any, conditions: Mapping[str, Any]) -> Any:
    """What the denoiser says of noisy latents.

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
    kind = type(pipe).__name__
    if kind.startswith("Flux"):
        return _flux(pipe, denoiser, noisy, times, conditions)
    if kind.startswith("StableDiffusion3"):
        return denoiser(noisy, timestep=times, encoder_hidden_states=embeds, pooled_projections=pooled).sample
    if kind.startswith("StableDiffusionXL"):
        added = {"text_embeds": pooled, "time_ids": _sizes(pipe, noisy)}
        return denoiser(noisy, times, embeds, added_cond_kwargs=added).sample
    return denoiser(noisy, times, embeds).sample


def _sizes(pipe: Any, noisy: Any) -> Any:
    """SDXL's time ids: original size, crop and target size, here of the image that is shown, uncropped."""
    height, width = (side * pipe.vae_scale_factor for side in noisy.shape[-2:])
    return noisy.new_tensor([[height, width, 0, 0, height, width]] * len(noisy))


def _flux(pipe: Any, denoiser: Any, noisy: Any, times: Any, conditions: Mapping[str, Any]) -> Any:
    """Flux reads latents in squares of two by two, and where each of them lies."""
    import torch

    batch, channels, height, width = noisy.shape
    config, embeds = pipe.transformer.config, conditions["prompt_embeds"]
    places = pipe._prepare_latent_image_ids(batch, height // 2, width // 2, noisy.device, noisy.dtype)
    found = denoiser(
        hidden_states=pipe._pack_latents(noisy, batch, channels, height, width),
        timestep=times / 1000,
        guidance=torch.ones(batch, device=noisy.device) if config.guidance_embeds else None,
        pooled_projections=conditions["pooled_prompt_embeds"],
        encoder_hidden_states=embeds,
        txt_ids=torch.zeros(embeds.shape[1], 3, device=noisy.device, dtype=embeds.dtype),
        img_ids=places,
    ).sample
    factor = pipe.vae_scale_factor
    return pipe._unpack_latents(found, height * factor, width * factor, factor)


@dataclass(frozen=True)
class Shown:
    """What a training shows its model, and what it has to predict of it.

    Attributes:
        own: The images to learn from.
        prior: Images not to forget by; ``None`` for none.
        embeddings: Every prompt's embeddings, by text; empty where a text encoder is trained.
    """

    own: Material
    prior: Material | None
    embeddings: Mapping[str, Mapping[str, Any]]


class Loss:
    """The loss of any batch of a training, by its number; all that is random in it follows from that.

    Args:
        digest: The adapter's digest.
        pipe: The pipeline, on its device.
        denoiser: Its denoiser, wrapped where it is trained.
        settings: The method's settings.
        shown: What is shown.
        accelerator: accelerate's.
    """

    def __init__(self, digest: str, pipe: Any, *, denoiser: Any, settings: Any, shown: Shown, accelerator: Any) -> None:
        self._digest, self._pipe, self._denoiser, self._settings = digest, pipe, denoiser, settings
        self._shown, self._accelerator = shown, accelerator
        self._noising = noising.noising(pipe.scheduler.config, settings.snr_gamma)

    def __call__(self, batch: int) -> Any:
        """The loss of a batch, counted over the whole training, on this process's device."""
        import torch

        process, settings = self._accelerator.process_index, self._settings
        torch.manual_seed(step_seeds.seed(self._digest, "batch", batch, process))
        loss = self._loss_of(self._shown.own, batch, "own")
        if self._shown.prior is not None:
            loss = loss + settings.prior_loss_weight * self._loss_of(self._shown.prior, batch, "prior")
        return loss

    def _loss_of(self, material: Material, batch: int, what: str) -> Any:
        """The mean squared error of a batch, each image weighed by its timestep, and only what is painted counted."""
        import torch

        process, device = self._accelerator.process_index, self._accelerator.device
        rng = step_seeds.generator(self._digest, what, batch, process)
        images = self._chosen(material, batch, what)
        rows = [image * material.variants + int(rng.integers(material.variants)) for image in images]
        texts = [material.texts[image][int(rng.integers(len(material.texts[image])))] for image in images]
        empty = rng.random(len(texts)) < self._settings.proportion_empty_prompts
        texts = ["" if one else text for one, text in zip(empty, texts, strict=True)]
        mean, deviation = material.mean[rows], material.deviation[rows]
        clean = (mean + deviation * torch.randn(mean.shape)).to(device)
        noised = self._noising(clean, torch.randn(mean.shape).to(device))
        masks = None if material.masks is None else material.masks[rows].to(device)
        inputs = noised.latents
        if material.masked is not None and masks is not None:
            inputs = torch.cat([inputs, masks, material.masked[rows].to(device)], dim=1)
        with self._accelerator.autocast():
            found = predict(self._pipe, self._denoiser, inputs, noised.timesteps, self._conditions(texts))
        error = (found.float() - noised.target.float()) ** 2
        if masks is not None and material.masked is None:
            error = error * masks / masks.mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)
        return (error.mean(dim=(1, 2, 3)) * noised.weights).mean()

    def _chosen(self, material: Material, batch: int, what: str) -> list[int]:
        """The images of a batch: passes over all of them, each in an order of its own, cut into batches."""
        size, count = self._settings.train_batch_size, len(material)
        first = (batch * self._accelerator.num_processes + self._accelerator.process_index) * size
        passes = {place // count for place in range(first, first + size)}
        order = {one: step_seeds.generator(self._digest, what, "pass", one).permutation(count) for one in passes}
        return [int(order[place // count][place % count]) for place in range(first, first + size)]

    def _conditions(self, texts: Sequence[str]) -> dict[str, Any]:
        import torch

        if not self._shown.embeddings:
            return pipelines.encode(self._pipe, texts)
        found = [self._shown.embeddings[text] for text in texts]
        return {name: torch.stack([one[name] for one in found]).to(self._accelerator.device) for name in found[0]}
