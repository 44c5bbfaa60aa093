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
from synthgen.errors import Fault, InputError
from synthgen.plan import skin_tones
from synthgen.plan.manifest import curate, evaluate, finetune
from synthgen.plan.manifest.curate import Curation
from synthgen.plan.manifest.finetune import FinetuneEntry
from synthgen.plan.manifest.generate import EntryCheck, GenerateEntry, Part, entry_name
from synthgen.plan.manifest.schema import Document, Entry, Finetune, Output, Pack, SkinTones
from synthgen.plan.manifest.settings import Extensions, SourceSettings

SLUG = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
_MOST_CLASSES = 255  # numbers of classes that a label map of 8 bits has beside 0
_COPIES = ("near_copy", "copy")  # the scorers that look for copies of real images
_SLUG_HELP = "use up to 64 lower-case letters, digits and single hyphens, as in `basal-cell-carcinoma`"


@dataclass(frozen=True, slots=True)
class RealImages:
    """Where real images come from, checked: the name of the plug-in that reads them, and its settings."""

    source: str
    settings: SourceSettings


@dataclass(frozen=True, slots=True)
class ForeignImages:
    """Synthetic images that a study takes from elsewhere, checked.

    Attributes:
        images: Where they come from; all of them count as one split.
        name: What the study calls the way of making them.
        has_parents: Whether their column ``group`` names the real image that each was made from.
    """

    images: RealImages
    name: str
    has_parents: bool


@dataclass
class Checked:
    """What a document holds, as far as it is sound, and every fault that was found in it."""

    faults: list[Fault] = field(default_factory=list)
    entries: list[GenerateEntry] = field(default_factory=list)
    finetune: list[FinetuneEntry] = field(default_factory=list)
    real: RealImages | None = None
    foreign: ForeignImages | None = None
    curation: Curation | None = None


def check(raw: Mapping[str, Any], base: Path, extensions: Extensions) -> Checked:
    """Check what is sound of a document.

    Args:
        raw: The document as parsed.
        base: The folder that its relative paths start from.
        extensions: The plug-ins there are.
    """
    document = yaml_documents.sound(Document, raw)
    entries, document["finetune"] = _parts(raw, "generate", Entry), _parts(raw, "finetune", Finetune)
    checked = Checked()
    checked.faults += _names(document, raw.get("labels")) + _skin_tones(raw.get("skin_tones"))
    checked.faults += _output(raw.get("output")) + _pack(raw.get("pack"))
    checked.faults += _keys(entries, document.get("labels", {}))
    checked.real = _real(document, extensions, checked.faults)
    checked.foreign = _foreign(document, extensions, checked.faults)
    checked.faults += [Fault(one).keyed() for one in _evaluate(document, entries, has_real="real" in raw)]
    checked.finetune = finetune.check(document, document["finetune"], base, extensions, checked.faults)
    checked.curation, found_in_curate = curate.check(raw.get("curate"), extensions.scorers)
    checked.faults += found_in_curate
    has_masks = checked.real.settings.has_masks if checked.real else document.get("real") is not None
    for number in range(len(entries)):
        found_in = EntryCheck(
            document,
            entries,
            number,
            base=base,
            extensions=extensions,
            finetune_entries=checked.finetune,
            real_has_masks=has_masks,
        )
        checked.faults += found_in.faults
        checked.entries += [found_in.entry] if found_in.entry else []
    checked.faults += _masks(document, checked.entries)
    if raw.get("curate") is None or isinstance(raw["curate"], dict):
        checked.faults += _likenesses(raw, checked.entries, extensions)
    return checked


def _parts(raw: Mapping[str, Any], key: str, kind: type[Strict]) -> list[Part]:
    """The sound fields of each entry of a list."""
    found = raw.get(key)
    return [yaml_documents.sound(kind, entry) for entry in found] if isinstance(found, list) else []


