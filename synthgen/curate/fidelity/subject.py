"""What a fidelity report is about: a run or a packed dataset, its real images, and what its rules keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.curate.fidelity import judged, reals

if TYPE_CHECKING:
    from pathlib import Path

    from synthgen.curate.fidelity.judged import Judged
    from synthgen.curate.fidelity.reals import Reals
    from synthgen.doors import Doors
    from synthgen.plan import Plan


@dataclass(frozen=True)
class Subject:
    """A folder of generated images, and what they are held against.

    Attributes:
        root: The folder.
        plan: The plan that it follows.
        reals: The real images.
        judged: What its verdicts say.
    """

    root: Path
    plan: Plan
    reals: Reals
    judged: Judged


def read(root: Path, doors: Doors, progress: Callable[[int, int], None]) -> Subject:
    """Read a folder's plan, real images and verdicts.

    Raises:
        InputError: The folder is neither a run nor a dataset, or its real images can't be had.
        DamagedError: A file of it can't be read.
    """
    plan, found = reals.find(root, doors, progress)
    return Subject(root, plan, found, judged.read(root, plan))
