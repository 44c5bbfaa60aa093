"""Names under ``real.exclude`` that no real image has: each is refused, unless it is known whose it is, or was."""

import difflib
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from synthgen.errors import Fault, InputError, SynthgenError
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.plan.real_index import Source
from synthgen.real.indexing.splits import slug
from synthgen.real.sources import SourceRow, known
from synthgen.real.sources._promised import open_source

_WHERE = "real.exclude"
_OTHER = {"ids": "groups", "groups": "ids"}
_ONE = {"ids": "image", "groups": "group", "file": "image and no group"}
_KIND = {"ids": "an image", "groups": "a group"}
_log = logging.getLogger(__name__)
There = Mapping[str, Mapping[str, Sequence[Source]]]
"""The images that each name takes out, for each of the keys."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A name that no image of the index has.

    Attributes:
        key: Under which key it stands: ``ids``, ``groups`` or ``file``.
        place: Where it is written, as ``ids[0]``.
        name: The name.
        spelt: All ways in which an index or metadata may write it.
    """

    key: str
    place: str
    name: str
    spelt: tuple[str, ...]


@dataclass(slots=True)
class _Elsewhere:
    """Names that metadata, or other indexes of the run, have beside those of its images.

    Attributes:
        idle: Those of images that are not here or start nothing, by the key that they belong under.
        columns: Those in the metadata of images that are here, by the column.
    """

    idle: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    columns: dict[str, str] = field(default_factory=dict)

    def is_idle(self, one: Unmatched, key: str) -> bool:
        """Whether a name is of nobody who could stay in."""
        return any(not self.idle[other].isdisjoint(one.spelt) for other in (_OTHER if key == "file" else (key,)))


def check(
    unmatched: Sequence[Unmatched],
    there: There,
    source: str,
    settings: SourceSettings,
    base: Path,
    *,
    former: Iterable[Source] = (),
) -> None:
    """Refuse names that no real image has: whoever they mean would stay in.

    A name under the wrong key is refused by the right one. So is one that the metadata have now for an image that the
    index has under another. A name is no mistake that a row has which starts nothing, as for want of a label, or that
    an image had which the run has known and has no more. A file may list whoever withdrew, also from other data, so a
    name in it is refused only where an image here has it in another column, or another name differs from it in upper
    and lower case alone. Where the metadata can't be read, what they alone would tell is a line in the log.

    Args:
        unmatched: The names.
        there: The names that there are.
        source: The name of the plug-in that reads the images.
        settings: Its settings.
        base: The folder that relative paths start from.
        former: Real images that the run has known under another ``real:`` block.

    Raises:
        InputError: There are such names; a line for each says which one may be meant.
    """
    if not unmatched:
        return
    found = _Elsewhere()
    here = {one.sha256 for those in there["ids"].values() for one in those if _is_usable([one])}
    for one in former:
        if not one.sha256 or one.sha256 not in here:
            found.idle["ids"] |= {one.id, *_of_file(one.location)}
            found.idle["groups"].add(one.group)
    try:
        for row in open_source(source, settings, base, None).rows():
            _add_row(found, row, there["ids"], settings)
        is_read = True
    except (SynthgenError, OSError):
        is_read = False
    faults, left = list[Fault](), list[Unmatched]()
    for name in unmatched:
        if fault := _misplaced(name, there, found):
            faults.append(fault)
        elif not found.is_idle(name, name.key):
            left.append(name)
    faults += [fault for one in left if (fault := _misspelt(one, there, strict=is_read))]
    if faults:
        raise InputError(*faults)
    for key in dict.fromkeys(one.key for one in left):
        names = [one.name for one in left if one.key == key]
        said = "%s.%s: %d of its names are of no real image here: %s"
        _log.warning(said, _WHERE, key, len(names), _shown(names))


def _misplaced(one: Unmatched, there: There, found: _Elsewhere) -> Fault | None:
    """What is wrong with a name that belongs under another key; ``None`` where it belongs under none."""
    other = _OTHER.get(one.key)
    if other and any(name in there[other] for name in one.spelt):
        return _at(one, f"`{one.name}` is {_KIND[other]}, and no {_ONE[one.key]}", other)
    if column := next((found.columns[name] for name in one.spelt if name in found.columns), None):
        said = f"no {_ONE[one.key]} of these data is called `{one.name}`, which rows have as `{column}`"
        return _at(one, said, f"where: {{{column}: [...]}}")
    if other and not found.is_idle(one, one.key) and found.is_idle(one, other):
        return _at(one, f"`{one.name}` is {_KIND[other]}, and no {_ONE[one.key]}", other)
    return None


def _at(one: Unmatched, said: str, key: str) -> Fault:
    return Fault.at(f"{_WHERE}.{one.place}", f"{said}; write it under `{key}`", "not_found")


def _misspelt(one: Unmatched, there: There, *, strict: bool) -> Fault | None:
    """What is wrong with a name; ``None`` where it may be of somebody who is not in these data."""
    names, other = there[one.key], _OTHER.get(one.key, one.key)
    same = _same(one, names)
    elsewhere = [] if same else _same(one, there[other])
    if not same and not elsewhere and (one.key == "file" or not strict):
        return None
    meant = same or elsewhere or difflib.get_close_matches(one.name, names, n=1)
    if meant:
        said = f"did you mean `{meant[0]}`" + (f" under `{other}`?" if elsewhere else "?")
    else:
        said = f"there are {_shown(sorted(names))}" if names else "there are none"
    text = f"no {_ONE[one.key]} of these data is called `{one.name}`; {said}"
    return Fault.at(f"{_WHERE}.{one.place}", text, "not_found")


def _same(one: Unmatched, names: Collection[str]) -> list[str]:
    """The names that differ in upper and lower case alone."""
    folded = one.name.casefold()
    return sorted(name for name in names if name.casefold() == folded)


def _add_row(
    found: _Elsewhere, row: SourceRow, images: Mapping[str, Sequence[Source]], settings: SourceSettings
) -> None:
    """Add every name that a row's image would have in an index: its id, its file and its groups."""
    groups, column = settings.columns.group, settings.columns.id
    name = (known(row.values.get(column)) if column else "") or ""
    image = slug(name or row.stem)
    filed = [(one, known(row.values.get(one))) for one in ([groups] if isinstance(groups, str) else groups or [])]
    if not _is_usable(images.get(row.location) or images.get(image, ())):
        found.idle["ids"] |= {image, *_of_file(row.location)}
        found.idle["groups"] |= {value for _, value in filed if value}
        return
    where = settings.exclude.where if settings.exclude else {}
    for one, value in [*filed, (column or "", name)]:
        if value and value in where.get(one, ()):
            found.idle["ids" if one == column else "groups"] |= {value, slug(value)}
        elif value:
            found.columns |= {value: one} | ({image: one} if one == column else {})


def _is_usable(images: Iterable[Source]) -> bool:
    return any(not one.fault for one in images)


def _of_file(location: str) -> Iterator[str]:
    file = PurePosixPath(location)
    yield from (location, file.name, file.stem)


def _shown(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:3]) + (" ..." if len(names) > 3 else "")
