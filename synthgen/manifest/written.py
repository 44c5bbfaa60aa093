"""The YAML a person writes, strictly typed: every fault listed at once as ``path: message``."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from synthgen import documents, models, skin_tones
from synthgen.documents import Strict, near, path_of, validate
from synthgen.doors import Doors, StrategySettings
from synthgen.errors import ManifestError
from synthgen.models import ModelFacts

_SLUG = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_HELP = "use up to 64 lower-case letters, digits and single hyphens, as in `basal-cell-carcinoma`"
_LATER = ("real", "finetune", "curate", "evaluate")
_LATER_ENTRY = ("adapter", "per_source", "from")

Count = Annotated[int, Field(ge=1, le=10**12)]
_Weight = Annotated[float, Field(ge=0)]
_Text = Annotated[str, Field(min_length=1)]
_GATE_FIELDS = ("text", "checkbox", "date_picker", "country")
Layout = Literal["webdataset", "parquet", "imagefolder"]
Split = Literal["train", "validation", "test"]


class SkinTones(Strict):
    """The scale and the values of it that every label is made in."""

    scale: skin_tones.Scale
    values: Annotated[list[int], Field(min_length=1)]


class Weights(Strict):
    """Relative counts of cells; what is left out weighs 1."""

    label: dict[str, _Weight] = {}
    skin_tone: dict[int, _Weight] = {}


class Entry(Strict):
    """One way of making images, as written; its settings are checked by its strategy."""

    name: str | None = None
    strategy: str
    model: str | None = None
    revision: str | None = None
    per_cell: Count | None = None
    total: Count | None = None
    weights: Weights | None = None
    settings: dict[str, Any] = {}


class Output(Strict):
    """How images are stored, and how many in one work shard."""

    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    shard_samples: Annotated[int, Field(ge=1, le=100_000)] = 48


class Pack(Strict):
    """How the packed dataset is laid out, split and cut."""

    format: Layout = "webdataset"
    splits: dict[Split, Annotated[float, Field(gt=0)]] = {"train": 1.0}
    images_per_shard: Count = 5000
    max_shard_bytes: Annotated[int, Field(ge=10_000)] = 1_000_000_000


class Gate(Strict):
    """What the Hub asks of those who want a dataset's files, once its owner has switched gating on.

    A field is ``text``, ``checkbox``, ``date_picker`` or ``country``, or the list of answers to choose from.
    """

    prompt: _Text
    fields: dict[_Text, str | list[str]] = {}

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        for name, kind in fields.items():
            if not kind or (isinstance(kind, str) and kind not in _GATE_FIELDS):
                raise ValueError(f"`{name}` must be one of {', '.join(_GATE_FIELDS)}, or a list of answers")
        return fields


class Publish(Strict):
    """Where the dataset goes, and what its card says of it."""

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    license: Annotated[str, Field(min_length=1)] | None = None
    pretty_name: Annotated[str, Field(min_length=1)] | None = None
    tags: list[str] = []
    gated: Gate | None = None


class Document(Strict):
    """The manifest as written."""

    name: str
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    model: str = models.BUNDLED
    revision: str = ""
    labels: Annotated[dict[str, Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    skin_tones: SkinTones
    prompts: str = "dermatology"
    generate: Annotated[list[Entry], Field(min_length=1)]
    output: Output = Output()
    pack: Pack = Pack()
    publish: Publish = Publish()


@dataclass(frozen=True, slots=True)
class GenerateEntry:
    """One entry of ``generate``, checked: its strategy is known, its settings fit its model."""

    name: str
    strategy: str
    model: ModelFacts
    revision: str
    settings: StrategySettings
    per_cell: int | None
    total: int | None
    weights: Weights


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole manifest, checked, with the texts it was read from.

    Attributes:
        document: The manifest as written, typed.
        entries: Its ``generate`` entries, each checked against its strategy and model.
        prompts: Its prompt templates, as the prompts reader returned them.
        text: The manifest's own text.
        prompts_text: The text of its prompt templates.
        base: The folder that its relative paths start from.
    """

    document: Document
    entries: tuple[GenerateEntry, ...]
    prompts: Any
    text: str
    prompts_text: str
    base: Path


