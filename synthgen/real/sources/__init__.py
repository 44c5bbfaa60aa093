"""Sources: a module here is one kind of place where real images are, and its name is the ``source`` in a manifest.

Plug-ins of one's own may lie elsewhere: docs/plugins/source.md. Each module has:

* a docstring whose first line is its help;
* ``Settings``, a :class:`synthgen.plan.manifest.settings.SourceSettings`, valid before anything is opened;
* ``open_source(settings, base, cache, *, labels) -> Reader``, which lists the images and reads their bytes.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from synthgen.core.plugins import PluginFolder, Promise
from synthgen.plan.manifest.settings import SourceSettings

plugins = PluginFolder(__name__, Promise({"open_source": "settings, base, cache, *, labels"}, SourceSettings))


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One image of the data, before anything about it is understood; one row of the data may hold several.

    Attributes:
        location: Where the reader finds it again.
        stem: What its id is made of where no column says it.
        values: The metadata.
        origin: What the row of the data is called: the same for all its images, whatever other rows there are.
        mask: Where the reader finds its mask; empty for none.
        fault: Why it can't be read, where that is known already.
    """

    location: str
    stem: str
    values: Mapping[str, Any]
    origin: str
    mask: str = ""
    fault: str = ""


class Reader(Protocol):
    """An opened source.

    Attributes:
        name: What records call the dataset where the manifest does not.
    """

    name: str

    @property
    def columns(self) -> Sequence[str]:
        """The metadata columns that there are."""

    def rows(self) -> Iterator[SourceRow]:
        """Every image's metadata, without decoding one; a row of the data without any image has location ``""``."""

    def keep(self, locations: Collection[str]) -> Mapping[str, str]:
        """Keep the bytes of images that can't be read in any order; returns the new locations of those moved."""

    def read(self, location: str) -> bytes:
        """The bytes of an image's or a mask's file; may be called from several threads.

        Raises:
            DamagedError: This image can't be read.
            InputError: The source can't be.
        """


class Source(Protocol):
    """What every source is."""

    Settings: type[SourceSettings]

    def open_source(self, settings: Any, base: Path, cache: Path | None, *, labels: Collection[str] = ()) -> Reader:
        """Open the source.

        Args:
            settings: This module's own ``Settings``.
            base: The folder that relative paths start from: the manifest's.
            cache: A folder to keep images in; ``None`` where only metadata is wanted.
            labels: The manifest's labels, for a source that makes its images.

        Raises:
            InputError: There is no such source, or its metadata can't be read.
        """


def text(value: object) -> str:
    """A cell of a table as text: nothing and NaN are empty, a number ``3.0`` is ``3``."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


_NOT_KNOWN = frozenset(("", "na", "n/a", "<na>", "nan", "none", "null", "unknown"))


def known(value: object) -> str:
    """A cell as text; empty too where it says in one of the usual words that nobody knows, as R's ``NA``."""
    written = text(value)
    return "" if written.casefold() in _NOT_KNOWN else written


def source(name: str) -> Source:
    """The source of that name.

    Raises:
        InputError: There is none.
    """
    return cast(Source, plugins.module(name))
