"""What an image's own metadata say of how it was made: its source type, and what the manifest asks for beyond."""

from pathlib import Path

from synthgen.plan.manifest import Output
from synthgen.plan.sample import Sample
from synthgen.vision.images import codec


def source_type(sample: Sample) -> str:
    """The IPTC source type: made from a prompt, or with parts of a photograph."""
    shown = sample.source is not None and sample.recipe.settings.shows_source
    return codec.COMPOSITE if shown else codec.GENERATED


def made_by(sample: Sample, output: Output, revision: str) -> codec.MadeBy:
    """The model with its revision, and the prompt, as far as ``output.iptc`` asks for them.

    Args:
        sample: The sample.
        output: The manifest's ``output``.
        revision: The model's commit on the Hub, or its fingerprint.
    """
    if output.iptc == "source-type" or not sample.recipe.settings.uses_model:
        return codec.MadeBy()
    model = sample.recipe.model
    name = Path(model.name).name if model.kind == "folder" else model.name  # a path can name a person
    return codec.MadeBy(name, revision, sample.prompt if output.iptc == "prompt" else "")
