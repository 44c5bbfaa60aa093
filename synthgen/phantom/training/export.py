"""Writes the trained parts as a Stable Diffusion folder that diffusers loads as it is."""

from pathlib import Path
from typing import Any

from synthgen.phantom.training import networks


def export(out: Path, *, vae: Any, tokenizer: Any, text_encoder: Any, unet: Any) -> None:
    """Write ``out`` in diffusers' layout: UNet and autoencoder in fp16, the text encoder in fp32.

    transformers would keep half precision where diffusers does not, and the first call would fail.
    """
    import torch
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

    scheduler = DPMSolverMultistepScheduler.from_config(networks.schedule().config)
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=text_encoder.to(torch.float32),
        tokenizer=tokenizer,
        unet=unet.half(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(out, safe_serialization=True)
