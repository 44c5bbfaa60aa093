"""What an image's own metadata say of how it was made: its source type, and what the manifest asks for beyond."""

from collections.abc import Mapping
from pathlib import Path

from synthgen.core.model_folder import ModelFacts
from synthgen.plan.manifest import Output
from synthgen.plan.sample import Sample
from synthgen.vision.images import codec


def source_type(sample: Sample) -> str:
    """The IPTC source type: made from a prompt, or with parts of a photograph."""
    shown = sample.source is not None and sample.recipe.settings.shows_source
    return codec.COMPOSITE if shown else codec.GENERATED


def made_by(sample: Sample, output: Output, revision: str, parts: Mapping[str, str]) -> codec.MadeBy:
    """The model and the few-step adapter with their revisions, and the prompt, as far as ``output.iptc`` asks for them.

    Args:
        sample: The sample.
        output: The manifest's ``output``.
        revision: The model's commit on the Hub, or its fingerprint.
        parts: The same of what it was made with beside the model, by the manifest's key.
    """
    if output.iptc == "source-type" or not sample.recipe.settings.uses_model:
        return codec.MadeBy()
    used = sample.recipe.parts
    system = " with ".join([_name(sample.recipe.model), *(_name(part.model) for part in used.values())])
    version = " with ".join([revision, *(parts.get(key) or "unknown" for key in used)])
    return codec.MadeBy(system, version, sample.prompt if output.iptc == "prompt" else "")


def _name(model: ModelFacts) -> str:
    """What a model is called; of a folder its own name, as a path can name a person."""
    return Path(model.name).name if model.kind == "folder" else model.name