def read(path: Path, doors: Doors) -> Manifest:
    """Read a manifest file and the prompt templates that it names.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
    """
    return parse(documents.read_text(path), doors, base=path.resolve().parent, where=path.name)


def parse(text: str, doors: Doors, *, base: Path, where: str, prompts_text: str | None = None) -> Manifest:
    """Read a manifest from its text.

    Args:
        text: The YAML.
        doors: The strategies there are, and how prompts are read.
        base: The folder that relative paths start from.
        where: What a fault of the YAML itself calls the document.
        prompts_text: The prompt templates' text, where a run kept it; otherwise read from the file named.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
    """
    raw = documents.parse(text, where)
    document, faults = validate(Document, raw)
    faults = [_later(fault) for fault in faults]
    prompts, found = _read_prompts(raw.get("prompts", "dermatology"), prompts_text, base, doors)
    faults += found if document is None or prompts is None else []
    if document is None:
        raise ManifestError(*faults, *_faults_in_names(raw), *_faults_in_settings(raw, doors))
    faults += _check(document)
    entries: list[GenerateEntry] = []
    for number, entry in enumerate(document.generate):
        checked, found = _check_entry(document, entry, f"generate[{number}]", base, doors)
        faults += found
        entries += [checked] if checked else []
    if faults or prompts is None:
        raise ManifestError(*dict.fromkeys(faults))
    source, templates = prompts
    return Manifest(document, tuple(entries), templates, text, source, base)


def entry_name(entry: Entry) -> str:
    """The entry's name: its own, or its strategy's where it has none."""
    return entry.strategy if entry.name is None else entry.name


def _read_prompts(name: object, kept: str | None, base: Path, doors: Doors) -> tuple[tuple[str, Any] | None, list[str]]:
    if not isinstance(name, str):
        return None, []
    path = base / name
    if kept is None and not _is_file(path):
        shipped = doors.find_shipped_prompts(name)
        if shipped is None:
            return None, [f"prompts: no file {path}, and none that ships is called `{name}`"]
        path = shipped
    try:
        text = documents.read_text(path) if kept is None else kept
        return (text, doors.prompts(text, f"prompts: {path.name}")), []
    except ManifestError as error:
        return None, list(error.faults)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name no file can have
        return False


def _check(document: Document) -> list[str]:
    """Faults that types alone don't show."""
    faults = _faults_in_names(document.model_dump(include={"name", "labels"}))
    known = skin_tones.NAMES[document.skin_tones.scale]
    values = document.skin_tones.values
    for number, value in enumerate(values):
        if value not in known:
            faults.append(
                f"skin_tones.values[{number}]: {value} is not on the {document.skin_tones.scale} "
                f"scale; there are: {', '.join(map(str, known))}"
            )
        if value in values[:number]:
            faults.append(f"skin_tones.values[{number}]: {value} is given twice")
    if document.output.quality is not None and document.output.image_format != "jpeg":
        faults.append(f"output.quality: is for jpeg; {document.output.image_format} is written without loss")
    if "splits" in document.pack.model_fields_set and abs(sum(document.pack.splits.values()) - 1) > 1e-9:
        faults.append(f"pack.splits: must add up to 1, found {sum(document.pack.splits.values())}")
    return faults + _check_keys(document)


def _check_keys(document: Document) -> list[str]:
    """Entry names, and that no two entries can give two images one key."""
    faults, owners = [], dict[str, str]()
    for number, entry in enumerate(document.generate):
        name = entry_name(entry)
        path = f"generate[{number}].name"
        if not _SLUG.fullmatch(name):
            faults.append(f"{path}: `{name}` can't name an entry; {_SLUG_HELP}")
        if name in map(entry_name, document.generate[:number]):
            faults.append(f"{path}: `{name}` names an earlier entry too; each needs its own")
            continue
        for label in document.labels:
            other = owners.setdefault(f"{name}-{label}", name)
            if other != name:
                faults.append(f"{path}: its keys `{name}-{label}-…` could be those of `{other}` too")
    return faults


