"""The report's plots, as SVG."""

from synthgen.evaluate.comparisons import Analysis
from synthgen.evaluate.plots import curves, single
from synthgen.evaluate.plots.style import Plot

__all__ = ["Plot", "all_of"]


def all_of(analysis: Analysis) -> list[Plot]:
    """Every plot that the study has the arms for."""
    makers = (curves.dose_response, curves.gain, single.by_tone, single.confusions)
    return [plot for maker in makers if (plot := maker(analysis)) is not None]
