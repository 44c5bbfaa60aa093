"""The facts of a fidelity report beside its numbers: how they came about, what a reader must know, its pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgen.core.report import Figure, palette
from synthgen.curate.fidelity import nearest_panel
from synthgen.curate.fidelity.measure import Distances
from synthgen.curate.fidelity.page import ReportFacts
from synthgen.curate.fidelity.sample_images import ImageFeatures
from synthgen.vision.metrics.memorisation import memorisation

if TYPE_CHECKING:
    from synthgen.curate.fidelity.subject import Subject
    from synthgen.vision.features import Backbone

PANELS, DISTANCES = PICTURES = "panels.png", "distances.svg"
_STYLES = ((palette.BLUE, "-"), (palette.VERMILION, "--"), (palette.GREEN, "-."), (palette.PURPLE, ":"))
_RC: Any = {"svg.hashsalt": "synthgen", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def report_facts(
    subject: Subject,
    network: Backbone,
    made: ImageFeatures,
    described: Mapping[str, ImageFeatures],
    far: Distances | None,
) -> ReportFacts:
    """The settings, notes, warning and pictures of a report.

    Args:
        subject: What it is about.
        network: What gave the features.
        made: The generated images.
        described: Real ones by split.
        far: How far images are from training images; ``None`` where there are none.
    """
    real, why = subject.reals, subject.judged.reason
    settings = [
        ("backbone", network.name),
        ("its origin", network.origin),
        ("features", f"{network.dim:,} an image, of images of {network.size} x {network.size}"),
        ("generated images", f"{len(made.images):,} measured, {made.found:,} stored, {subject.plan.samples:,} planned"),
    ]
    settings += [
        (f"real {split} images", f"{len(one.images):,} measured, {one.found:,} usable")
        for split, one in described.items()
    ]
    notes = [f"Kept and rejected images are not told apart: {why}."] if why else []
    if far is None:
        why = real.reason or "no real training image is usable"
        notes.append(f"Nothing could be held against real images: {why}. What needs none is here.")
    if len(made.images) < made.found:
        notes.append(f"A sample of {len(made.images):,} of {made.found:,} generated images was measured.")
    warning = "This page and panels.png show real photographs: share them only as their licences allow."
    figures = _figures(made, described, far, real.scale) if far else []
    return ReportFacts(settings, notes, warning if figures and real.photographs else "", figures)


def _figures(made: ImageFeatures, real: Mapping[str, ImageFeatures], far: Distances, scale: str) -> list[Figure]:
    threshold = memorisation(far.generated, far.held_out).threshold
    chosen = nearest_panel.nearest_pairs(made.images, real["train"].images, far, scale)
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
        Figure(PANELS, caption, caption, nearest_panel.draw(chosen, threshold)),
        Figure(DISTANCES, curve, curve, draw_distances(by_entry, far, threshold)),
    ]


def draw_distances(by_entry: dict[str, NDArray[np.float64]], found: Distances, threshold: float) -> bytes:
    """The cumulative shares of distances, a line an entry and one for real test images, as SVG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    sink = io.BytesIO()
    with rc_context(_RC):
        figure = Figure(figsize=(9.2, 3.6), layout="constrained")
        axes = figure.subplots()
        if len(found.held_out):
            axes.ecdf(found.held_out, color="black", linewidth=2, label=f"real test images, n = {len(found.held_out)}")
        for number, (name, values) in enumerate(by_entry.items()):
            colour, line = _STYLES[number % len(_STYLES)]
            axes.ecdf(values, color=colour, linestyle=line, label=f"{name}, n = {len(values)}")
        if np.isfinite(threshold):
            axes.axvline(threshold, color="#b00020", linewidth=1, label="threshold of memorisation")
        axes.set_xlabel("distance to the nearest training image, in feature space")
        axes.set_ylabel("share of images")
        figure.legend(loc="outside right upper", frameon=False)
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    return sink.getvalue()
