"""The chance that a real image of the tone asked for has skin as light or as dark: low where the tone is another.

Fixed ranges of the angle (``skin_tone.distance``) are narrow for light skin and wide for dark, so half a stop of light
more or less puts light skin outside and leaves dark skin in. Here each tone is measured on its own real training
images, as they are and half a stop lighter and darker, so that as many of each tone lie as far out, whatever its range.
What that can't tell apart, a neighbour's tone among it, is said by :func:`accepted`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from synthgen.curate.scorers import Batch, Context, Scorer, Scores, digest
from synthgen.curate.scorers.skin_tone import measure_angle
from synthgen.errors import UnavailableError
from synthgen.plan import skin_tones
from synthgen.plan.manifest.settings import ScorerSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Pixels

COLUMNS = {
    "chance": "that a real image of the tone asked for lies as far out to that side, doubled; NaN where unknown",
    "ita": "the median angle of the skin in degrees; light skin has large ones; NaN where no skin is seen",
}
TEXTS: dict[str, str] = {}

ENOUGH = 20  # real images that a tone needs; one with fewer is measured by its group: light, medium or dark


class Settings(ScorerSettings):
    """How much lighter or darker a photograph of the same skin may be, in stops: a factor of two in light each."""

    stops: Annotated[float, Field(ge=0, le=3)] = 0.5


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """The real training images of known tone are measured when it is loaded.

    Raises:
        UnavailableError: No tone and no group of tones has 20 of them.
    """
    known = [source for source in context.split("train") if source.tone]
    by_tone = members(context.scale, [source.tone for source in known])
    if not by_tone:
        raise UnavailableError(
            f"curate.scorers.tone: {len(known)} real training images have a known tone, and no tone or group of tones "
            f"has {ENOUGH}; it needs as many, given under `real:`"
        )
    facts = {"method": "ita-border-2", "stops": settings.stops, "real_images": digest(known)}

    def load() -> Tones:
        found = [list(exposed_angles(context.read(source), settings.stops)) for source in known]
        return Tones(
            context.scale, {tone: [angle for row in rows for angle in found[row]] for tone, rows in by_tone.items()}
        )

    return Scorer(facts, lambda: load().score)


class Tones:
    """What angles real images of each tone have.

    Args:
        scale: The skin-tone scale.
        angles: Of each tone; NaN where no skin was seen.
    """

    def __init__(self, scale: str, angles: Mapping[int, list[float]]) -> None:
        import numpy as np

        self._scale = scale
        known = {tone: np.sort(np.asarray(found, np.float64)) for tone, found in angles.items()}
        self._angles: dict[int, npt.NDArray[np.float64]] = {
            tone: found[~np.isnan(found)] for tone, found in known.items()
        }
        self._tones = {skin_tones.name(scale, value): value for value in skin_tones.NAMES[scale]}

    def score(self, batch: Batch) -> Scores:
        """The columns of a batch."""
        found = [measure_angle(pixels)[0] for pixels in batch.pixels]
        asked = [
            self._tones.get(one.skin_tone, 0) if one.skin_tone_scale == self._scale else 0 for one in batch.records
        ]
        return {"chance": [self.chance(*pair) for pair in zip(found, asked, strict=True)], "ita": found}

    def chance(self, angle: float, tone: int) -> float:
        """The two-sided chance of an angle among those of a tone, never 0; NaN where either is unknown."""
        import numpy as np

        known = self._angles.get(tone)
        if known is None or not len(known) or math.isnan(angle):
            return math.nan
        below, above = (
            int(np.searchsorted(known, angle, "right")),
            len(known) - int(np.searchsorted(known, angle, "left")),
        )
        return min(1.0, 2 * (min(below, above) + 1) / (len(known) + 1))


def members(scale: str, tones: list[int]) -> dict[int, list[int]]:
    """The places of the images that each tone is measured by: its own, or those of its group where it has few."""
    places = {tone: [row for row, one in enumerate(tones) if one == tone] for tone in skin_tones.NAMES[scale]}
    for group in skin_tones.GROUPS[scale].values():
        together = [row for tone in group for row in places[tone]]
        for tone in [one for one in group if len(places[one]) < ENOUGH]:
            places[tone] = together
    return {tone: rows for tone, rows in places.items() if len(rows) >= ENOUGH}


def exposed_angles(pixels: Pixels, stops: float) -> Iterator[float]:
    """The angle of an image's skin as it is, and with so many stops of light less and more, in linear light."""
    for exposure in dict.fromkeys((0.0, -stops, stops)):
        yield measure_angle(exposed(pixels, exposure))[0]


def exposed(pixels: Pixels, stops: float) -> Pixels:
    """An image with so many stops of light more; what is brighter than white is white (sRGB, IEC 61966-2-1)."""
    import numpy as np

    if not stops:
        return pixels
    values = np.arange(256) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) * 2.0**stops
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    table = np.rint(encoded * 255).astype(np.uint8)
    changed: Pixels = table[pixels]
    return changed
