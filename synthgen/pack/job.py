"""What every process that writes parts of a dataset has to know."""

from dataclasses import dataclass
from pathlib import Path

from synthgen.manifest import Layout
from synthgen.pack.scratch import Scratch


@dataclass(frozen=True, slots=True)
class Job:
    """One dataset to write.

    Attributes:
        scratch: Where it is written.
        root: The run that its samples come from.
        layout: How it is laid out.
        labels: Its classes, in the order of their numbers.
    """

    scratch: Scratch
    root: Path
    layout: Layout
    labels: tuple[str, ...]
