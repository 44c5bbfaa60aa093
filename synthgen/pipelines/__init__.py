"""The diffusers pipelines: loaded once, called in batches."""

from synthgen.pipelines.batches import SCHEDULERS, Pipeline
from synthgen.pipelines.loading import CLASSES, Task, fits, load, pipeline_class, resolve_revision

__all__ = ["CLASSES", "SCHEDULERS", "Pipeline", "Task", "fits", "load", "pipeline_class", "resolve_revision"]
