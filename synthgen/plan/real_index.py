"""Real images as a plan knows them: their frozen index, and the split that each group belongs to."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from synthgen.core import table_file
from synthgen.core.hashing import fraction_from
from synthgen.plan.manifest.settings import Split

FILE = "sources.parquet"
_LATER = frozenset(("caption", "attributes", "marks"))
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class FaultKind(StrEnum):
    """What is wrong with a real image, in words that name no image and no value."""

    NO_FILE = "no file"
    OUTSIDE = "outside of its folder or dataset"
    SAME_FILE = "the same file as another"
    ANOTHER_LABEL = "the same file as another, with another label"
    GROUP_IN_TWO_SPLITS = "the group is in another split too"
    SKIN_TONE = "skin tone is not on the scale"
    SPLIT = "split is none of train, validation and test"
    MASK = "the mask can't be read"
    LOOK_ALIKE = "it looks like a validation or test image"
    EXCLUDED = "excluded"


SAME_FILE = FaultKind.SAME_FILE.value

# An index keeps faults as sentences, so that people can read it: how those that name an image or a value begin.
_BEGINNINGS = {
    "no file ": FaultKind.NO_FILE,
    "outside of ": FaultKind.OUTSIDE,
    "same file as ": FaultKind.SAME_FILE,
    "group ": FaultKind.GROUP_IN_TWO_SPLITS,
    "skin tone ": FaultKind.SKIN_TONE,
    "split ": FaultKind.SPLIT,
    "mask: ": FaultKind.MASK,
    "looks like ": FaultKind.LOOK_ALIKE,
    "excluded: ": FaultKind.EXCLUDED,
}
_VALUES = re.compile(r"^[0-9,]+( x [0-9,]+)?(?= (megapixels|pixels))")


def split_of(seed: int, group: str, fractions: Mapping[Split, float]) -> Split:
    """The split of a group: a hash of the manifest's seed and the group, as a point among the fractions."""
    point = fraction_from(seed, "split", group)
    names = [name for name in SPLITS if name in fractions]
    for name in names:
        point -= fractions[name]
        if point < 0:
            return name
    return names[-1]


@dataclass(frozen=True, slots=True)
class Source:
    """One real image.

    Attributes:
        id: Unique in the index; ``[a-z0-9-]`` only.
        label: A label of the manifest.
        tone: On the manifest's scale; 0 is unknown.
        group: What has to stay in one split: a patient, a lesion, or the image alone.
        split: ``train``, ``validation`` or ``test``.
        license: Its licence; empty where nothing says it.
        dataset: The dataset that it is from.
        location: Where its source finds it again.
        mask: Where its source finds its mask; empty for none.
        sha256: Of the file's bytes, in hex; empty until it was opened.
        width: In pixels; 0 until it was opened.
        height: In pixels; 0 until it was opened.
        fault: Why it can't be used; empty where it can.
        mask_sha256: Of the mask's bytes, in hex; empty where there is none, or it was not opened.
        caption: What a column says of it in words; empty where none does.
        attributes: What else is known of it, as JSON: age, sex, site or whatever columns say; empty for nothing.
        marks: What its file says of how it came to be, as of :func:`~synthgen.vision.images.marks.marks`, with commas
            between; empty for nothing, and until it was opened. No image and no digest depends on it.
    """

    id: str
    label: str
    tone: int
    group: str
    split: str
    license: str
    dataset: str
    location: str
    mask: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    fault: str = ""
    mask_sha256: str = ""
    caption: str = ""
    attributes: str = ""
    marks: str = ""

    @property
    def known_attributes(self) -> dict[str, str]:
        """What is known of it beside label and skin tone, by name; nothing that nobody knows."""
        known: dict[str, str] = json.loads(self.attributes) if self.attributes else {}
        return known

    @property
    def about(self) -> dict[str, str]:
        """What prompts may say of it beside label and skin tone: its attributes, and its ``caption``."""
        return self.known_attributes | ({"caption": self.caption} if self.caption else {})

    @property
    def fault_kind(self) -> FaultKind | None:
        """The kind of its fault; ``None`` where it has none, or one of its own."""
        kind = next((kind for begin, kind in _BEGINNINGS.items() if self.fault.startswith(begin)), None)
        return FaultKind.ANOTHER_LABEL if kind is FaultKind.SAME_FILE and ", with another label" in self.fault else kind

    @property
    def facts(self) -> list[str | int]:
        """All that an image made from it, and its record, depend on; not where it lies."""
        said: list[str | int] = [self.label, self.tone, self.group, self.split, self.license, self.dataset]
        about: list[str | int] = [self.caption, self.attributes] if self.caption or self.attributes else []
        return [self.id, self.sha256, self.mask_sha256, *said, *about]


