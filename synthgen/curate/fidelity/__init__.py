"""The fidelity report: how like the real images the generated ones are, straight from the shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synthgen import blocks, durable, features, runs
from synthgen.blocks import Figure
from synthgen.curate.fidelity import inputs, page, panels, plots, reals, rows
from synthgen.curate.fidelity.inputs import Described
from synthgen.curate.fidelity.rows import Distances, Row
from synthgen.errors import InputError
from synthgen.fidelity import MEASURES, nearest
from synthgen.fidelity.memorisation import memorisation

if TYPE_CHECKING:
    from synthgen.curate.fidelity.reals import Reals
    from synthgen.doors import Doors
    from synthgen.features import Backbone
    from synthgen.plan import Plan

__all__ = ["BACKBONE", "LIMIT", "MEASURES", "PAGE", "PANELS", "TABLE", "Report", "report"]

BACKBONE = "gabor"  # as for classifier-eval: there offline, and learned from no image
LIMIT = 10_000
TABLE, PAGE, PANELS = "fidelity.csv", "report.html", "panels.png"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Report:
    """What a report holds, and where it lies.

    Attributes:
        out: Its folder.
        rows: Every measure of every group.
        notes: Sentences that a reader must know.
    """

    out: Path
    rows: Sequence[Row]
    notes: Sequence[str]


def report(
    root: Path,
    doors: Doors,
    *,
    backbone: str = BACKBONE,
    out: Path | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Report:
    """Measure a run or a packed dataset, and write ``fidelity.csv``, ``report.html`` and ``panels.png``.

    Args:
        root: The folder.
        doors: The strategies and sources there are.
        backbone: What gives the features, as for :func:`synthgen.features.backbone`.
        out: The report's folder; ``fidelity`` in a run, or beside a packed dataset, where left out.
        limit: Generated images, and real ones of a split, that are measured at most; a sample by a hash of their ids.
        progress: Told what is done, how much of it, and how much there is; may raise to stop.

    Raises:
        InputError: The folder is neither or holds no image, the real images can't be had, or ``out`` is not ours.
        UnavailableError: There is no such backbone here.
        DamagedError: A shard can't be read.
    """
    tell, folder = progress or _silent, out or _folder(root)
    _claim(folder)
    network = features.backbone(backbone, device=_device())
    plan, real = reals.find(root, doors, partial(tell, "indexing real images"))
    made, described = inputs.describe(root, doors, real, network, limit=limit, progress=tell)
    distances = _distances(made, described)
    found: list[Row] = []
    for number, (_, of_group) in enumerate(rows.measure(made, described, distances, real.scale), 1):
        found += of_group
        tell("measuring groups", number, 0)
    facts = _facts(plan, real, network, (made, described), distances)
    _write(folder, plan, found, facts)
    return Report(folder, found, facts.notes)


def _folder(root: Path) -> Path:
    """In a run; beside a dataset, whose own files are all listed in it."""
    return root / "fidelity" if runs.is_run(root) else root.resolve().parent / "fidelity"


def _claim(out: Path) -> None:
    """Check that a folder is a report's, or free."""
    if out.exists() and any(not one.name.startswith(".") for one in out.iterdir()) and not (out / TABLE).exists():
        raise InputError(f"{out} is not empty and no fidelity report (no {TABLE}); choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    durable.sweep(out)


def _distances(made: Described, real: Mapping[str, Described]) -> Distances | None:
    training = real["train"].features
    if not len(training):
        return None
    return Distances(*nearest(made.features, training), nearest(real["test"].features, training)[0])


def _facts(
    plan: Plan, real: Reals, network: Backbone, sets: tuple[Described, Mapping[str, Described]], far: Distances | None
) -> page.Facts:
    """What the page says beside its rows."""
    made, described = sets
    settings = [
        ("backbone", network.name),
        ("its origin", network.origin),
        ("features", f"{network.dim:,} an image, of images of {network.size} x {network.size}"),
        ("generated images", f"{len(made.images):,} measured, {made.found:,} stored, {plan.samples:,} planned"),
    ]
    settings += [
        (f"real {split} images", f"{len(one.images):,} measured, {one.found:,} usable")
        for split, one in described.items()
    ]
    notes = []
    if far is None:
        why = real.reason or "no real training image is usable"
        notes.append(f"Nothing could be held against real images: {why}. What needs none is here.")
    if len(made.images) < made.found:
        notes.append(f"A sample of {len(made.images):,} of {made.found:,} generated images was measured.")
    warning = "This page and panels.png show real photographs: share them only as their licences allow."
    figures = _figures(made, described, far, real.scale) if far else []
    return page.Facts(settings, notes, warning if figures and real.photographs else "", figures)


def _figures(made: Described, real: Mapping[str, Described], far: Distances, scale: str) -> list[Figure]:
    threshold = memorisation(far.generated, far.held_out).threshold
    chosen = panels.sides(made.images, real["train"].images, far, scale)
    entries = np.array([one.entry for one in made.images])
    by_entry = {str(name): far.generated[entries == name] for name in np.unique(entries)}
    caption = (
        "The generated images that are nearest to a training image, the nearest first, each beside that image. "
        "A red distance is below the threshold of memorisation. A training image is shown once a side."
    )
    curve = (
        "The share of images that are nearer to a training image than a distance: of generated and of real test ones."
    )
    return [
        Figure(PANELS, caption, caption, panels.draw(chosen, threshold)),
        Figure("distances.svg", curve, curve, plots.distances(by_entry, far, threshold)),
    ]


def _write(out: Path, plan: Plan, found: Sequence[Row], facts: page.Facts) -> None:
    title = f"{plan.manifest.document.name}: how like the real images are the generated ones?"
    content = list(page.content(found, facts))
    durable.write(out / TABLE, rows.table(found))
    for figure in facts.figures:
        durable.write(out / figure.file, figure.content)
    durable.write(out / PAGE, blocks.html(title, content, "synthgen curate --report").encode())


def _device() -> str:
    """Torch's device for networks: the GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _silent(_what: str, _done: int, _total: int) -> None:
    return
