"""What a fidelity report is about: a run or a packed dataset, its real images, and what its rules keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from synthgen.errors import IncompleteError, InputError
from synthgen.plan import Plan
from synthgen.plan.real_index import Index, Source
from synthgen.real import indexing
from synthgen.runs import load_plan, study_layout, verdicts
from synthgen.runs.folders import Dataset, Run

_DRAWN = "phantom"  # the source whose images are no photographs


@dataclass(frozen=True)
class RealImages:
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


def find_real_images(folder: Run | Dataset, progress: Callable[[int, int], None]) -> RealImages:
    """The real images of a run's or a packed dataset's manifest.

    A run that starts from no real image has not indexed them yet: they are now, into its own ``sources.parquet``. A
    packed dataset keeps none, so those of the run beside it are taken (``work``), where it was packed from that.

    Raises:
        InputError: The manifest can't be read any more, or its real images can't be had.
    """
    plan = folder.plan
    run = folder if isinstance(folder, Run) else _beside(folder)
    if run is None:
        return _none(plan, "a packed dataset keeps no real images; give the run that it was packed from")
    images = run.plan.manifest.real
    if images is None:
        return _none(plan, "the manifest names no real images (`real:`)")
    base = run.plan.manifest.base
    index = load_plan.index(run.plan.manifest, images, run.root, progress)
    read = indexing.open_images(images.source, images.settings, base, run.root)
    return RealImages(plan.manifest.document.skin_tones.scale, index, read, images.source != _DRAWN)


def _beside(dataset: Dataset) -> Run | None:
    """The run that a dataset was packed from, where it lies beside it."""
    root = study_layout.run_in(dataset.root.resolve().parent)
    if root is None:
        return None
    run = Run(root, dataset.extensions)
    return run if run.plan.digest == dataset.provenance["plan_digest"] else None


def _none(plan: Plan, reason: str) -> RealImages:
    def read(source: Source) -> bytes:
        raise InputError(f"real image {source.id}: {reason}")

    return RealImages(plan.manifest.document.skin_tones.scale, None, read, False, reason)


@dataclass(frozen=True)
class AcceptedKeys:
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


def read_accepted_keys(folder: Run | Dataset) -> AcceptedKeys:
    """The verdicts of a run; a packed dataset has none, as it holds nothing but what was kept.

    Raises:
        DamagedError: They can't be read.
    """
    curate = folder.plan.manifest.document.curate
    if curate is None or not isinstance(folder, Run):
        return AcceptedKeys(None)
    try:
        verdicts.check(folder.root, folder.digest, curate)
    except IncompleteError as error:
        return AcceptedKeys(None, str(error))
    return AcceptedKeys(frozenset(key for key, accepted in verdicts.read_accepted(folder.root) if accepted))


@dataclass(frozen=True)
class Subject:
    """A folder of generated images, and what they are held against.

    Attributes:
        folder: The run or the packed dataset.
        reals: The real images.
        judged: What its verdicts say.
    """

    folder: Run | Dataset
    reals: RealImages
    judged: AcceptedKeys

    @property
    def plan(self) -> Plan:
        """The plan that it follows."""
        return self.folder.plan


def read(folder: Run | Dataset, progress: Callable[[int, int], None]) -> Subject:
    """The real images and the verdicts of a run or a packed dataset.

    Raises:
        InputError: Its real images can't be had.
        DamagedError: A file of it can't be read.
    """
    return Subject(folder, find_real_images(folder, progress), read_accepted_keys(folder))
