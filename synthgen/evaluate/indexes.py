"""Finds the frozen index of a study's real images, so that an image has one name in the run and in its study."""

from collections.abc import Callable, Sequence
from pathlib import Path

from synthgen import planning, real
from synthgen.errors import PlanMismatchError
from synthgen.evaluate import places
from synthgen.manifest import Manifest, RealImages
from synthgen.real import Index


def find(
    read: Manifest, images: RealImages, root: Path | None, out: Path, progress: Callable[[int, int], None]
) -> tuple[Index, Path]:
    """The index of real images, and the folder that keeps it: the run's own where it has one, or else the report's.

    Args:
        read: The manifest.
        images: Where its real images come from.
        root: The run or dataset of synthetic images; ``None`` for none.
        out: The report's folder.
        progress: Told how many images have been opened, and of how many.

    Raises:
        PlanMismatchError: The study's own run, or report, has indexed other real images.
        InputError: The real images can't be had.
    """
    for home in _homes(root):
        try:
            return planning.index(read, images, home, progress), home
        except PlanMismatchError:
            if places.name_of(home) == read.document.name:
                raise
            continue  # the synthetic images are of another study, which has other real images
    home = out / "real"
    return planning.index(read, images, home, progress), home


def _homes(root: Path | None) -> Sequence[Path]:
    """The folders of runs that may have indexed the same real images: the run itself, or the one beside a dataset."""
    found = [] if root is None else [root, root.parent / "work"]
    return [home for home in found if (home / "run.json").is_file() and (home / real.FILE).is_file()]
