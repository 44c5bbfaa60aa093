"""From a row of somebody's metadata to what a plan needs to know of an image, or to why it is left out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from synthgen.core.yaml_documents import near
from synthgen.errors import Fault, ManifestError
from synthgen.plan import real_account, skin_tones
from synthgen.plan.manifest.settings import Columns, SourceSettings, Split
from synthgen.real.indexing import cell_values
from synthgen.real.sources import SourceRow, known, text

NO_IMAGE = "no image"
NOT_WHERE = "not among the values of `where`"
NO_CONSENT = "no consent"
NO_LABEL = real_account.NO_LABEL
NO_TONE = "no skin tone of the manifest"
_TRUTH = (("true", "yes", "on"), ("false", "no", "off"))  # YAML 1.1: all of a line are one value


@dataclass(frozen=True, slots=True)
class Draft:
    """An image of which a row says all that it says; ids, groups and splits are for all rows together to find.

    Attributes:
        row: The row.
        label: A label of the manifest.
        tone: On the manifest's scale; 0 is unknown.
        name: What its id is made of.
        named: Whether a column says ``name``.
        group: What a column says; empty where none does.
        split: What a column says; ``None`` where none does.
        license: Its licence.
        fault: Why it can't be used; empty where it can.
        caption: What a column says of it; empty where none does.
        attributes: What is known of it beside, by name.
    """

    row: SourceRow
    label: str
    tone: int
    name: str
    named: bool
    group: str
    split: Split | None
    license: str
    fault: str
    caption: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is no image of the manifest: why, and the value or name that shows it."""

    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class Understanding:
    """How the rows of one dataset are understood: its columns resolved, and what their values mean."""

    settings: SourceSettings
    label: str
    tones: tuple[str, ...]
    groups: tuple[str, ...]
    where: Mapping[str, Collection[str]]
    labels: Mapping[str, str]
    scale: str
    wanted: Collection[int]

    def draft(self, row: SourceRow) -> Draft | LeftOut:
        """The image of a row, or why it is left out."""
        values, columns = row.values, self.settings.columns
        if not row.location:
            named = row.stem or next(filter(None, map(text, values.values())), "")
            return LeftOut(row.fault or NO_IMAGE, named)
        unkept = self._unkept(values)
        if unkept:
            return LeftOut(NOT_WHERE, f"{unkept}: {text(values.get(unkept))}")
        if columns.consent and not cell_values.agreed(values.get(columns.consent)):
            return LeftOut(NO_CONSENT, text(values.get(columns.consent)))
        label = self._label(values.get(self.label))
        if label is None:
            return LeftOut(NO_LABEL, cell_values.label(values.get(self.label)))
        tone, strange = self._tone(values)
        if tone and tone not in self.wanted:
            return LeftOut(NO_TONE, skin_tones.name(self.scale, tone))
        identity = known(values.get(columns.id)) if columns.id else ""
        split = cell_values.split(values.get(columns.split)) if columns.split else None
        faults = [row.fault, strange]
        if columns.split and split is None:
            faults.append(f"split `{text(values.get(columns.split))}` is none of train, validation and test")
        return Draft(
            row=row,
            label=label,
            tone=tone,
            name=identity or row.stem,
            named=bool(identity),
            group=next(filter(None, (known(values.get(name)) for name in self.groups)), ""),
            split=split,
            license=(known(values.get(columns.license)) if columns.license else "") or self.settings.license,
            fault="; ".join(filter(None, faults)),
            caption=" ".join(known(values.get(columns.caption)).split()) if columns.caption else "",
            attributes={
                name: said for name, column in (columns.attributes or {}).items() if (said := known(values.get(column)))
            },
        )

    def _label(self, value: object) -> str | None:
        one = cell_values.label(value)
        spellings = (text(value), str(value).strip(), one, one.casefold(), cell_values.number(one))
        return next((self.labels[spelling] for spelling in spellings if spelling in self.labels), None)

    def _unkept(self, values: Mapping[str, object]) -> str:
        """The first column whose value is not among those that `where` keeps; empty where there is none."""
        return next((name for name, among in self.where.items() if not is_among(values.get(name), among)), "")

    def _tone(self, values: Mapping[str, object]) -> tuple[int, str]:
        """The first known value of the columns, and what is wrong where none is known and one is strange."""
        strange = ""
        for name in self.tones:
            given = cell_values.mapped(self.settings.skin_tones, values.get(name))
            tone = cell_values.tone(self.scale, values.get(name)) if given is None else given
            if tone:
                return tone, ""
            if tone is None and not strange:
                strange = f"skin tone `{text(values.get(name))[:40]}` is not on the scale {self.scale}"
        return 0, strange


