"""The diffusers pipelines: loaded once, called in batches."""

from synthgen.diffusion.pipelines.guidance import DISTILLED
from synthgen.diffusion.pipelines.latents import denoiser, reads_mask
from synthgen.diffusion.pipelines.loaded_model import load, release, release_from_gpu
from synthgen.diffusion.pipelines.loading import CLASSES, Task, fits, pipeline_class, read, resolve
from synthgen.diffusion.pipelines.pipeline import Pipeline
from synthgen.diffusion.pipelines.prompt_embeddings import check_lengths, encode
from synthgen.diffusion.pipelines.schedulers import SCHEDULERS, check_scheduler
from synthgen.diffusion.pipelines.weight_files import choose_variant, stored_dtype

__all__ = [
    "CLASSES",
    "DISTILLED",
    "SCHEDULERS",
    "Pipeline",
    "Task",
    "check_lengths",
    "check_scheduler",
    "choose_variant",
    "denoiser",
    "encode",
    "fits",
    "load",
    "pipeline_class",
    "read",
    "reads_mask",
    "release",
    "release_from_gpu",
    "resolve",
    "stored_dtype",
]
