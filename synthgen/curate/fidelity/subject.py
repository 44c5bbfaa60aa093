"""What a fidelity report is about: a run or a packed dataset, its real images, and what its rules keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.errors import IncompleteError, InputError
from synthgen.plan import Plan
from synthgen.plan.real_index import Index, Source
from synthgen.real import indexing
from synthgen.runs import dataset_folder, finished_shards, load_plan, run_folder, verdicts

if TYPE_CHECKING:
    from synthgen.plan.manifest.settings import Extensions

_DRAWN = "phantom"  # the source whose images are no photographs


@dataclass(frozen=True)
class Reals:
    """Real images, and what reads them.

    Attributes:
        scale: The skin-tone scale of their tones.
        index: Their index; ``None`` where there are none.
        read: The bytes of one.
        photographs: Whether they are photographs, not drawn.
        reason: Why there are none; empty where there are.
    """

    scale: str
    index: Index | None
    read: Callable[[Source], bytes]
    photographs: bool
    reason: str = ""

    def of(self, split: str) -> tuple[Source, ...]:
        """The usable images of a split."""
        return self.index.usable(split) if self.index else ()


def find(root: Path, doors: Extensions, progress: Callable[[int, int], None]) -> tuple[Plan, Reals]:
    """The plan of a run or a packed dataset, and the real images of its manifest.

    A run that starts from no real image has not indexed them yet: they are now, into its own ``sources.parquet``. A
    packed dataset keeps none, so those of the run beside it are taken (``work``), where it was packed from that.

    Raises:
        InputError: The folder is neither, or its real images can't be had.
    """
    if not run_folder.is_run(root) and not dataset_folder.is_dataset(root):
        raise InputError(f"{root}: neither a run (run.json) nor a packed dataset (provenance.json)")
    if not run_folder.is_run(root):
        plan = dataset_folder.read_plan(root, doors)
        beside = root.resolve().parent / "work"
        if not run_folder.is_run(beside) or run_folder.read_plan(beside, doors).digest != plan.digest:
            return plan, _none(plan, "a packed dataset keeps no real images; give the run that it was packed from")
        root = beside
    plan = run_folder.read_plan(root, doors)
    images = plan.manifest.real
    if images is None:
        return plan, _none(plan, "the manifest names no real images (`real:`)")
    index = load_plan.index(plan.manifest, images, root, progress)
    read = indexing.open_images(images.source, images.settings, plan.manifest.base, root)
    return plan, Reals(plan.manifest.document.skin_tones.scale, index, read, images.source != _DRAWN)


def _none(plan: Plan, reason: str) -> Reals:
    def read(source: Source) -> bytes:
        raise InputError(f"real image {source.id}: {reason}")

    return Reals(plan.manifest.document.skin_tones.scale, None, read, False, reason)


@dataclass(frozen=True)
class Judged:
    """What verdicts say.

    Attributes:
        accepted: The keys of images that are kept; ``None`` where nothing is judged.
        reason: Why nothing is, where the manifest asks for it; empty otherwise.
    """

    accepted: frozenset[str] | None
    reason: str = ""

    def kept(self, key: str) -> bool | None:
        """Whether an image is kept; ``None`` where nothing is judged."""
        return None if self.accepted is None else key in self.accepted


def read_judged(root: Path, plan: Plan) -> Judged:
    """The verdicts of a run; a packed dataset has none, as it holds nothing but what was kept.

    Raises:
        DamagedError: They can't be read.
    """
    curate = plan.manifest.document.curate
    if curate is None or not run_folder.is_run(root):
        return Judged(None)
    digest = finished_shards.digest(shard.receipt.sha256 for shard in finished_shards.shards(root, plan))
    try:
        verdicts.check(root, digest, curate)
    except IncompleteError as error:
        return Judged(None, str(error))
    return Judged(frozenset(key for key, accepted in verdicts.read_accepted(root) if accepted))


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


def read(root: Path, doors: Extensions, progress: Callable[[int, int], None]) -> Subject:
    """Read a folder's plan, real images and verdicts.

    Raises:
        InputError: The folder is neither a run nor a dataset, or its real images can't be had.
        DamagedError: A file of it can't be read.
    """
    plan, found = find(root, doors, progress)
    return Subject(root, plan, found, read_judged(root, plan))
