"""The YAML a person writes, strictly typed: every fault listed at once as ``path: message``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import resources, yaml_documents
from synthgen.core.yaml_documents import validate
from synthgen.errors import ManifestError
from synthgen.plan.manifest import validation
from synthgen.plan.manifest.curate import Curate, Curation
from synthgen.plan.manifest.evaluate import Evaluate
from synthgen.plan.manifest.finetune import AdapterChoice, FinetuneEntry
from synthgen.plan.manifest.generate import GenerateEntry
from synthgen.plan.manifest.schema import Document, Layout, Output, Pack, SourcePool, Weights
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.manifest.validation import RealImages

__all__ = [
    "AdapterChoice",
    "Curate",
    "Curation",
    "Document",
    "Evaluate",
    "FinetuneEntry",
    "GenerateEntry",
    "Layout",
    "Manifest",
    "Output",
    "Pack",
    "RealImages",
    "SourcePool",
    "Weights",
    "parse",
    "read",
]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole manifest, checked, with the texts it was read from.

    Attributes:
        document: The manifest as written, typed.
        entries: Its ``generate`` entries, each checked against its strategy and model.
        curation: Which of its images are kept; ``None`` where it does not say.
        tunings: Its ``finetune`` entries, each checked against its method and model.
        real: Where its real images come from; ``None`` where it says nothing of any.
        prompts: Its prompt templates, as the prompts reader returned them.
        text: The manifest's own text.
        prompts_text: The text of its prompt templates.
        base: The folder that its relative paths start from.
    """

    document: Document
    entries: tuple[GenerateEntry, ...]
    tunings: tuple[FinetuneEntry, ...]
    real: RealImages | None
    prompts: Any
    text: str
    prompts_text: str
    base: Path
    curation: Curation | None = None

    @property
    def starts_from_real(self) -> bool:
        """Whether an image, or a model that makes some, is made from real images."""
        return bool(self.tunings) or any(entry.per_source for entry in self.entries)


def read(path: Path, doors: Extensions) -> Manifest:
    """Read a manifest and the prompt templates that it names.

    Args:
        path: Its file; or the bare name of one that ships, whose relative paths start from the current folder.
        doors: The strategies and sources there are, and how prompts are read.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
    """
    file, base = resources.manifest(path)
    return parse(yaml_documents.read_text(file), doors, base=base, where=file.name)


def parse(text: str, doors: Extensions, *, base: Path, where: str, prompts_text: str | None = None) -> Manifest:
    """Read a manifest from its text.

    Args:
        text: The YAML.
        doors: The strategies and sources there are, and how prompts are read.
        base: The folder that relative paths start from.
        where: What a fault of the YAML itself calls the document.
        prompts_text: The prompt templates' text, where a run kept it; otherwise read from the file named.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
    """
    raw = yaml_documents.parse(text, where)
    document, faults = validate(Document, raw)
    checked = validation.check(raw, base, doors)
    prompts, found = _read_prompts(raw.get("prompts", "dermatology"), prompts_text, base, doors)
    faults = [*faults, *found, *checked.faults]
    if prompts_text is None and checked.curation:
        faults += checked.curation.faults(base)  # what a run was scored by may be gone since
    if document is None or prompts is None or faults:
        raise ManifestError(*dict.fromkeys(faults))
    source, templates = prompts
    return Manifest(
        document=document,
        entries=tuple(checked.entries),
        tunings=tuple(checked.tunings),
        real=checked.real,
        prompts=templates,
        text=text,
        prompts_text=source,
        base=base,
        curation=checked.curation,
    )


def _read_prompts(
    name: object, kept: str | None, base: Path, doors: Extensions
) -> tuple[tuple[str, Any] | None, list[str]]:
    if not isinstance(name, str):
        return None, []
    path = base / name
    if kept is None and not _is_file(path):
        found = doors.find_shipped_prompts(name)
        if found is None:
            return None, [f"prompts: no file {path}, and none that ships is called `{name}`"]
        path = found
    try:
        text = yaml_documents.read_text(path) if kept is None else kept
        return (text, doors.prompts(text, f"prompts: {path.name}")), []
    except ManifestError as error:
        return None, list(error.faults)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name no file can have
        return False
