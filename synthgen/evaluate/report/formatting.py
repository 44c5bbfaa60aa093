"""Figures as a report writes them: percent, points, intervals, and the name of an arm."""

import math
from collections.abc import Sequence

from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.dose_response import Exchange, Saturation
from synthgen.evaluate.analysis.predictions import ArmKey
from synthgen.evaluate.analysis.statistics import Estimate

NONE = "-"


def arm_name(arm: ArmKey) -> str:
    """The name of an arm at its size: ``real+synthetic (text, ratio 10, n = 32)``."""
    parts = [str(arm.strategy), f"ratio {arm.ratio:g}" if arm.ratio else "", f"n = {arm.n_real}"]
    return f"{arm.name} ({', '.join(part for part in parts if part)})"


def percent(known: Estimate) -> str:
    """An accuracy with its interval, kept between 0 and 100: ``56.2 (51.0 to 61.3)``."""
    if math.isnan(known.low):
        return number(100 * known.value)
    return f"{100 * known.value:.1f} ({100 * max(known.low, 0):.1f} to {100 * min(known.high, 1):.1f})"


def points(known: Estimate) -> str:
    """A difference with its interval in percentage points: ``+5.2 (1.1 to 9.3)``."""
    if math.isnan(known.low):
        return number(100 * known.value, "+.1f")
    return f"{100 * known.value:+.1f} ({100 * known.low:.1f} to {100 * known.high:.1f})"


def p_value(value: float) -> str:
    """A p value to three digits: ``0.012``, ``< 0.001``, a dash for none."""
    if math.isnan(value):
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def number(value: float, form: str = ".1f") -> str:
    """A number, or a dash where there is none."""
    return NONE if math.isnan(value) else f"{value:{form}}"


def saturation_ratio(known: Saturation | None) -> str:
    """A saturation ratio with its interval; a dash where there is no gain that could saturate."""
    if known is None or not known.gains or math.isnan(known.ratio):
        return NONE
    ratio, low, high = ("beyond" if math.isinf(end) else f"{end:.1f}" for end in (known.ratio, known.low, known.high))
    return f"{ratio} ({low} to {high})"


def exchange_rate(known: Exchange | None) -> str:
    """An exchange rate with its interval; an infinite end lies beyond what the real curve reaches."""
    if known is None:
        return NONE
    return f"{_end(known.rate)} ({_end(known.low)} to {_end(known.high)})"


def images_of(analysis: Analysis, tone_group: str) -> str:
    """The number of test images of a tone group: ``80``, or ``80 of 12 groups`` where several are of one group."""
    images, groups = int(analysis.tone_groups[tone_group].sum()), analysis.groups[tone_group]
    return f"{images:,}" if images == groups else f"{images:,} of {counted(groups, 'group')}"


def counted(number_of: int, one: str, several: str = "") -> str:
    """So many things: ``1 trial``, ``1,200 trials``."""
    return f"{number_of:,} {one if number_of == 1 else several or one + 's'}"


def enumerated(names: Sequence[object]) -> str:
    """A list in a sentence: ``1, 8 and 16``."""
    texts = [str(name) for name in names]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else "none"


def _end(value: float) -> str:
    if math.isinf(value):
        return "beyond the curve, above" if value > 0 else "beyond the curve, below"
    return f"{value:.2f}"