def _names(document: Part, labels: object) -> list[Fault]:
    name, faults = document.get("name"), []
    if name is not None and not SLUG.fullmatch(name):
        faults.append(Fault.at("name", f"`{name}` can't name a run; {_SLUG_HELP}", "invalid"))
    for label in labels if isinstance(labels, dict) else ():
        if isinstance(label, str) and not SLUG.fullmatch(label):
            faults.append(Fault.at(f"labels.{label}", f"can't be a label; {_SLUG_HELP}", "invalid"))
    return faults


def _skin_tones(written: object) -> list[Fault]:
    """Values that are not on the scale, or given twice; those of another type are the types' own fault."""
    scale = yaml_documents.sound(SkinTones, written).get("scale")
    values = written.get("values") if isinstance(written, dict) else None
    if scale is None or not isinstance(values, list):
        return []
    known, faults, seen = skin_tones.NAMES[scale], list[Fault](), set[int]()
    for number, value in enumerate(values):
        if type(value) is not int:
            continue
        place = f"skin_tones.values[{number}]"
        if value not in known:
            choices = ", ".join(map(str, known))
            said = f"{value} is not on the {scale} scale; there are: {choices}"
            faults.append(Fault.at(place, said, "not_found"))
        if value in seen:
            faults.append(Fault.at(place, f"{value} is given twice", "duplicate"))
        seen.add(value)
    return faults


def _output(written: object) -> list[Fault]:
    output = yaml_documents.sound(Output, written)
    if output.get("quality") is None or output.get("image_format", "jpeg") == "jpeg":
        return []
    return [Fault.at("output.quality", f"is for jpeg; {output['image_format']} is written without loss", "conflict")]


def _masks(document: Part, entries: Sequence[GenerateEntry]) -> list[Fault]:
    """Whether every image has a mask to store beside it, and a number for its class in 8 bits, where that is asked."""
    output, labels = document.get("output"), document.get("labels", {})
    if output is None or not output.mask:
        return []
    faults = [
        Fault.at(
            "output.mask",
            f"entry `{entry.name}` makes images without a mask (strategy {entry.strategy}); leave `mask` out, or keep "
            "such entries in a manifest of their own",
            "conflict",
        )
        for entry in entries
        if not entry.settings.gives_mask
    ]
    if len(labels) > _MOST_CLASSES:
        said = f"a label map has room for {_MOST_CLASSES} labels, found {len(labels)}"
        faults.append(Fault.at("output.mask", said, "out_of_range"))
    return faults


def _likenesses(raw: Mapping[str, Any], entries: Sequence[GenerateEntry], extensions: Extensions) -> list[Fault]:
    """Whether copies are looked for, where images are made in the likeness of real ones."""
    by_name = {entry.name: entry for entry in entries}

    def likeness(entry: GenerateEntry | None) -> bool:
        return entry is not None and (entry.per_source is not None or likeness(by_name.get(entry.parent or "")))

    alike = [entry for entry in entries if entry.settings.reads_image_prompt and likeness(entry)]
    written = (raw.get("curate") or {}).get("scorers", {})
    measured = {extensions.scorers.named(name) for name in written} if isinstance(written, dict) else set(_COPIES)
    if not alike or measured & set(_COPIES):
        return []
    said = (
        f"entry `{alike[0].name}` makes images in the likeness of real ones, so copies have to be looked for: give "
        "`near_copy: {}` or `copy: {}`, and a rule as `near_copy.source_similarity < 0.86` under `curate.keep`"
    )
    return [Fault.at("curate.scorers", said, "missing")]


def _pack(written: object) -> list[Fault]:
    splits = yaml_documents.sound(Pack, written).get("splits", {"train": 1.0})
    if abs(sum(splits.values()) - 1) <= 1e-9:
        return []
    return [Fault.at("pack.splits", f"must add up to 1, found {sum(splits.values())}", "invalid")]


def _evaluate(document: Part, entries: Sequence[Part], *, has_real: bool) -> list[str]:
    names = [name for name in map(entry_name, entries) if name]
    settings = document.get("evaluate")
    if settings is None or "labels" not in document:
        return []
    return evaluate.faults(settings, document["labels"], names, has_real=has_real)