def _check_entry(
    document: Document, entry: Entry, path: str, base: Path, doors: Doors
) -> tuple[GenerateEntry | None, list[str]]:
    faults = _check_counts(document, entry, path)
    model = document.model if entry.model is None else entry.model
    inherited = document.revision if entry.model is None else ""
    revision = inherited if entry.revision is None else entry.revision
    settings, facts = None, None
    try:
        facts = models.describe(model, base)
    except ManifestError as error:
        key = "model" if entry.model is None else f"{path}.model"
        faults += [f"{key}: {fault}" for fault in error.faults]
    if facts and facts.kind != "hub" and revision:
        faults.append(f"{path}: `revision` is for a Hub id; `{model}` is not one")
    if entry.strategy not in doors.strategies.names():
        near_names = near(entry.strategy, doors.strategies.names())
        faults.append(f"{path}.strategy: no strategy `{entry.strategy}`; {near_names}")
    else:
        kind = doors.strategies.module(entry.strategy).Settings
        settings, found = validate(kind, entry.settings, f"{path}.settings")
        faults += found
    if settings is None or facts is None:
        return None, faults
    try:
        settings = settings.fitted(facts)
    except ManifestError as error:
        return None, [*faults, *(f"{path}.{_place(fault)}" for fault in error.faults)]
    weights = entry.weights or Weights()
    checked = GenerateEntry(
        entry_name(entry), entry.strategy, facts, revision, settings,
        entry.per_cell, entry.total, weights,
    )  # fmt: skip
    return checked, faults


def _place(fault: str) -> str:
    """Where a fault that settings have with their model belongs: to the model, or to one of them."""
    return fault if fault.startswith("model: ") else f"settings.{fault}"


def _check_counts(document: Document, entry: Entry, path: str) -> list[str]:
    faults = []
    if (entry.per_cell is None) == (entry.total is None):
        faults.append(f"{path}: give either `per_cell` or `total`")
    if entry.weights is None:
        return faults
    if entry.total is None:
        faults.append(f"{path}.weights: needs `total`; `per_cell` gives every cell the same")
    for label in entry.weights.label:
        if label not in document.labels:
            faults.append(f"{path}.weights.label.{label}: no such label; {near(label, document.labels)}")
    for value in entry.weights.skin_tone:
        if value not in document.skin_tones.values:
            faults.append(
                f"{path}.weights.skin_tone.{value}: no such skin tone; {near(value, document.skin_tones.values)}"
            )
    if not any(entry.weights.label.get(label, 1.0) for label in document.labels) or not any(
        entry.weights.skin_tone.get(value, 1.0) for value in document.skin_tones.values
    ):
        faults.append(f"{path}.weights: leave no cell anything; one weight must be above 0")
    return faults


def _faults_in_names(raw: dict[str, Any]) -> list[str]:
    """Faults of the run's name and of labels, in a document that may be at fault elsewhere."""
    name, labels, faults = raw.get("name"), raw.get("labels"), []
    if isinstance(name, str) and not _SLUG.fullmatch(name):
        faults.append(f"name: `{name}` can't name a run; {_SLUG_HELP}")
    for label in labels if isinstance(labels, dict) else ():
        if isinstance(label, str) and not _SLUG.fullmatch(label):
            faults.append(f"labels.{label}: can't be a label; {_SLUG_HELP}")
    return faults


def _faults_in_settings(raw: dict[str, Any], doors: Doors) -> list[str]:
    """Faults of settings in a document that is at fault elsewhere, so that all are listed at once."""
    faults: list[str] = []
    entries = raw.get("generate")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        strategy = entry.get("strategy") if isinstance(entry, dict) else None
        if isinstance(strategy, str) and strategy in doors.strategies.names():
            location = path_of(("generate", number, "settings"))
            try:
                doors.strategies.module(strategy).Settings.model_validate(entry.get("settings", {}))
            except ValidationError:
                kind = doors.strategies.module(strategy).Settings
                faults += validate(kind, entry["settings"], location)[1]
        elif isinstance(strategy, str):
            near_names = near(strategy, doors.strategies.names())
            faults.append(f"generate[{number}].strategy: no strategy `{strategy}`; {near_names}")
    return faults


def _later(fault: str) -> str:
    """Say of a key that is promised but not built yet that it is that, not a typing error."""
    path, _, rest = fault.partition(": ")
    last = path.rpartition(".")[2]
    if rest.startswith("unknown key") and last in (*_LATER, *_LATER_ENTRY):
        return f"{path}: this version of synthgen can't do `{last}` yet; take it out"
    return fault
