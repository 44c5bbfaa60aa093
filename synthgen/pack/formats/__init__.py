"""Formats: a module here is one way to lay out a part of a dataset on disk, and its name is the ``pack.format``.

Plug-ins of one's own may lie elsewhere: docs/plugins/format.md.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol, cast

from synthgen.core.plugins import PluginFile, PluginFolder, Promise
from synthgen.pack.read_sample import PackedRecord, Placed
from synthgen.pack.scratch import PackJob
from synthgen.pack.shard_plan import Part
from synthgen.plan.manifest import Layout
from synthgen.plan.manifest.schema import AUTO

plugins = PluginFolder(__name__, Promise({"shard": "part", "pattern": "split", "write": "job, part, samples"}))


class Format(Protocol):
    """What every format is."""

    def shard(self, part: Part) -> str:
        """Where a part lies in the dataset's folder: one file, under ``data/``."""

    def pattern(self, split: str) -> str:
        """The paths of all parts of a split, as the card tells them to `datasets`."""

    def write(self, job: PackJob, part: Part, samples: Iterator[PackedRecord]) -> Iterator[Placed]:
        """Write a part's samples, durably once it is run to its end; yields where each lies."""


def check(layout: Layout, files: Iterable[PluginFile] = ()) -> None:
    """Refuse a format that there is none of; ``auto`` is one that there is.

    Args:
        layout: The format.
        files: The plug-in files that the manifest names.

    Raises:
        InputError: There is none.
    """
    if layout != AUTO:
        plugins.with_files(files).module(layout)


def find(layout: Layout) -> Format:
    """The format of that name.

    Raises:
        InputError: There is none.
    """
    return cast(Format, plugins.module(layout))
