"""The fidelity report: how like the real images the generated ones are, straight from the shards."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from synthgen.core import atomic, checksums, devices
from synthgen.core import report as synthgen_report
from synthgen.curate.fidelity import groups, measure, page, page_content, sample_images, subject
from synthgen.curate.fidelity.groups import Group
from synthgen.curate.fidelity.measure import Distances, Measurement
from synthgen.curate.fidelity.page import ReportFacts, summary_lines
from synthgen.curate.fidelity.page_content import PANELS
from synthgen.curate.fidelity.sample_images import ImageFeatures
from synthgen.errors import InputError
from synthgen.runs.folders import Dataset, Run
from synthgen.vision import features
from synthgen.vision.metrics import MEASURES, nearest

if TYPE_CHECKING:
    from synthgen.plan import Plan

__all__ = [
    "BACKBONE",
    "LIMIT",
    "MEASURES",
    "PAGE",
    "PANELS",
    "TABLE",
    "Report",
    "measurements",
    "report",
    "summary_lines",
]

BACKBONE = "gabor"  # as for classifier-eval: there offline, and learned from no image
LIMIT = 10_000
TABLE, PAGE = "fidelity.csv", "report.html"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Report:
    """The measurements and notes of a fidelity report, and the folder it was written to.

    Attributes:
        out: Its folder.
        rows: Every measure of every group.
        notes: Sentences that a reader must know.
    """

    out: Path
    rows: Sequence[Measurement]
    notes: Sequence[str]


def report(
    folder: Run | Dataset,
    *,
    backbone: str = BACKBONE,
    out: Path | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Report:
    """The fidelity report of a run or a packed dataset; writes ``fidelity.csv``, ``report.html`` and ``panels.png``.

    Args:
        folder: The run or the dataset.
        backbone: What gives the features, as for :func:`synthgen.vision.features.backbone`.
        out: The report's folder; ``fidelity`` in a run, or beside a packed dataset, where left out.
        limit: Generated images, and real ones of a split, that are measured at most; a sample by a hash of their ids.
        progress: Told what is done, how much of it, and how much there is; may raise to stop.

    Raises:
        InputError: The folder holds no image, the real images can't be had, or ``out`` is not ours.
        UnavailableError: There is no such backbone here.
        DamagedError: A shard can't be read.
    """
    tell, out = progress or _silent, out or _default_folder(folder)
    network = features.backbone(backbone, device=devices.available()[0])
    about = subject.read(folder, partial(tell, "indexing real images"))
    _reserve(out)
    made, described = sample_images.describe(about, network, limit=limit, progress=tell)
    with threadpool_limits(1, user_api="blas"):  # small matrices are faster in one thread, and sums always the same
        distances = _distances(made, described)
        found = _measure_groups(
            made, described, distances, about.reals.scale, partial(tell, "measuring the images of each group")
        )
    said = page_content.report_facts(about, network, made, described, distances)
    _write(out, about.plan, found, said)
    return Report(out, found, said.notes)


def measurements(
    folder: Run | Dataset,
    of: Sequence[Group],
    *,
    backbone: str = BACKBONE,
    only: Container[str] | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> list[Measurement]:
    """The measures of some groups of the images of a run or a packed dataset, as :func:`report` has them.

    Args:
        folder: The run or the dataset.
        of: The groups.
        backbone: As of :func:`report`.
        only: The keys of the generated images that are measured; all where left out.
        limit: As of :func:`report`.
        progress: As of :func:`report`.

    Raises:
        InputError: The folder holds none of these images, or the real ones can't be had.
        UnavailableError: There is no such backbone here.
        DamagedError: A shard can't be read.
    """
    tell = progress or _silent
    network = features.backbone(backbone, device=devices.available()[0])
    about = subject.read(folder, partial(tell, "indexing real images"))
    made, described = sample_images.describe(about, network, limit=limit, progress=tell, only=only)
    with threadpool_limits(1, user_api="blas"):
        far = _distances(made, described)
        return [row for group in of for row in measure.measure(group, made, described, far)]


def _measure_groups(
    made: ImageFeatures,
    real: Mapping[str, ImageFeatures],
    far: Distances | None,
    scale: str,
    tell: Callable[[int, int], None],
) -> list[Measurement]:
    of_run, found, done = groups.groups(made.images, scale), list[Measurement](), 0
    total = sum(len(group.rows(made.images)) for group in of_run)
    for group in of_run:
        found += measure.measure(group, made, real, far)
        done += len(group.rows(made.images))
        tell(done, total)
    return found


def _default_folder(folder: Run | Dataset) -> Path:
    """Where a report goes: into a run, or beside a dataset, whose own files are all listed in it."""
    return (folder.root if isinstance(folder, Run) else folder.root.resolve().parent) / "fidelity"


def _reserve(out: Path) -> None:
    """Check that a folder is a report's, or free."""
    if out.exists() and any(not one.name.startswith(".") for one in out.iterdir()) and not (out / TABLE).exists():
        raise InputError(f"{out} is not empty and no fidelity report (no {TABLE}); choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    atomic.sweep(out)


def _distances(made: ImageFeatures, real: Mapping[str, ImageFeatures]) -> Distances | None:
    training = real["train"].features
    if not len(training):
        return None
    return Distances(*nearest(made.features, training), nearest(real["test"].features, training)[0])


def _write(out: Path, plan: Plan, found: Sequence[Measurement], said: ReportFacts) -> None:
    title = f"{plan.manifest.document.name}: how like the real images are the generated ones?"
    content = list(page.blocks(found, said))
    checksums.clear(out)
    atomic.write(out / TABLE, measure.to_csv(found))
    for name in page_content.PICTURES:
        (out / name).unlink(missing_ok=True)  # those of an earlier report, which this one may have none of
    for figure in said.figures:
        atomic.write(out / figure.file, figure.content)
    atomic.write(out / PAGE, synthgen_report.html(title, content, "synthgen curate --report").encode())
    checksums.write(out, [TABLE, PAGE, *(figure.file for figure in said.figures)])


def _silent(_what: str, _done: int, _total: int) -> None:
    return
