"""Finds what could name a person in a dataset: real images' own names, numbers, dates, addresses, paths of a home.

Not a tool such as Presidio, which finds names in prose by a language model: what leaks here are columns of codes.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import yaml_documents
from synthgen.errors import DamagedError, ManifestError
from synthgen.plan.source_names import is_counted, is_pseudonym
from synthgen.runs import dataset_folder as layout
from synthgen.runs.pseudonyms import PSEUDONYM

_DRAWN = "phantom"  # the source whose images are of nobody
_NAMES = {layout.METADATA: ("source_id", "source_group"), layout.SOURCES: ("id", "group", "location", "mask")}
_FREE = ("prompt", "negative_prompt", "attributes", "source_dataset", "dataset")
_TEXTS = (layout.CARD, layout.MANIFEST, layout.PROMPTS, layout.PROVENANCE, layout.CROISSANT)
_NUMBER = {
    "what looks like dates": re.compile(
        r"(?<!\d)(?:19|20)\d\d([-_./]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)"
    ),
    "what looks like patients' numbers": re.compile(r"(?i)(?:mrn|patient|pat|pid|hosp)[-_ :#]?\d{3,}|\d{6,}"),
}
_ANYWHERE = {
    "DICOM UIDs": re.compile(r"(?<![\w.])[0-2](?:\.\d+){6,}(?![\w.])"),
    "e-mail addresses": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "what looks like phone numbers": re.compile(r"(?<![\w+])\+\d[\d ()/-]{7,}\d"),
    "medical record numbers": re.compile(r"(?i)\bmrn[-_ :#]{0,2}\d{3,}"),
    "dates of birth": re.compile(r"(?i)\b(?:dob|date of birth|born)\W{0,3}\d[\d./-]{5,}"),
    "paths of somebody's home": re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\Users\\)[^/\\\s\"']+"),
}
_OWN_NAME = "own names of real images"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What could name a person, in one column or file.

    Attributes:
        column: The column, or the file.
        kind: What they are, or look like.
        count: How many different values do.
        example: The beginning of one of them.
    """

    column: str
    kind: str
    count: int
    example: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.column}: {self.kind}, {self.count:,} of them, such as `{self.example}`"


def find(root: Path) -> list[Sighting]:
    """What could name a person in a packed dataset: its tables, its texts and the names of its files.

    Drawn images are of nobody, so their names don't count, and neither do pseudonyms where it is known that they are.
    Damage is left to the check of the files.
    """
    found = list[Sighting]()
    provenance, document = layout.read_provenance(root), _manifest(root)
    name_nobody = _Nobody(document, pseudonyms=provenance.get("identifiers") == PSEUDONYM)
    for file, names in _NAMES.items():
        found += _in_table(root / file, names, name_nobody)
    for name in _TEXTS:
        if (root / name).is_file():
            text = (root / name).read_bytes().decode(errors="replace")
            found += _sightings(name, [text], _ANYWHERE)
    found += _sightings("file names", list(provenance["files"]), _ANYWHERE)
    pools = {one for facts in provenance.get("adapters", {}).values() for one in facts.get("pool") or ()}
    return found + list(_of_names("adapters", sorted(map(str, pools)), name_nobody))


def unknown_licences(root: Path) -> list[Sighting]:
    """The datasets of real images that images were made from and whose licence nothing says."""
    sources = layout.read_provenance(root).get("sources", [])
    names = [str(one.get("dataset") or "unnamed") for one in sources if one.get("license") in ("", "unknown", None)]
    return (
        [Sighting("source_license", "datasets of real images whose licence nothing says", len(names), names[0])]
        if names
        else []
    )


def _manifest(root: Path) -> dict[str, Any]:
    """The manifest as written; empty where it can't be read."""
    try:
        return dict(yaml_documents.parse(yaml_documents.read_text(root / layout.MANIFEST), layout.MANIFEST, kept=True))
    except ManifestError:
        return {}


class _Nobody:
    """Tells whether a name is nobody's: a drawn image's, a running number, or a pseudonym.

    Args:
        document: The dataset's manifest.
        pseudonyms: Whether the dataset says that names of real images are pseudonyms.
    """

    def __init__(self, document: dict[str, Any], *, pseudonyms: bool) -> None:
        real, labels = document.get("real"), document.get("labels")
        self._drawn = isinstance(real, dict) and real.get("source") == _DRAWN
        self._labels: Collection[str] = labels if isinstance(labels, dict) else ()
        self._pseudonyms = pseudonyms

    def __call__(self, name: str, names: int) -> bool:
        """Whether a name is, which is one of so many."""
        renamed = self._pseudonyms and is_pseudonym(name)
        return self._drawn or renamed or is_counted(name, names, self._labels)


def _in_table(path: Path, names: Iterable[str], name_nobody: Callable[[str, int], bool]) -> Iterator[Sighting]:
    for column, values in _columns(path, (*names, *_FREE)):
        if column in _FREE:
            yield from _sightings(column, values, _ANYWHERE)
        else:
            yield from _of_names(column, values, name_nobody)


def _columns(path: Path, wanted: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """The different texts of each column that is there."""
    import pyarrow
    from pyarrow import compute, parquet

    if not path.is_file():
        return
    try:
        with parquet.ParquetFile(path) as file:
            for name in wanted:
                if name in file.schema_arrow.names:
                    values: Any = compute.unique(file.read([name]).column(0))
                    yield name, sorted(str(value) for value in values.to_pylist() if value)
    except (pyarrow.ArrowException, OSError) as error:
        raise DamagedError(f"{path}: can't be read ({error}); run `synthgen verify`") from None


def _of_names(column: str, values: list[str], name_nobody: Callable[[str, int], bool]) -> Iterator[Sighting]:
    """The names of real images or groups: each counts, under the gravest thing that it looks like."""
    named = [value for value in values if not name_nobody(value, len(values))]
    left = named
    for kind, pattern in (_ANYWHERE | _NUMBER).items():
        alike = [value for value in left if pattern.search(value)]
        left = [value for value in left if not pattern.search(value)]
        if alike:
            yield Sighting(column, kind, len(alike), _beginning(alike[0]))
    if left:
        yield Sighting(column, _OWN_NAME, len(left), _beginning(left[0]))


def _sightings(column: str, values: list[str], kinds: dict[str, re.Pattern[str]]) -> Iterator[Sighting]:
    for kind, pattern in kinds.items():
        alike = {match[0] for value in values for match in pattern.finditer(value)}
        if alike:
            yield Sighting(column, kind, len(alike), _beginning(min(alike)))


def _beginning(value: str) -> str:
    """Enough of a value to know it by, and no more: it goes into logs."""
    shown = value if len(value) <= 3 else f"{value[: min(6, len(value) - 2)]}…"
    return json.dumps(shown, ensure_ascii=False)[1:-1]