def understand(
    columns: Sequence[str], settings: SourceSettings, labels: Mapping[str, str], scale: str, tones: Collection[int]
) -> Understanding:
    """Resolve a source's settings against the columns that the data have.

    Raises:
        ManifestError: A column, a label or a tone that the settings name is not there; one line a fault.
    """
    named = settings.columns
    faults = _missing(columns, settings) + _unmapped(settings, labels, scale)
    label = named.label or ("label" if "label" in columns else "")
    if not label:
        said = f"say which column holds the label; {near('label', columns)}"
        faults.append(Fault.at("real.columns.label", said, "missing"))
    if faults:
        raise ManifestError(*faults)
    known = {words.casefold(): slug for slug, words in labels.items()} | {slug.casefold(): slug for slug in labels}
    known |= {value.casefold(): label for value, label in settings.labels.items()} | dict(settings.labels)
    known = _as_yaml_reads(settings.labels) | known
    return Understanding(
        settings=settings,
        label=label,
        tones=_several(named.skin_tone) or tuple(name for name in _conventional_tones(scale) if name in columns)[:1],
        groups=_several(named.group),
        where={name: meant(among) for name, among in settings.where.items()},
        labels=known,
        scale=scale,
        wanted=frozenset(tones),
    )


def _as_yaml_reads(labels: Mapping[str, str]) -> dict[str, str]:
    """What unquoted keys of `labels` mean that YAML reads as truth values and numbers: ``NO``, ``yes``, ``01``.

    A truth value means each word for it, and a number every way to write it, where no other key says otherwise.
    """
    found = {cell_values.number(value): label for value, label in labels.items() if cell_values.number(value)}
    for words in _TRUTH:
        said = labels.get(words[0].capitalize())
        found |= dict.fromkeys(words, said) if said is not None else {}
    return found


def meant(among: Sequence[str]) -> frozenset[str]:
    """The values that `where` keeps, in lower case: `[yes]` is true to YAML, and means `yes`, `on` and `true` alike."""
    values = frozenset(value.casefold() for value in among)
    return values.union(*(words for words in _TRUTH if words[0] in values))


def is_among(value: object, among: Collection[str]) -> bool:
    """Whether a cell has one of the values of a rule, as :func:`meant` gives them; ``0.0`` has ``0``."""
    written = text(value).casefold()
    spellings = (written, str(value).strip().casefold(), cell_values.number(written) or written)
    return any(one in among for one in spellings)


def _several(names: str | list[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def _conventional_tones(scale: str) -> tuple[str, ...]:
    """A column of Fitzpatrick types never passes for one of Monk's tones."""
    return ("skin_tone",) if scale == "monk" else ("fitzpatrick", "skin_tone")


def _missing(columns: Sequence[str], settings: SourceSettings) -> list[str]:
    """A fault for each column that is named and not there; those of images and masks are their source's to find."""
    fields = [name for name in Columns.model_fields if name not in ("image", "mask", "attributes")]
    asked = [(f"real.columns.{one}", name) for one in fields for name in _several(getattr(settings.columns, one))]
    asked += [(f"real.columns.attributes.{one}", name) for one, name in (settings.columns.attributes or {}).items()]
    asked += [(f"real.where.{name}", name) for name in settings.where]
    missing = [(path, name) for path, name in asked if name not in columns]
    return [Fault.at(path, f"no column `{name}`; {near(name, columns)}", "not_found") for path, name in missing]


def _unmapped(settings: SourceSettings, labels: Mapping[str, str], scale: str) -> list[Fault]:
    """A fault for each mapping to a label or a tone that there is not."""
    faults = [
        Fault.at(f"real.labels.{value}", f"the manifest has no label `{label}`; {near(label, labels)}", "not_found")
        for value, label in settings.labels.items()
        if label not in labels
    ]
    known = [0, *skin_tones.NAMES[scale]]
    faults += [
        Fault.at(f"real.skin_tones.{value}", f"{tone} is not on the scale {scale}; {near(tone, known)}", "not_found")
        for value, tone in settings.skin_tones.items()
        if tone not in skin_tones.NAMES[scale] and tone != 0
    ]
    return faults
