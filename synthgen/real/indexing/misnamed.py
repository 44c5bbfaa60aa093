"""Names under ``real.exclude`` that no real image has: each is refused, unless it is known whose it is, or was."""

import difflib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from synthgen.errors import Fault, InputError, SynthgenError
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.plan.real_index import Source
from synthgen.real.indexing.splits import slug
from synthgen.real.sources import SourceRow, known
from synthgen.real.sources._promised import open_source

_WHERE = "real.exclude"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A name that no image of the index has.

    Attributes:
        key: Under which key it stands: ``ids``, ``groups`` or ``file``.
        place: Where it is written, as ``ids[0]``.
        name: The name.
    """

    key: str
    place: str
    name: str


def check(
    unmatched: Sequence[Unmatched],
    there: Mapping[str, Collection[str]],
    source: str,
    settings: SourceSettings,
    base: Path,
    *,
    former: Iterable[Source] = (),
) -> None:
    """Refuse names that no real image has: whoever they mean would stay in.

    A name is no mistake that a row has which starts nothing, as for want of a label, or that an image had which the run
    has known. A file may list whoever withdrew, also from other data, so a name in it is refused only where another
    differs from it in upper and lower case alone. Where the metadata can't be read, all of this is a line in the log.

    Args:
        unmatched: The names.
        there: The names that there are, for each of the keys.
        source: The name of the plug-in that reads the images.
        settings: Its settings.
        base: The folder that relative paths start from.
        former: Real images that the run has known under another ``real:`` block.

    Raises:
        InputError: There are such names; a line for each says which one may be meant.
    """
    if not unmatched:
        return
    gone = {name for one in former for name in (one.id, one.group, *_of_file(one.location))}
    try:
        rows = {name for row in open_source(source, settings, base, None).rows() for name in _of_row(row, settings)}
    except (SynthgenError, OSError):
        rows = None
    left = [one for one in unmatched if not {one.name, slug(one.name)} & (gone | (rows or set()))]
    faults = [fault for one in left if (fault := _fault(one, there[one.key], strict=rows is not None))]
    if faults:
        raise InputError(*faults)
    for key in dict.fromkeys(one.key for one in left):
        names = [one.name for one in left if one.key == key]
        said = "%s.%s: %d of its names are of no real image here: %s"
        _log.warning(said, _WHERE, key, len(names), _shown(names))


def _fault(one: Unmatched, names: Collection[str], *, strict: bool) -> Fault | None:
    """What is wrong with a name; ``None`` where it may be of somebody who is not in these data."""
    folded = one.name.casefold()
    same = sorted(name for name in names if name.casefold() == folded)
    if not same and (one.key == "file" or not strict):
        return None
    meant = same or difflib.get_close_matches(one.name, names, n=1)
    what = {"ids": "image", "groups": "group"}.get(one.key, "image and no group")
    if meant:
        said = f"did you mean `{meant[0]}`?"
    else:
        said = f"there are {_shown(sorted(names))}" if names else "there are none"
    return Fault.at(f"{_WHERE}.{one.place}", f"no {what} of these data is called `{one.name}`; {said}", "not_found")


def _of_row(row: SourceRow, settings: SourceSettings) -> Iterable[str]:
    """Every name that a row's image would have in the index: its id, its file and its groups."""
    groups = settings.columns.group
    yield slug((known(row.values.get(settings.columns.id)) if settings.columns.id else "") or row.stem)
    yield from _of_file(row.location)
    for column in [groups] if isinstance(groups, str) else groups or []:
        yield from filter(None, [known(row.values.get(column))])


def _of_file(location: str) -> tuple[str, ...]:
    file = PurePosixPath(location)
    return location, file.name, file.stem


def _shown(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:3]) + (" ..." if len(names) > 3 else "")
