"""The latents of images, and what a pipeline begins from, as each family takes it: noise, an image, one with a mask.

diffusers' own ways draw all noise of a batch at once, or encode images one at a time; these take what was drawn and
encoded for each sample by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def denoiser(pipe: Any) -> Any:
    """The pipeline's UNet or transformer."""
    return pipe.unet if hasattr(pipe, "unet") else pipe.transformer


def of_images(pipe: Any, images: Any, generators: list[Any]) -> Any:
    """Latents of images, each drawn from its posterior by its own generator, as the denoiser takes them.

    Args:
        pipe: A diffusers pipeline.
        images: uint8 RGB, or values from 0 to 1, shape (batch, height, width, 3).
        generators: One an image.
    """
    import torch

    vae = pipe.vae
    pixels = torch.from_numpy(images).to(pipe.device).permute(0, 3, 1, 2).float()
    pixels = pixels / (255 if images.dtype == "uint8" else 1) * 2 - 1
    with _that_encodes(pipe):
        posterior = vae.encode(pixels.to(vae.dtype)).latent_dist
    mean, deviation = posterior.mean.float(), posterior.std.float()
    drawn = torch.stack([torch.randn(mean.shape[1:], generator=one) for one in generators]).to(mean.device)
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    found = (mean + deviation * drawn - shift) * vae.config.scaling_factor
    return found.to(denoiser(pipe).dtype)


@contextmanager
def _that_encodes(pipe: Any) -> Iterator[None]:
    """Hold SDXL's autoencoder, which overflows in fp16, in fp32 while it encodes."""
    import torch

    vae = pipe.vae
    overflows = vae.dtype == torch.float16 and hasattr(pipe, "upcast_vae") and vae.config.force_upcast
    if not overflows:
        yield
        return
    vae.to(dtype=torch.float32)
    try:
        yield
    finally:
        vae.to(dtype=torch.float16)


def from_noise(pipe: Any, noise: Any) -> dict[str, Any]:
    """Arguments by which a pipeline begins from noise, shape (batch, channels, h, w)."""
    return {"latents": _packed(pipe, noise)}


def from_image(pipe: Any, latents: Any, noise: Any) -> dict[str, Any]:
    """Arguments by which a pipeline begins from images, as much noise on them as its first timestep has."""

    def prepare(_image: Any, timestep: Any, *_: Any, **__: Any) -> Any:
        begun = _packed(pipe, _noisy(pipe, latents, noise, timestep))
        return (begun, _places(pipe, latents)) if _packs(pipe) else begun

    pipe.prepare_latents = prepare
    return {"image": latents}


def from_masked(pipe: Any, latents: Any, noise: Any) -> dict[str, Any]:
    """Arguments by which a pipeline paints into images; one that reads no mask puts them back outside it."""
    blends = denoiser(pipe).config.in_channels in (latents.shape[1], 4 * latents.shape[1])

    def prepare(*_: Any, timestep: Any, is_strength_max: bool, **__: Any) -> Any:
        first = noise * getattr(pipe.scheduler, "init_noise_sigma", 1.0)
        begun = first if is_strength_max else _noisy(pipe, latents, noise, timestep)
        return (begun, noise, latents) if blends else (begun, noise)

    def prepare_packed(_image: Any, timestep: Any, *_: Any, **__: Any) -> Any:
        begun = _noisy(pipe, latents, noise, timestep)
        return *(_packed(pipe, one) for one in (begun, noise, latents)), _places(pipe, latents)

    pipe.prepare_latents = prepare_packed if _packs(pipe) else prepare
    return {"image": latents}


def reads_mask(pipe: Any) -> bool:
    """Whether the denoiser was made for inpainting: it reads a mask and the masked image beside the latents."""
    return hasattr(pipe, "unet") and pipe.unet.config.in_channels > pipe.vae.config.latent_channels


def _packs(pipe: Any) -> bool:
    """Whether the family reads latents in squares of two by two, with the place of each."""
    return type(pipe).__name__.startswith("Flux")


def _packed(pipe: Any, latents: Any) -> Any:
    return pipe._pack_latents(latents, *latents.shape) if _packs(pipe) else latents


def _places(pipe: Any, latents: Any) -> Any:
    batch, _, height, width = latents.shape
    return pipe._prepare_latent_image_ids(batch, height // 2, width // 2, latents.device, latents.dtype)


def _noisy(pipe: Any, latents: Any, noise: Any, timestep: Any) -> Any:
    """Latents with as much noise as a timestep has."""
    add = getattr(pipe.scheduler, "scale_noise", None)  # of schedulers that match a flow
    return add(latents, timestep, noise) if add else pipe.scheduler.add_noise(latents, noise, timestep)
