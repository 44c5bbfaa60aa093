"""One forward pass of the denoiser, as each family of models takes it."""

from collections.abc import Mapping
from typing import Any


def predict(pipe: Any, denoiser: Any, noisy: Any, times: Any, conditions: Mapping[str, Any]) -> Any:
    """What the denoiser says of noisy latents.

    Args:
        pipe: The pipeline that it belongs to.
        denoiser: Its UNet or transformer, wrapped for several devices where there are.
        noisy: Latents, and for a UNet made for inpainting the mask and the masked image's behind them.
        times: Timesteps, shape (batch,).
        conditions: The prompts' embeddings, as of :func:`synthgen.pipelines.encode`.

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
