"""The report's plots, as SVG."""

from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.report.plots import by_tone_confusion, dose_response
from synthgen.evaluate.report.plots.style import Plot

__all__ = ["Plot", "all_of"]


def all_plots(analysis: Analysis) -> list[Plot]:
    """Every plot that the study has the arms for."""
    makers = (dose_response.dose_response, dose_response.gain, by_tone_confusion.by_tone, by_tone_confusion.confusions)
    return [plot for maker in makers if (plot := maker(analysis)) is not None]
