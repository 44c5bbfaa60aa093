"""The report's plots, as SVG."""

from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.report.plots import by_tone_confusion, dose_response, forest
from synthgen.evaluate.report.plots.style import Plot

__all__ = ["PRIMARY", "Plot", "all_plots", "primary"]

PRIMARY = "primary"  # the picture that a report begins with


def primary(analysis: Analysis) -> Plot | None:
    """The plot that a report begins with; ``None`` where nothing could be compared."""
    return forest.forest(analysis)


def all_plots(analysis: Analysis) -> list[Plot]:
    """Every other plot that the study has the arms for."""
    makers = (dose_response.dose_response, dose_response.gain, by_tone_confusion.by_tone, by_tone_confusion.confusions)
    return [plot for maker in makers if (plot := maker(analysis)) is not None]