@dataclass(frozen=True)
class Index:
    """The frozen list of a dataset's images.

    Attributes:
        sources: Every image that a label and a tone of the manifest are known of, sorted by id, bad ones included.
        left_out: How many rows are not in it, by reason.
        recipe: The digest of the settings that it was made by; empty for one that is not kept.
        excluded: Why images are taken out by ``real.exclude``, by their ids; no part of the file.
        file: Its file's name in a run, which keeps an index for each way that it has had of reading its real images.
        left_out_values: What rows were left out for, by reason, and how often; no part of the file.
        notes: What the data have that the settings make no use of, a line each; no part of the file.
    """

    sources: tuple[Source, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    recipe: str = ""
    excluded: Mapping[str, str] = field(default_factory=dict)
    file: str = FILE
    left_out_values: Mapping[str, Mapping[str, int]] = field(default_factory=dict, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def without(self, excluded: Mapping[str, str]) -> Self:
        """The index in which some images can't be used: why, by their ids."""
        if not excluded:
            return self
        sources = tuple(
            replace(one, fault=f"excluded: {excluded[one.id]}") if one.id in excluded and not one.fault else one
            for one in self.sources
        )
        return replace(self, sources=sources, excluded=dict(excluded))

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, of all that an image made from a usable source depends on; not of where it lies."""
        digest = hashlib.sha256()
        for one in self.sources:
            if not one.fault:
                digest.update(json.dumps(one.facts).encode() + b"\n")
        return digest.hexdigest()

    def usable(self, split: str) -> tuple[Source, ...]:
        """The images of a split that have no fault, sorted by id."""
        return self._usable.get(split, ())

    def counts(self, split: str) -> Counter[tuple[str, int]]:
        """How many usable images of a split each label and tone has; 0 where there is none."""
        return Counter((source.label, source.tone) for source in self.usable(split))

    @cached_property
    def faults(self) -> dict[str, int]:
        """How many images can't be used, by reason, the most frequent first; a reason names no image."""
        return dict(Counter(reason_of(source) for source in self.sources if source.fault).most_common())

    @cached_property
    def marked(self) -> dict[str, int]:
        """How many usable images carry each mark of how they came to be, the most frequent first."""
        found = (one.marks.split(",") for one in self.sources if one.marks and not one.fault)
        return dict(Counter(mark for several in found for mark in several).most_common())

    def account(self) -> dict[str, dict[str, int]]:
        """How many images are usable, by split; and how many rows are left out and images at fault, by reason."""
        usable: dict[str, int] = {split: len(self.usable(split)) for split in SPLITS}
        return {"usable": usable, "left_out": dict(self.left_out), "faults": self.faults}

    def write(self, path: Path, *, sealed: bool = True) -> None:
        """Write the index as Parquet, whole or not at all; the same index gives the same bytes.

        Args:
            path: Where.
            sealed: Whether it holds its own sha256; that of a dataset is in its provenance.
        """
        import pyarrow as pa

        left_out = json.dumps(dict(sorted(self.left_out.items())))
        schema = _schema(name for name in _LATER if any(getattr(source, name) for source in self.sources))
        arrays = [pa.array([getattr(source, one.name) for source in self.sources], one.type) for one in schema]
        table = pa.Table.from_arrays(arrays, schema=schema)
        table_file.write(path, table, {"left_out": left_out, "recipe": self.recipe}, sealed=sealed)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The index that a file holds.

        Raises:
            DamagedError: The file can't be read, or is no index.
        """
        with table_file.reading(path, "not an index of real images", "remove it to index again"):
            table, said = table_file.read(path)
            left_out = json.loads(said["left_out"])
            names = table.column_names
            if not table.schema.equals(_schema(_LATER & {*names})) or any(one.null_count for one in table.columns):
                raise ValueError("other columns")
            rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
            found = tuple(Source(**dict(zip(names, row, strict=True))) for row in rows)
            return cls(found, left_out, said["recipe"])

    @cached_property
    def _usable(self) -> dict[str, tuple[Source, ...]]:
        sound = [source for source in self.sources if not source.fault]
        return {split: tuple(source for source in sound if source.split == split) for split in SPLITS}


def reason_of(source: Source) -> str:
    """A fault without what it says of one image alone: names, values and sizes."""
    return str(source.fault_kind or _VALUES.sub("...", source.fault))


def _schema(later: Iterable[str]) -> Any:
    """The columns of an index, and those that came later, which are there where any image has something in them."""
    import pyarrow as pa

    kept = {*later}
    named = [one for one in fields(Source) if one.name in kept or one.name not in _LATER]
    return pa.schema([(one.name, pa.int64() if one.type is int else pa.string()) for one in named])
