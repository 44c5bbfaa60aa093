"""Whether a picture is broken: black, flat, blurred, blocky, off colour; by the range of the real ones.

Not BRISQUE or NIQE, as ``pyiqa`` has them: they give one number learned from everyday photographs, and here each fault
has a name, and its range comes from the real images of the study.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from synthgen.curate.scorers import Batch, Context, Scorer, Scores, digest
from synthgen.plan.manifest.settings import ScorerSettings

if TYPE_CHECKING:
    from synthgen.core.types import Doubles, Pixels

MEASURES = {
    "brightness": "the mean of L*, 0 to 100",
    "contrast": "the standard deviation of L*",
    "sharpness": "log10 of the variance of the Laplacian of L* at half the size, where noise says little",
    "blocking": "the mean step of L* across the 8 x 8 grid of JPEG over that elsewhere; 1 shows no grid",
    "cast": "the chroma of the mean colour",
    "saturation": "the 99th percentile of chroma",
}
COLUMNS = MEASURES | {"faults": "how many of these lie outside the range of the real images"}
TEXTS = {"fault": "which of them, and whether low or high"}

# Where there is no real image to take a range from: only what no photograph of skin is.
_FIXED = {
    "brightness": (8.0, 97.0),
    "contrast": (0.8, 40.0),
    "sharpness": (-0.5, 3.5),
    "blocking": (0.0, 2.5),
    "cast": (0.0, 60.0),
    "saturation": (0.0, 90.0),
}
_ENOUGH = 20
_ONE_SIDED = ("blocking", "cast", "saturation")  # nothing is wrong with little of these
_HARMLESS = {"blocking": 1.6}  # an autoencoder's own grid, which JPEG's at quality 20 is well above


class Settings(ScorerSettings):
    """How far outside the real images' range, in shares of it, a value may lie."""

    margin: float = Field(default=0.25, ge=0, le=10)


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """The range is measured on the real images of the training split, where there are at least 20."""
    sources = context.split("train")
    ranged = len(sources) >= _ENOUGH
    facts: dict[str, Any] = {"method": "quality-2", "real_images": digest(sources) if ranged else ""}

    def load() -> Any:
        ranges = _ranges([measure(context.read(each)) for each in sources], settings.margin) if ranged else _FIXED
        return lambda batch: score(batch, ranges)

    return Scorer(facts, load)


def score(batch: Batch, ranges: dict[str, tuple[float, float]]) -> Scores:
    """The columns of a batch."""
    rows = [measure(pixels) for pixels in batch.pixels]
    faults = [_faults(row, ranges) for row in rows]
    found: dict[str, Any] = {name: [row[name] for row in rows] for name in MEASURES}
    return found | {"faults": [float(len(each)) for each in faults], "fault": [", ".join(each) for each in faults]}


def measure(pixels: Pixels) -> dict[str, float]:
    """What is measured of one image, uint8 RGB (height, width, 3)."""
    import numpy as np

    from synthgen.vision import colour

    lab = colour.srgb_to_lab(pixels)
    light, chroma = lab[0], np.hypot(lab[1], lab[2])
    return {
        "brightness": float(light.mean()),
        "contrast": float(light.std()),
        "sharpness": float(np.log10(_laplacian(_halved(light)).var() + 1e-4)),
        "blocking": _blocking(light),
        "cast": float(np.hypot(lab[1].mean(), lab[2].mean())),
        "saturation": float(np.percentile(chroma, 99)),
    }


def _halved(light: Doubles) -> Doubles:
    """The mean of each two by two values."""
    height, width = (side // 2 for side in light.shape)
    halved: Doubles = light[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))
    return halved


def _laplacian(light: Doubles) -> Doubles:
    """The discrete Laplacian over four neighbours, without the border."""
    around = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:]
    laplacian: Doubles = around - 4 * light[1:-1, 1:-1]
    return laplacian


def _blocking(light: Doubles) -> float:
    """Wang, Bovik & Evan 2000: steps at the borders of blocks over steps inside them."""
    import numpy as np

    at = inside = 0.0
    for steps in (np.abs(np.diff(light, axis=1)), np.abs(np.diff(light, axis=0)).T):
        border = np.arange(steps.shape[1]) % 8 == 7
        at, inside = at + float(steps[:, border].mean()), inside + float(steps[:, ~border].mean())
    return (at + 0.05) / (inside + 0.05)


def _ranges(rows: list[dict[str, float]], margin: float) -> dict[str, tuple[float, float]]:
    """The range of each measure, from its 0.5th to its 99.5th percentile, widened."""
    import numpy as np

    found = {}
    for name in MEASURES:
        low, high = np.percentile([row[name] for row in rows], [0.5, 99.5])
        wider = max((high - low) * margin, 0.05)
        found[name] = (float(low - wider), max(float(high + wider), _HARMLESS.get(name, 0.0)))
    return found


def _faults(row: dict[str, float], ranges: dict[str, tuple[float, float]]) -> list[str]:
    found = []
    for name, (low, high) in ranges.items():
        if row[name] < low and name not in _ONE_SIDED:
            found.append(f"{name} low")
        elif row[name] > high:
            found.append(f"{name} high")
    return found
