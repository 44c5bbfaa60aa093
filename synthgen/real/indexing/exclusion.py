"""Finds the images of an index that ``real.exclude`` takes out; none is opened."""

import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from synthgen.core import digits, paths
from synthgen.core.yaml_documents import near
from synthgen.errors import Fault, InputError
from synthgen.plan.manifest.exclude import Exclude
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.plan.real_index import Index, Source
from synthgen.real.indexing import cell_values
from synthgen.real.indexing.misnamed import Unmatched
from synthgen.real.indexing.rows import is_among, meant
from synthgen.real.indexing.splits import slug
from synthgen.real.sources import SourceRow, known, text
from synthgen.real.sources._promised import open_source

_WHERE = "real.exclude"
_log = logging.getLogger(__name__)


Groups = Mapping[str, Sequence[Source]]
"""Images by the names of their groups."""


def groups_of(index: Index) -> Groups:
    """The images of each group as the index names it."""
    found = defaultdict[str, list[Source]](list)
    for one in index.sources:
        found[one.group].append(one)
    return dict(found)


def groups_as_filed(index: Index, source: str, settings: SourceSettings, base: Path) -> Groups:
    """The images of each group as the metadata name it: the index has look-alikes of several groups under one name.

    Raises:
        InputError: The metadata can't be read.
    """
    columns = settings.columns.group
    names = [columns] if isinstance(columns, str) else columns or []
    found, images_of = defaultdict[str, list[Source]](list), _Rows(index, settings)
    for row in open_source(source, settings, base, None).rows() if names else ():
        if group := next(filter(None, (known(row.values.get(name)) for name in names)), ""):
            found[group] += images_of(row)
    return dict(found)


@dataclass(frozen=True, slots=True)
class Named:
    """What ids, groups and a file of both name.

    Attributes:
        excluded: Why each image is taken out, by id.
        unmatched: The names that no image has.
        there: The images of each name, for each key.
    """

    excluded: Mapping[str, str]
    unmatched: Sequence[Unmatched]
    there: Mapping[str, Mapping[str, Sequence[Source]]]


def named(index: Index, exclude: Exclude, settings: SourceSettings, base: Path, by_group: Groups) -> Named:
    """The images that ids, groups and the file name.

    Raises:
        InputError: The file can't be read.
    """
    images = _by_name(index, settings)
    either = {name: [*images.get(name, ()), *by_group.get(name, ())] for name in {*images, *by_group}}
    known_by: dict[str, Mapping[str, Sequence[Source]]] = {"ids": images, "groups": by_group, "file": either}
    asked = [
        (key, f"{key}[{number}]", name)
        for key in ("ids", "groups")
        for number, name in enumerate(getattr(exclude, key))
    ]
    asked += [("file", "file", name) for name in _filed(exclude, base)]
    found, unmatched = dict[str, str](), list[Unmatched]()
    for key, place, name in asked:
        spelt = (name, slug(name), *_in_folder(name, settings, base))
        asked_of = spelt[:2] if key == "groups" else spelt
        those = [one.id for other in asked_of for one in known_by[key].get(other, ())]
        found |= dict.fromkeys(those, f"{key} {name}")
        if not those:
            unmatched.append(Unmatched(key, place, name, spelt))
    return Named(dict(sorted(found.items())), unmatched, known_by)


def _filed(exclude: Exclude, base: Path) -> list[str]:
    """The names in the file, a line each.

    Raises:
        InputError: It can't be read.
    """
    if exclude.file is None:
        return []
    path = base / paths.expanded(exclude.file, "real.exclude.file")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text in UTF-8"
        raise InputError(Fault.at(f"{_WHERE}.file", f"{path}: can't be read: {reason}", "unreadable")) from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _in_folder(name: str, settings: SourceSettings, base: Path) -> Iterator[str]:
    """What a path of a file in the folder of real images is in it, written whole, from the manifest, or with ``./``."""
    path = getattr(settings, "path", None)
    if not isinstance(path, str):
        return
    folder = Path(os.path.normpath((base / paths.expanded(path, "real.path")).absolute()))
    written = name.replace("\\", "/")
    for start in (folder, folder.parent, base.absolute()):
        for root in dict.fromkeys((folder, folder.resolve())):
            whole = Path(os.path.normpath(start / written))
            if whole.is_relative_to(root) and whole != root:
                yield whole.relative_to(root).as_posix()


