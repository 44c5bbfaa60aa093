"""How a part of a dataset is laid out on disk: one file is one layout, under the name it has in the manifest."""

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

from synthgen.pack.read_sample import PackedRecord, Placed
from synthgen.pack.scratch import PackJob
from synthgen.pack.shard_plan import Part
from synthgen.plan.manifest import Layout


class Format(Protocol):
    """What each layout promises."""

    def shard(self, part: Part) -> str:
        """Where a part lies in the dataset's folder."""

    def write(self, job: PackJob, part: Part, samples: Iterator[PackedRecord]) -> Iterator[Placed]:
        """Write a part's samples, durably once it is run to its end; yields where each lies."""


def find(layout: Layout) -> Format:
    """The layout of that name."""
    return cast("Format", import_module(f"{__name__}.{layout}"))