def _real(document: Part, extensions: Extensions, faults: list[Fault]) -> RealImages | None:
    written = document.get("real")
    return None if written is None else _source(written, "real", document, extensions, faults)


def _foreign(document: Part, extensions: Extensions, faults: list[Fault]) -> ForeignImages | None:
    """The synthetic images of elsewhere that a study names, read as real ones are."""
    settings, where = document.get("evaluate"), "evaluate.synthetic"
    if settings is None or isinstance(settings.synthetic, str):
        return None
    rest = {key: value for key, value in settings.synthetic.items() if key != "name"}
    name = settings.synthetic.get("name", "synthetic")
    if not isinstance(name, str) or not SLUG.fullmatch(name):
        faults.append(Fault.at(f"{where}.name", f"`{name}` can't name a way of making images; {_SLUG_HELP}", "invalid"))
        return None
    images = _source(rest, where, document, extensions, faults)
    if images is None:
        return None
    columns = images.settings.columns
    whole = {"splits": {"train": 1.0}, "stratify": None, "columns": columns.model_copy(update={"split": None})}
    whole |= {"near_duplicates": None}
    return ForeignImages(
        RealImages(images.source, images.settings.model_copy(update=whole)), name, columns.group is not None
    )


def _source(
    written: Mapping[str, Any], where: str, document: Part, extensions: Extensions, faults: list[Fault]
) -> RealImages | None:
    """Where images come from, as a block says it; ``None`` where a fault was found in it."""
    source = written.get("source")
    if not isinstance(source, str):
        what = "missing; this key is needed" if source is None else f"no source `{source}`"
        said = f"{what}; {near(source, extensions.sources.names())}"
        faults.append(Fault.at(f"{where}.source", said, "missing" if source is None else "not_found"))
        return None
    source = extensions.sources.named(source)
    try:
        kind: type[SourceSettings] = extensions.sources.module(source).Settings
    except InputError as error:
        faults += [fault if fault.path else fault.within(f"{where}.source") for fault in error.faults]
        return None
    rest = {key: value for key, value in written.items() if key != "source"}
    settings, found = validate(kind, rest, where)
    faults += found
    if settings is None:
        return None
    labels, tones = document.get("labels"), document.get("skin_tones")
    for value, label in settings.labels.items():
        if labels is not None and label not in labels:
            said = f"no label `{label}` in `labels`; {near(label, labels)}"
            faults.append(Fault.at(f"{where}.labels.{value}", said, "not_found"))
    for value, tone in settings.skin_tones.items():
        if tones is not None and tone and tone not in skin_tones.NAMES[tones.scale]:
            said = f"{tone} is not on the {tones.scale} scale; 0 is unknown"
            faults.append(Fault.at(f"{where}.skin_tones.{value}", said, "not_found"))
    return RealImages(source, settings)


def _keys(entries: Sequence[Part], labels: Mapping[str, str]) -> list[Fault]:
    """Entry names, and that no two entries can give two images one key."""
    faults, owners, names = [], dict[str, str](), [entry_name(entry) for entry in entries]
    for number, name in enumerate(names):
        path = f"generate[{number}].name"
        if name is None:
            continue
        if not SLUG.fullmatch(name):
            faults.append(Fault.at(path, f"`{name}` can't name an entry; {_SLUG_HELP}", "invalid"))
        if name == adapter_folder.FOLDER:
            faults.append(Fault.at(path, f"`{name}` is where a run keeps its adapters; choose another", "conflict"))
        if name in names[:number]:
            faults.append(Fault.at(path, f"`{name}` names an earlier entry too; each needs its own", "duplicate"))
            continue
        for label in labels:
            other = owners.setdefault(f"{name}-{label}", name)
            if other != name:
                faults.append(
                    Fault.at(path, f"its keys `{name}-{label}-…` could be those of `{other}` too", "conflict")
                )
    return faults
