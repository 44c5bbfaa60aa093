"""The individual typology angle (ITA) of skin that is not lesion, and how far it is from the tone asked for.

``ITA = atan2(L* - 50, b*)`` in degrees, CIELAB, D65 (Chardon et al. 1991). Lesions lie in the middle of a picture, so
skin is taken from the border, a quarter of the side wide: what is neither hair, shadow nor glare there, by the median
of its lightness. Light and camera enter: two photographs of one arm can differ by 20 degrees. It is a score, not truth.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthgen.doors import ScorerSettings
from synthgen.scorers import Batch, Context, Scorer, Scores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

COLUMNS = {
    "ita": "the median angle of the skin in degrees; light skin has large ones; NaN where no skin is seen",
    "skin_share": "the share of the border that was taken for skin",
    "type": "1 to 6, where the angle falls in the table of cut-offs",
    "distance": "degrees from the range of the tone asked for, 0 within it; NaN where the tone has no range",
}
TEXTS: dict[str, str] = {}

# del Bino & Bernerd 2013: very light, light, intermediate, tan, brown, dark; taken one to one as Fitzpatrick I to VI.
# That is a convention of data sets, not physiology.
CUT_OFFS = (55.0, 41.0, 28.0, 10.0, -30.0)
_BORDER, _NEAR, _LEAST = 0.25, 12.0, 0.05


class Settings(ScorerSettings):
    """Nothing can be set."""


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """Nothing is loaded."""
    facts = {"method": "ita-border-1", "cut_offs": list(CUT_OFFS), "table": "del Bino & Bernerd 2013"}
    return Scorer(facts, lambda: score)


def score(batch: Batch) -> Scores:
    """The columns of a batch."""
    found = [measure(pixels) for pixels in batch.pixels]
    ranges = [asked(record.skin_tone_scale, record.skin_tone) for record in batch.records]
    return {
        "ita": [angle for angle, _ in found],
        "skin_share": [share for _, share in found],
        "type": [kind(angle) for angle, _ in found],
        "distance": [distance(angle, wanted) for (angle, _), wanted in zip(found, ranges, strict=True)],
    }


def measure(pixels: Pixels) -> tuple[float, float]:
    """The ITA of an image's skin in degrees, and the share of its border that is skin; NaN and 0 where none is."""
    import numpy as np

    from synthgen.phantom import colour

    border = pixels[_mask(*pixels.shape[:2])]
    lab = colour.linear_to_lab(colour.to_linear(border.T / 255))
    skin = (np.abs(lab[0] - np.median(lab[0])) < _NEAR) & (lab[1] > 0) & (lab[2] > 0)
    share = float(skin.mean())
    if share < _LEAST:
        return math.nan, 0.0
    lightness, yellow = np.median(lab[0][skin]), np.median(lab[2][skin])
    return float(np.degrees(np.arctan2(lightness - 50, yellow))), share


def kind(angle: float) -> float:
    """The type, 1 to 6, of an angle; NaN for NaN."""
    return math.nan if math.isnan(angle) else 1.0 + sum(angle <= cut for cut in CUT_OFFS)


def asked(scale: str, tone: str) -> tuple[float, float] | None:
    """The range of angles of a tone, lower and upper end; ``None`` where it has none."""
    groups = {"fitzpatrick": ("I", "II", "III", "IV", "V", "VI"), "fitzpatrick-groups": ("12", "34", "56")}
    names = groups.get(scale, ())
    if tone not in names:
        return None
    ends = (90.0, *CUT_OFFS, -90.0)
    place, wide = names.index(tone), 6 // len(names)
    return ends[place * wide + wide], ends[place * wide]


def distance(angle: float, wanted: tuple[float, float] | None) -> float:
    """Degrees from a range, 0 within it."""
    if wanted is None or math.isnan(angle):
        return math.nan
    return max(wanted[0] - angle, angle - wanted[1], 0.0)


def _mask(height: int, width: int) -> npt.NDArray[np.bool_]:
    import numpy as np

    mask = np.ones((height, width), np.bool_)
    down, across = round(height * _BORDER), round(width * _BORDER)
    mask[down : height - down, across : width - across] = False
    return mask
