"""The latents that a pipeline begins from, as each family takes them: noise, an image, or an image with a mask.

diffusers' own ways draw all noise of a batch at once, or encode images one at a time; these take what was drawn and
encoded for each sample by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synthgen.diffusion.pipelines.families import family

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Generator, Tensor


def denoiser(pipe: Any) -> Any:
    """The pipeline's UNet or transformer."""
    return pipe.unet if hasattr(pipe, "unet") else pipe.transformer


def of_images(
    pipe: Any,
    images: npt.NDArray[np.generic],
    generators: Sequence[Generator],
    *,
    grey: npt.NDArray[np.bool_] | None = None,
) -> Tensor:
    """Latents of images, each drawn from its posterior by its own generator, as the denoiser takes them.

    Args:
        pipe: A diffusers pipeline.
        images: uint8 RGB, or values from 0 to 1, shape (batch, height, width, 3).
        generators: One an image.
        grey: Where pixels are encoded as grey, whatever they are, shape (batch, height, width).
    """
    import torch

    vae = pipe.vae
    pixels = torch.from_numpy(images).to(pipe._execution_device).permute(0, 3, 1, 2).float()
    pixels = pixels / (255 if images.dtype == "uint8" else 1)
    if grey is not None:  # by `where`, which keeps the order in memory: the encoder's last bits depend on it
        pixels = torch.where(torch.from_numpy(grey).to(pixels.device)[:, None], 0.5, pixels)
    pixels = pixels * 2 - 1
    with _encoder_in_range(pipe):
        posterior = vae.encode(pixels.to(vae.dtype)).latent_dist
    mean: Tensor = posterior.mean.float()
    deviation: Tensor = posterior.std.float()
    drawn = torch.stack([torch.randn(mean.shape[1:], generator=one) for one in generators]).to(mean.device)
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    latents: Tensor = (mean + deviation * drawn - shift) * vae.config.scaling_factor
    return latents.to(denoiser(pipe).dtype)


@contextmanager
def _encoder_in_range(pipe: Any) -> Iterator[None]:
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


def from_noise(pipe: Any, noise: Tensor) -> dict[str, Any]:
    """The arguments by which a pipeline begins from noise, shape (batch, channels, h, w)."""
    return {"latents": _packed(pipe, noise)}


def from_image(pipe: Any, latents: Tensor, noise: Tensor) -> dict[str, Any]:
    """The arguments by which a pipeline begins from images, as much noise on them as its first timestep has."""

    def prepare(_image: Any, timestep: Tensor, *_: Any, **__: Any) -> Tensor | tuple[Tensor, Tensor]:
        begun = _packed(pipe, _noisy(pipe, latents, noise, timestep))
        return (begun, _places(pipe, latents)) if _packs(pipe) else begun

    pipe.prepare_latents = prepare
    return {"image": latents}


def from_masked(pipe: Any, latents: Tensor, noise: Tensor) -> dict[str, Any]:
    """The arguments by which a pipeline paints into images; one that reads no mask puts them back outside it."""
    blends = denoiser(pipe).config.in_channels in (latents.shape[1], 4 * latents.shape[1])

    def prepare(*_: Any, timestep: Tensor, is_strength_max: bool, **__: Any) -> tuple[Tensor, ...]:
        first = noise * getattr(pipe.scheduler, "init_noise_sigma", 1.0)
        begun = first if is_strength_max else _noisy(pipe, latents, noise, timestep)
        return (begun, noise, latents) if blends else (begun, noise)

    def prepare_packed(_image: Any, timestep: Tensor, *_: Any, **__: Any) -> tuple[Tensor, ...]:
        begun = _noisy(pipe, latents, noise, timestep)
        return *(_packed(pipe, one) for one in (begun, noise, latents)), _places(pipe, latents)

    pipe.prepare_latents = prepare_packed if _packs(pipe) else prepare
    return {"image": latents}


def reads_mask(pipe: Any) -> bool:
    """Whether the denoiser was made for inpainting: it reads a mask and the masked image beside the latents."""
    return hasattr(pipe, "unet") and pipe.unet.config.in_channels > pipe.vae.config.latent_channels


def _packs(pipe: Any) -> bool:
    """Whether the family reads latents in squares of two by two, with the place of each."""
    return family(pipe) == "Flux"


def _packed(pipe: Any, latents: Tensor) -> Tensor:
    packed: Tensor = pipe._pack_latents(latents, *latents.shape) if _packs(pipe) else latents
    return packed


def _places(pipe: Any, latents: Tensor) -> Tensor:
    batch, _, height, width = latents.shape
    ids: Tensor = pipe._prepare_latent_image_ids(batch, height // 2, width // 2, latents.device, latents.dtype)
    return ids


def _noisy(pipe: Any, latents: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
    """Latents with as much noise as a timestep has."""
    add = getattr(pipe.scheduler, "scale_noise", None)  # of schedulers that match a flow
    noisy: Tensor = add(latents, timestep, noise) if add else pipe.scheduler.add_noise(latents, noise, timestep)
    return noisy
