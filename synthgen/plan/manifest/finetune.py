"""Checks the entries of ``finetune``, and which adapter an entry of ``generate`` asks for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import adapter_folder, model_folder
from synthgen.core.adapter_folder import Adapter
from synthgen.core.model_folder import ModelFacts
from synthgen.core.yaml_documents import near, validate
from synthgen.errors import Fault, InputError, ManifestError, SynthgenError
from synthgen.plan.manifest.schema import Pool
from synthgen.plan.manifest.settings import Extensions, MethodSettings, Tunes

LABEL = "{label}"
_NAME = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
_NAME_HELP = "use up to 64 lower-case letters, digits and single hyphens, and `{label}` for one adapter a label"
Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FinetuneEntry:
    """One entry of ``finetune``, checked: its method is known, its settings fit its model.

    Attributes:
        name: Its name as written, ``{label}`` included.
        method: The name of the plug-in that trains it.
        strategy: Which pipeline it is for.
        model: What is known of the model that is tuned.
        revision: The commit or tag asked of a Hub id; empty for its newest.
        settings: The method's settings, sizes filled in.
        pool: How many real images of each label it may see, and by which draw; ``None`` for all of them.
    """

    name: str
    method: str
    strategy: Tunes
    model: ModelFacts
    revision: str
    settings: MethodSettings
    pool: Pool | None

    def names(self, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The labels that each of its adapters is shown, by the adapter's name."""
        if LABEL not in self.name:
            return {self.name: tuple(labels)}
        return {self.name.replace(LABEL, label): (label,) for label in labels}


@dataclass(frozen=True, slots=True)
class AdapterChoice:
    """The adapter that an entry of ``generate`` asks for.

    Attributes:
        name: As written; ``{label}`` stands for the label of the image.
        entry: The entry of ``finetune`` that trains it; ``None`` for a folder from elsewhere.
        folders: The adapter that lies in the folder, for each label; empty for one that is trained here.
    """

    name: str
    entry: FinetuneEntry | None
    folders: Mapping[str, Adapter]

    @property
    def by_label(self) -> bool:
        """Whether each label has an adapter of its own."""
        return LABEL in self.name


def check(
    document: Part, written: Sequence[Part], base: Path, extensions: Extensions, faults: list[Fault]
) -> list[FinetuneEntry]:
    """Check every entry of ``finetune``; returns those that are sound, and adds what is at fault to ``faults``."""
    labels = list(document.get("labels", {}))
    owners: dict[str, str] = {}
    for number, entry in enumerate(written):
        faults += _name_faults(f"finetune[{number}].name", entry.get("name"), labels, owners)
    if written and document.get("real", 0) is None:
        faults.append(Fault.at("finetune", "needs real images; say under `real:` where they are", "missing"))
    checked = [
        _entry(document, entry, f"finetune[{number}]", base=base, extensions=extensions, faults=faults)
        for number, entry in enumerate(written)
    ]
    return [entry for entry in checked if entry is not None]


def _name_faults(path: str, name: str | None, labels: Sequence[str], owners: dict[str, str]) -> list[Fault]:
    if name is None:
        return []
    names = [name.replace(LABEL, label) for label in labels] if LABEL in name else [name]
    if not _NAME.fullmatch(name.replace(LABEL, "x")) or any(len(one) > 64 for one in names):
        return [Fault.at(path, f"`{name}` can't name an adapter; {_NAME_HELP}", "invalid")]
    taken = [one for one in names if one in owners]
    owners.update(dict.fromkeys(names, name))
    said = f"`{taken[0]}` is an adapter of an earlier entry too; each needs its own" if taken else ""
    return [Fault.at(path, said, "duplicate")] if taken else []


def _entry(
    document: Part, entry: Part, path: str, *, base: Path, extensions: Extensions, faults: list[Fault]
) -> FinetuneEntry | None:
    method, kind = extensions.methods.named(entry.get("method", "")), None
    try:
        kind = extensions.methods.module(method).Settings if "method" in entry else None
    except InputError as error:
        faults += [fault if fault.path else fault.within(f"{path}.method") for fault in error.faults]
    facts, revision = model(document, entry, path, base, faults)
    if kind is None:
        return None
    settings, found = validate(kind, entry.get("settings", {}), f"{path}.settings")
    faults += found
    if settings is None or facts is None or not {"name", "strategy", "generator_pool"} <= set(entry):
        return None
    try:
        fitted = settings.fitted(facts, entry["strategy"])
    except ManifestError as error:
        for fault in map(Fault.keyed, error.faults):
            faults.append(fault.within(path if fault.path in ("model", "method") else f"{path}.settings"))
        return None
    labels = list(document.get("labels", {}))
    words = {fitted.words(label) for label in labels}
    if LABEL not in entry["name"] and 1 == len(words) < len(labels) and None not in words:
        said = f"one word for {len(labels)} labels; put `{LABEL}` into it"
        faults.append(Fault.at(f"{path}.settings.placeholder_token", said, "conflict"))
    pool = None if entry["generator_pool"] == "all" else entry["generator_pool"]
    return FinetuneEntry(entry["name"], method, entry["strategy"], facts, revision, fitted, pool)


def model(document: Part, entry: Part, path: str, base: Path, faults: list[Fault]) -> tuple[ModelFacts | None, str]:
    """The facts of an entry's own model, or else of the manifest's, and the revision asked of it."""
    own = entry.get("model")
    key, name = ("model", document.get("model")) if own is None else (f"{path}.model", own)
    inherited = document.get("revision", "") if own is None else ""
    revision = inherited if entry.get("revision") is None else entry["revision"]
    if name is None or "model" not in entry:
        return None, revision
    try:
        facts = model_folder.describe(name, base)
    except ManifestError as error:
        faults += [Fault.at(key, fault, "invalid") for fault in error.faults]
        return None, revision
    if facts.kind != "hub" and revision:
        faults.append(Fault.at(path, f"`revision` is for a Hub id; `{name}` is not one", "conflict"))
    return facts, revision


def choose(
    name: str, entries: Sequence[FinetuneEntry], written: Sequence[Part], labels: Sequence[str], base: Path
) -> AdapterChoice | None:
    """Find the adapter that an entry asks for; ``None`` where an entry of that name is itself at fault.

    Raises:
        ManifestError: There is none.
    """
    for entry in entries:
        if name == entry.name or name in entry.names(labels):
            return AdapterChoice(name, entry, {})
    known = [str(part["name"]) for part in written if "name" in part]
    if any(re.fullmatch(re.escape(one).replace(re.escape(LABEL), ".+"), name) for one in known):
        return None
    if not _looks_like_a_folder(base, name):
        said = f"no entry of `finetune` and no folder `{name}`; {near(name, known)}"
        raise ManifestError(Fault(said, kind="not_found"))
    try:
        folders = {label: adapter_folder.describe(_folder(base, name.replace(LABEL, label))) for label in labels}
    except SynthgenError as error:
        raise ManifestError(*error.faults) from None
    return AdapterChoice(name, None, folders)


def _looks_like_a_folder(base: Path, name: str) -> bool:
    try:
        return "/" in name or "\\" in name or _folder(base, name).is_dir()
    except (OSError, ValueError, RuntimeError):
        return False


def _folder(base: Path, name: str) -> Path:
    return (base / Path(name).expanduser()).resolve()
