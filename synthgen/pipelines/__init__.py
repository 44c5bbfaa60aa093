"""The diffusers pipelines: loaded once, called in batches."""

from synthgen.pipelines.batches import SCHEDULERS, Pipeline
from synthgen.pipelines.loading import CLASSES, Task, fits, load, pipeline_class, read, resolve_revision
from synthgen.pipelines.prompts import check_lengths, encode

__all__ = [
    "CLASSES",
    "SCHEDULERS",
    "Pipeline",
    "Task",
    "check_lengths",
    "encode",
    "fits",
    "load",
    "pipeline_class",
    "read",
    "resolve_revision",
]
