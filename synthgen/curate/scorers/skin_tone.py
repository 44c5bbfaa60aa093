"""The individual typology angle (ITA) of skin that is not lesion, and how far it is from the tone asked for.

``ITA = atan2(L* - 50, b*)`` in degrees, CIELAB, D65 (Chardon et al. 1991). Lesions lie in the middle of a picture, so
skin is taken from the border, a quarter of the side wide: what is neither hair, shadow nor glare there, by the median
of its lightness. Light and camera enter: two photographs of one arm can differ by 20 degrees. It is a score, not truth.

Not scikit-image's ``rgb2lab``: CIELAB is there already, and which pixels are skin is the part that no library knows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synthgen.curate.scorers import Batch, Context, Scorer, Scores, digest
from synthgen.errors import UnavailableError
from synthgen.plan import skin_tones
from synthgen.plan.manifest.settings import ScorerSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Pixels

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
_BORDER, _NEAR, _LEAST, _ENOUGH = 0.25, 12.0, 0.05, 20


class Settings(ScorerSettings):
    """Whether to take out what camera and light add to all angles alike, as the real training images show it.

    That is the shift by which their own angles fit the ranges of their tones best. It is of use where the images made
    look as if taken by the same camera, so after fine-tuning on these very images, and misleads elsewhere.
    """

    calibrate: bool = False


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """With ``calibrate``, the real training images of known tone are measured when it is loaded.

    Raises:
        UnavailableError: There are fewer than 20 of them.
    """
    facts: dict[str, Any] = {"method": "ita-border-2", "cut_offs": list(CUT_OFFS), "table": "del Bino & Bernerd 2013"}
    if not settings.calibrate:
        return Scorer(facts, lambda: score)
    known = [source for source in context.split("train") if source.tone]
    wanted = [angles_of_tone(context.scale, skin_tones.name(context.scale, source.tone)) for source in known]
    if len(known) < _ENOUGH or None in wanted:
        raise UnavailableError(
            f"curate.scorers.skin_tone.calibrate: {len(known)} real training images whose tone has a range; it needs "
            f"{_ENOUGH}, given under `real:`"
        )

    def load() -> Any:
        shift = _shift([measure_angle(context.read(source))[0] for source in known], wanted)
        return lambda batch: score(batch, shift)

    return Scorer(facts | {"real_images": digest(known)}, load)


def score(batch: Batch, shift: float = 0.0) -> Scores:
    """The columns of a batch; ``shift`` degrees are taken from every angle."""
    found = [(angle - shift, share) for angle, share in map(measure_angle, batch.pixels)]
    ranges = [angles_of_tone(record.skin_tone_scale, record.skin_tone) for record in batch.records]
    return {
        "ita": [angle for angle, _ in found],
        "skin_share": [share for _, share in found],
        "type": [skin_type(angle) for angle, _ in found],
        "distance": [distance_from(angle, wanted) for (angle, _), wanted in zip(found, ranges, strict=True)],
    }


def measure_angle(pixels: Pixels) -> tuple[float, float]:
    """The ITA of an image's skin in degrees, and the share of its border that is skin; NaN and 0 where none is."""
    import numpy as np

    from synthgen.vision import colour

    border = pixels[_mask(*pixels.shape[:2])]
    lab = colour.srgb_to_lab(border)
    skin = (np.abs(lab[0] - np.median(lab[0])) < _NEAR) & (lab[1] > 0) & (lab[2] > 0)
    share = float(skin.mean())
    if share < _LEAST:
        return math.nan, 0.0
    lightness, yellow = np.median(lab[0][skin]), np.median(lab[2][skin])
    return float(np.degrees(np.arctan2(lightness - 50, yellow))), share


def skin_type(angle: float) -> float:
    """The type, 1 to 6, of an angle; NaN for NaN."""
    return math.nan if math.isnan(angle) else 1.0 + sum(angle <= cut for cut in CUT_OFFS)


def angles_of_tone(scale: str, tone: str) -> tuple[float, float] | None:
    """The range of angles of a tone, lower and upper end; ``None`` where it has none."""
    groups = {"fitzpatrick": ("I", "II", "III", "IV", "V", "VI"), "fitzpatrick-groups": ("12", "34", "56")}
    names = groups.get(scale, ())
    if tone not in names:
        return None
    ends = (90.0, *CUT_OFFS, -90.0)
    place, wide = names.index(tone), 6 // len(names)
    return ends[place * wide + wide], ends[place * wide]


def distance_from(angle: float, wanted: tuple[float, float] | None) -> float:
    """Degrees from a range, 0 within it."""
    if wanted is None or math.isnan(angle):
        return math.nan
    return max(wanted[0] - angle, angle - wanted[1], 0.0)


def _shift(angles: Sequence[float], wanted: Sequence[tuple[float, float] | None]) -> float:
    """The shift, in half degrees from -40 to 40, that leaves angles nearest to their ranges in the mean."""
    import numpy as np

    def mean(shift: float) -> float:
        return float(
            np.nanmean([distance_from(angle - shift, ends) for angle, ends in zip(angles, wanted, strict=True)])
        )

    return min((number / 2 for number in range(-80, 81)), key=lambda shift: (mean(shift), abs(shift)))


def _mask(height: int, width: int) -> npt.NDArray[np.bool_]:
    import numpy as np

    mask = np.ones((height, width), np.bool_)
    down, across = round(height * _BORDER), round(width * _BORDER)
    mask[down : height - down, across : width - across] = False
    return mask
