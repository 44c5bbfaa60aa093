"""The diffusers pipelines: loaded once, called in batches."""

from synthgen.pipelines.batches import Pipeline
from synthgen.pipelines.guidance import DISTILLED
from synthgen.pipelines.latents import denoiser, reads_mask
from synthgen.pipelines.loading import (
    CLASSES,
    Task,
    fits,
    load,
    pipeline_class,
    read,
    resolve_revision,
)
from synthgen.pipelines.prompts import check_lengths, encode
from synthgen.pipelines.schedulers import SCHEDULERS, check_scheduler

__all__ = [
    "CLASSES",
    "DISTILLED",
    "SCHEDULERS",
    "Pipeline",
    "Task",
    "check_lengths",
    "check_scheduler",
    "denoiser",
    "encode",
    "fits",
    "load",
    "pipeline_class",
    "read",
    "reads_mask",
    "resolve_revision",
]