def ruled(index: Index, exclude: Exclude, source: str, settings: SourceSettings, base: Path) -> dict[str, str]:
    """The images of rows that the rules on metadata columns name, as of :func:`named`; reads the metadata.

    Where an index says no place of a row's image, all images of that row's name are taken out.

    Raises:
        InputError: The metadata can't be read, or lack a column.
    """
    if not exclude.where:
        return {}
    reader = open_source(source, settings, base, None)
    faults = [
        Fault.at(f"{_WHERE}.where.{name}", f"no column `{name}`; {near(name, reader.columns)}", "not_found")
        for name in exclude.where
        if name not in reader.columns
    ]
    if faults:
        raise InputError(*faults)
    rules = {column: {value: _meant(value) for value in values} for column, values in exclude.where.items()}
    among = {column: frozenset[str]().union(*values.values()) for column, values in rules.items()}
    found, images_of = dict[str, str](), _Rows(index, settings)
    for row in reader.rows():
        named = [column for column in rules if is_among(row.values.get(column), among[column])]
        for column in named:
            value = row.values.get(column)
            rules[column] = {one: meaning for one, meaning in rules[column].items() if not is_among(value, meaning)}
        if named:
            why = f"where {named[0]}: {text(row.values.get(named[0]))}"
            found |= dict.fromkeys([one.id for one in images_of(row)], why)
    for column, unseen in rules.items():
        if unseen:
            said = "%s.where.%s: %d of its values are in no row: %s"
            _log.warning(said, _WHERE, column, len(unseen), _shown(list(unseen)))
    return dict(sorted(found.items()))


def with_copies(index: Index, found: Mapping[str, str]) -> dict[str, str]:
    """The images that are taken out, and those that are the same bytes or lie in the same file: why, by their ids.

    A person who withdraws is out under every name that a photograph of theirs has. Bytes are known of images that were
    opened, which a dry run has not done.
    """
    held = dict(sorted(found.items()))
    places, contents = dict[str, str](), dict[str, str]()
    todo = [one for one in index.sources if one.id in held]
    rest = [one for one in index.sources if one.id not in held]
    while todo:
        for one in todo:
            for known_of, value in ((places, one.location), (contents, one.sha256)):
                if value:
                    known_of.setdefault(value, one.id)
        first = {one.id: places.get(one.location) or contents.get(one.sha256) for one in rest}
        todo = [one for one in rest if first[one.id]]
        rest = [one for one in rest if not first[one.id]]
        held |= {one.id: f"{held[str(first[one.id])]} (same file as {first[one.id]})" for one in todo}
    return dict(sorted(held.items()))


class _Rows:
    """Finds the images of a row of the metadata in an index.

    Args:
        index: The index.
        settings: How the metadata are read.
    """

    def __init__(self, index: Index, settings: SourceSettings) -> None:
        self._id = settings.columns.id
        self._by_place = defaultdict[str, list[Source]](list)
        self._by_name = _by_id(index, settings)
        for one in index.sources:
            self._by_place[one.location].append(one)

    def __call__(self, row: SourceRow) -> Sequence[Source]:
        """The images that lie where the row says, or else all of the row's name."""
        if there := self._by_place.get(row.location):
            return there
        return self._by_name.get(slug((known(row.values.get(self._id)) if self._id else "") or row.stem), [])


def _meant(value: str) -> frozenset[str]:
    """What a value of a rule means: as of ``real.where``, and of a whole number every way to write it."""
    return meant([value, cell_values.number(value) or value])


def _shown(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:3]) + (" ..." if len(names) > 3 else "")


def _by_id(index: Index, settings: SourceSettings) -> dict[str, list[Source]]:
    """Images by id, and by the name that metadata give to several of them: of these all but the first are ``NAME-N``.

    Where no column names images, one whose file has the whole of its id for a name is the only one of that name.
    """
    found = {one.id: [one] for one in index.sources}
    for one in index.sources:
        name, _, number = one.id.rpartition("-")
        of_file = not settings.columns.id and slug(PurePosixPath(one.location).stem) == one.id
        if name in found and (digits.whole(number) or 0) > 1 and not of_file:
            found[name].append(one)
    return found


def _by_name(index: Index, settings: SourceSettings) -> dict[str, list[Source]]:
    """Images by id, and by the file that they lie in, with and without its ending."""
    found = defaultdict(list, _by_id(index, settings))
    for one in index.sources:
        file = PurePosixPath(one.location)
        for name in dict.fromkeys((one.location, file.name, file.stem)):
            found[name].append(one)
    return dict(found)
