"""The YAML a person writes, strictly typed: every fault listed at once as ``path: message``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgen.core import resources, yaml_documents
from synthgen.core.plugins import FilePlugin, PluginFile
from synthgen.core.yaml_documents import near, validate
from synthgen.errors import Fault, ManifestError
from synthgen.plan.manifest import plugin_files, prompts, validation
from synthgen.plan.manifest.curate import Curate, Curation
from synthgen.plan.manifest.evaluate import Evaluate
from synthgen.plan.manifest.finetune import AdapterChoice, FinetuneEntry
from synthgen.plan.manifest.generate import GenerateEntry
from synthgen.plan.manifest.plugin_files import KeptPlugins
from synthgen.plan.manifest.prompts import PromptSet
from synthgen.plan.manifest.schema import AUTO, Document, Layout, Output, Pack, SourcePool, Weights
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.manifest.validation import ForeignImages, RealImages

__all__ = [
    "AdapterChoice",
    "Curate",
    "Curation",
    "Document",
    "Evaluate",
    "FinetuneEntry",
    "GenerateEntry",
    "KeptPlugins",
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


_MOST_ENTRIES = 1000  # each is checked against its model and strategy


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole manifest, checked, with the texts it was read from.

    Attributes:
        document: The manifest as written, typed.
        entries: Its ``generate`` entries, each checked against its strategy and model.
        curation: Which of its images are kept; ``None`` where it does not say.
        finetune: Its ``finetune`` entries, each checked against its method and model.
        real: Where its real images come from; ``None`` where it says nothing of any.
        prompts: Its prompt templates.
        text: The manifest's own text.
        prompts_text: The text of its prompt templates.
        base: The folder that its relative paths start from.
        plugins: The plug-ins that it names by their files.
        foreign: The synthetic images of elsewhere that its study takes; ``None`` where it takes a run's or a dataset's.
        packages: The installed packages, with their versions, that bring others which it names, by kind and name.
    """

    document: Document
    entries: tuple[GenerateEntry, ...]
    finetune: tuple[FinetuneEntry, ...]
    real: RealImages | None
    prompts: PromptSet
    text: str
    prompts_text: str
    base: Path
    curation: Curation | None = None
    plugins: tuple[PluginFile, ...] = ()
    foreign: ForeignImages | None = None
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def starts_from_real(self) -> bool:
        """Whether an image, or a model that makes some, is made from real images."""
        return bool(self.finetune) or any(entry.per_source for entry in self.entries)


def read(path: Path, extensions: Extensions) -> Manifest:
    """A manifest with the prompt templates and plug-in files that it names, which may be run from now on.

    Args:
        path: Its file; or the bare name of one that ships, whose relative paths start from the current folder.
        extensions: The plug-ins there are beside its own.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
    """
    file, base = resources.manifest(path)
    return parse(yaml_documents.read_text(file), extensions, base=base, where=file.name)


def parse(
    text: str,
    extensions: Extensions,
    *,
    base: Path,
    where: str,
    prompts_text: str | None = None,
    kept: KeptPlugins | None = None,
) -> Manifest:
    """A manifest from its text.

    Args:
        text: The YAML.
        extensions: The plug-ins there are beside its own.
        base: The folder that relative paths start from.
        where: What a fault of the YAML itself calls the document.
        prompts_text: The prompt templates' text, where a run kept it; otherwise read from the file named.
        kept: The plug-in files as a run or dataset keeps them, which are run only where the user trusts them; left out
            for a manifest that the user names, which trusts those that it names.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
    """
    raw = yaml_documents.parse(text, where, kept=kept is not None)
    for key in ("generate", "finetune"):
        if kept is None and isinstance(raw.get(key), list) and len(raw[key]) > _MOST_ENTRIES:
            said = f"{len(raw[key]):,} entries, more than {_MOST_ENTRIES:,}; labels, tones and counts need none each"
            raise ManifestError(Fault.at(key, said, "out_of_range"))
    document, faults = validate(Document, raw)
    files, found = plugin_files.find(raw.get("plugins"), base, extensions, kept)
    faults += found
    extensions = extensions.with_files(files)
    checked = validation.check(raw, base, extensions)
    columns = checked.real.settings.columns.about if checked.real else _asked_columns(raw)
    templates, unread = _read_prompts(raw.get("prompts", "dermatology"), prompts_text, base, columns)
    faults += [*unread, *checked.faults]
    if kept is None:
        faults += _format_faults(document, extensions)
    if prompts_text is None and checked.curation:
        faults += checked.curation.faults(base)  # what a run was scored by may be gone since
    if document is None or templates is None or faults:
        raise ManifestError(*dict.fromkeys(faults))
    if kept is None and checked.curation:
        plugin_files.trust_scorers(checked.curation.scorers.values(), base)
    return Manifest(
        document=document,
        entries=tuple(checked.entries),
        finetune=tuple(checked.finetune),
        real=checked.real,
        prompts=templates[1],
        text=text,
        prompts_text=templates[0],
        base=base,
        curation=checked.curation,
        plugins=files,
        foreign=checked.foreign,
        packages=_packages(document, checked, extensions),
    )


def _packages(document: Document, checked: validation.Checked, extensions: Extensions) -> dict[str, str]:
    """The installed packages that bring plug-ins which a manifest names, with their versions, by kind and name."""
    named = [(extensions.strategies, entry.strategy) for entry in checked.entries]
    named += [(extensions.methods, entry.method) for entry in checked.finetune]
    named += [(extensions.sources, checked.real.source)] if checked.real else []
    named += [(extensions.scorers, name) for name in (checked.curation.scorers if checked.curation else ())]
    named += [(extensions.formats, document.pack.format)]
    return {
        key: package
        for folder, name in named
        if not isinstance(name, FilePlugin)
        for key, package in folder.versions(name).items()
    }


def _asked_columns(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """What prompts may say of real images, of a manifest whose `real:` is at fault: its prompts are at no other."""
    real = raw.get("real")
    columns = real.get("columns") if isinstance(real, dict) else None
    attributes = columns.get("attributes") if isinstance(columns, dict) else None
    return (
        ("caption", *map(str, attributes)) if isinstance(attributes, dict | list) else ("caption",) if columns else ()
    )


def _read_prompts(
    name: object, kept: str | None, base: Path, columns: Sequence[str]
) -> tuple[tuple[str, PromptSet] | None, tuple[Fault, ...]]:
    """The text of the prompt templates and what it says; or what is wrong with them."""
    if not isinstance(name, str):
        return None, ()
    path = base / name
    if kept is None and not _is_file(path):
        found = resources.find("prompts", name)
        if found is None:
            said = f"no file {path}, and none that ships is called `{name}`"
            return None, (Fault.at("prompts", said, "not_found"),)
        path = found
    try:
        text = yaml_documents.read_text(path) if kept is None else kept
        return (text, prompts.read(text, f"prompts: {path.name}", kept=kept is not None, columns=columns)), ()
    except ManifestError as error:
        return None, error.faults


def _format_faults(document: Document | None, extensions: Extensions) -> list[Fault]:
    """That there is no such format; not asked of a manifest that a run keeps, of which packing is only one use."""
    name = document.pack.format if document else ""
    if not name or name in (AUTO, *extensions.formats.names()):
        return []
    return [Fault.at("pack.format", f"no format `{name}`; {near(name, extensions.formats.names())}", "not_found")]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name no file can have
        return False
