"""What types alone don't show: names, tones, counts, models and settings, each checked wherever its own part is sound.

So a fault in one place hides none in another, and all of them are listed at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgen.core import adapter_folder, yaml_documents
from synthgen.core.yaml_documents import Strict, near, validate
from synthgen.plan import skin_tones
from synthgen.plan.manifest import curate, evaluate, finetune
from synthgen.plan.manifest.curate import Curation
from synthgen.plan.manifest.finetune import FinetuneEntry
from synthgen.plan.manifest.generate import EntryCheck, GenerateEntry, Part, entry_name
from synthgen.plan.manifest.schema import Document, Entry, Finetune, Output, Pack, SkinTones
from synthgen.plan.manifest.settings import Extensions, SourceSettings

_SLUG = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_HELP = "use up to 64 lower-case letters, digits and single hyphens, as in `basal-cell-carcinoma`"


@dataclass(frozen=True, slots=True)
class RealImages:
    """Where real images come from, checked: the module behind the sources door, and its settings."""

    source: str
    settings: SourceSettings


@dataclass
class Checked:
    """What a document holds, as far as it is sound, and every fault that was found in it."""

    faults: list[str] = field(default_factory=list)
    entries: list[GenerateEntry] = field(default_factory=list)
    tunings: list[FinetuneEntry] = field(default_factory=list)
    real: RealImages | None = None
    curation: Curation | None = None


def check(raw: Mapping[str, Any], base: Path, doors: Extensions) -> Checked:
    """Check what is sound of a document.

    Args:
        raw: The document as parsed.
        base: The folder that its relative paths start from.
        doors: The strategies and sources there are.
    """
    document = yaml_documents.sound(Document, raw)
    entries, tunings = _parts(raw, "generate", Entry), _parts(raw, "finetune", Finetune)
    document["finetune"] = tunings
    checked = Checked()
    checked.faults += _names(document, raw.get("labels")) + _skin_tones(raw.get("skin_tones"))
    checked.faults += _output(raw.get("output")) + _pack(raw.get("pack"))
    checked.faults += _keys(entries, document.get("labels", {}))
    checked.real = _real(document, doors, checked.faults)
    checked.faults += _evaluate(document, entries, has_real="real" in raw)
    checked.tunings = finetune.check(document, tunings, base, doors, checked.faults)
    checked.curation, found_in_curate = curate.check(raw.get("curate"), doors.scorers)
    checked.faults += found_in_curate
    for number in range(len(entries)):
        found_in = EntryCheck(document, entries, number, base=base, doors=doors, tunings=checked.tunings)
        checked.faults += found_in.faults
        checked.entries += [found_in.entry] if found_in.entry else []
    return checked


def _parts(raw: Mapping[str, Any], key: str, kind: type[Strict]) -> list[Part]:
    """The sound fields of each entry of a list."""
    found = raw.get(key)
    return [yaml_documents.sound(kind, entry) for entry in found] if isinstance(found, list) else []


def _names(document: Part, labels: object) -> list[str]:
    name, faults = document.get("name"), []
    if name is not None and not _SLUG.fullmatch(name):
        faults.append(f"name: `{name}` can't name a run; {_SLUG_HELP}")
    for label in labels if isinstance(labels, dict) else ():
        if isinstance(label, str) and not _SLUG.fullmatch(label):
            faults.append(f"labels.{label}: can't be a label; {_SLUG_HELP}")
    return faults


def _skin_tones(written: object) -> list[str]:
    """Values that are not on the scale, or given twice; those of another type are the types' own fault."""
    scale = yaml_documents.sound(SkinTones, written).get("scale")
    values = written.get("values") if isinstance(written, dict) else None
    if scale is None or not isinstance(values, list):
        return []
    known, faults = skin_tones.NAMES[scale], []
    for number, value in enumerate(values):
        if type(value) is not int:
            continue
        if value not in known:
            choices = ", ".join(map(str, known))
            faults.append(f"skin_tones.values[{number}]: {value} is not on the {scale} scale; there are: {choices}")
        if value in values[:number]:
            faults.append(f"skin_tones.values[{number}]: {value} is given twice")
    return faults


def _output(written: object) -> list[str]:
    output = yaml_documents.sound(Output, written)
    if output.get("quality") is None or output.get("image_format", "jpeg") == "jpeg":
        return []
    return [f"output.quality: is for jpeg; {output['image_format']} is written without loss"]


def _pack(written: object) -> list[str]:
    splits = yaml_documents.sound(Pack, written).get("splits", {"train": 1.0})
    if abs(sum(splits.values()) - 1) <= 1e-9:
        return []
    return [f"pack.splits: must add up to 1, found {sum(splits.values())}"]


def _evaluate(document: Part, entries: Sequence[Part], *, has_real: bool) -> list[str]:
    names = [name for name in map(entry_name, entries) if name]
    settings = document.get("evaluate")
    if settings is None or "labels" not in document:
        return []
    return evaluate.faults(settings, document["labels"], names, has_real=has_real)


def _real(document: Part, doors: Extensions, faults: list[str]) -> RealImages | None:
    written = document.get("real")
    if written is None:
        return None
    source = written.get("source")
    if not isinstance(source, str) or source not in doors.sources.names():
        what = "missing; this key is needed" if source is None else f"no source `{source}`"
        faults.append(f"real.source: {what}; {near(source, doors.sources.names())}")
        return None
    rest = {key: value for key, value in written.items() if key != "source"}
    settings, found = validate(doors.sources.module(source).Settings, rest, "real")
    faults += found
    if settings is None:
        return None
    labels, tones = document.get("labels"), document.get("skin_tones")
    for value, label in settings.labels.items():
        if labels is not None and label not in labels:
            faults.append(f"real.labels.{value}: no label `{label}` in `labels`; {near(label, labels)}")
    for value, tone in settings.skin_tones.items():
        if tones is not None and tone and tone not in skin_tones.NAMES[tones.scale]:
            faults.append(f"real.skin_tones.{value}: {tone} is not on the {tones.scale} scale; 0 is unknown")
    return RealImages(source, settings)


def _keys(entries: Sequence[Part], labels: Mapping[str, str]) -> list[str]:
    """Entry names, and that no two entries can give two images one key."""
    faults, owners, names = [], dict[str, str](), [entry_name(entry) for entry in entries]
    for number, name in enumerate(names):
        path = f"generate[{number}].name"
        if name is None:
            continue
        if not _SLUG.fullmatch(name):
            faults.append(f"{path}: `{name}` can't name an entry; {_SLUG_HELP}")
        if name == adapter_folder.FOLDER:
            faults.append(f"{path}: `{name}` is where a run keeps its adapters; choose another")
        if name in names[:number]:
            faults.append(f"{path}: `{name}` names an earlier entry too; each needs its own")
            continue
        for label in labels:
            other = owners.setdefault(f"{name}-{label}", name)
            if other != name:
                faults.append(f"{path}: its keys `{name}-{label}-…` could be those of `{other}` too")
    return faults
