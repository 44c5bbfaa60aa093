"""How far generated images and held-out real ones are from the training images, as a plot."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgen.curate.fidelity.rows import Distances

_STYLES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"))  # Okabe and Ito 2008
_RC: Any = {"svg.hashsalt": "synthgen", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def distances(by_entry: dict[str, NDArray[np.float64]], found: Distances, threshold: float) -> bytes:
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
