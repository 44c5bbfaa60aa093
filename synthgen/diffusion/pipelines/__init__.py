"""The diffusers pipelines: loaded once, called in batches."""

from synthgen.diffusion.pipelines.any_family import AnyFamily
from synthgen.diffusion.pipelines.embedding_file import RunPrompts, prompts_of
from synthgen.diffusion.pipelines.families import Family, family, family_of, matches_flow
from synthgen.diffusion.pipelines.guidance import DISTILLED
from synthgen.diffusion.pipelines.latents import denoiser, reads_mask
from synthgen.diffusion.pipelines.loaded_model import load, loaded, release, release_from_gpu
from synthgen.diffusion.pipelines.loading import (
    CLASSES,
    check_channels,
    load_adapter,
    load_diffusers,
    pipeline_class,
    task_class,
)
from synthgen.diffusion.pipelines.measured_memory import MeasuredMemory, measure
from synthgen.diffusion.pipelines.part_files import part_revision
from synthgen.diffusion.pipelines.pipeline import Pipeline
from synthgen.diffusion.pipelines.prompt_embeddings import check_lengths, encode
from synthgen.diffusion.pipelines.repositories import UnreachableError, resolve
from synthgen.diffusion.pipelines.schedulers import SCHEDULERS, check_scheduler, check_steps
from synthgen.diffusion.pipelines.task_classes import Task
from synthgen.diffusion.pipelines.weight_files import choose_variant, stored_dtype

__all__ = [
    "CLASSES",
    "DISTILLED",
    "SCHEDULERS",
    "AnyFamily",
    "Family",
    "MeasuredMemory",
    "Pipeline",
    "RunPrompts",
    "Task",
    "UnreachableError",
    "check_channels",
    "check_lengths",
    "check_scheduler",
    "check_steps",
    "choose_variant",
    "denoiser",
    "encode",
    "family",
    "family_of",
    "load",
    "load_adapter",
    "load_diffusers",
    "loaded",
    "matches_flow",
    "measure",
    "part_revision",
    "pipeline_class",
    "prompts_of",
    "reads_mask",
    "release",
    "release_from_gpu",
    "resolve",
    "stored_dtype",
    "task_class",
]
