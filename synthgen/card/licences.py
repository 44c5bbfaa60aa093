"""The licences of the models that made the images, as far as they say."""

from pathlib import Path

from synthgen import documents
from synthgen.errors import ManifestError
from synthgen.models import ModelFacts


def licence(model: ModelFacts) -> str:
    """What a model says of its licence; never a guess."""
    match model.kind:
        case "bundled":
            return "Apache-2.0, as synthgen"
        case "hub":
            return f"see https://huggingface.co/{model.name}"
        case _:
            return _stated(model.folder) or "not stated in its folder"


def _stated(folder: Path | None) -> str:
    """The licence in the header of a model folder's README.md; empty where there is none."""
    path = folder / "README.md" if folder else None
    if path is None or not path.is_file():
        return ""
    try:
        begin, header, _ = documents.read_text(path).split("---", 2)
        found = "" if begin.strip() else documents.parse(header, path.name).get("license")
    except (ManifestError, ValueError):
        return ""
    return ", ".join(map(str, found)) if isinstance(found, list) else str(found or "")
