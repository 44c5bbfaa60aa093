"""Canny's edges of an image, as OpenCV's ``cv2.Canny`` finds them, which ControlNets for edges were trained on.

Neither OpenCV nor scikit-image (``feature.canny``, whose thresholds are other units) is a dependency: each would be one
for this alone, and scipy, which is here, has all of it but the thinning.
J. Canny, A Computational Approach to Edge Detection, IEEE TPAMI 8(6), 1986.
"""

from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from synthgen.core.yaml_documents import Strict

Bools = npt.NDArray[np.bool_]
_Threshold = Annotated[float, Field(ge=0, le=2040)]  # what Sobel's two filters add up to, of 8 bits, at the most


class Edges(Strict):
    """The settings of edges, by OpenCV's names.

    Attributes:
        low_threshold: The sum of both gradients, of values from 0 to 255, from which on an edge goes on.
        high_threshold: The same from which on one begins.
    """

    low_threshold: _Threshold = 100.0
    high_threshold: _Threshold = 200.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low_threshold > self.high_threshold:
            raise ValueError(f"low_threshold {self.low_threshold:g} is above high_threshold {self.high_threshold:g}")
        return self

    def draw(self, pixels: npt.NDArray[np.uint8]) -> Bools:
        """Where the edges of an image are.

        Args:
            pixels: uint8 RGB, shape (height, width, 3).

        Returns:
            True on an edge, shape (height, width).
        """
        from scipy import ndimage

        across, down = _gradients(pixels.astype(np.float64))
        strength = np.abs(across) + np.abs(down)
        candidates = _ridges(across, down, strength) & (strength > self.low_threshold)
        pieces, count = ndimage.label(candidates, np.ones((3, 3)))
        begun = np.zeros(count + 1, bool)
        begun[pieces[candidates & (strength > self.high_threshold)]] = True
        found: Bools = begun[pieces]
        return found


def _gradients(pixels: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sobel's gradients across and down, at each pixel those of the channel where they are greatest."""
    from scipy import ndimage

    channels = [pixels[..., number] for number in range(pixels.shape[2])]  # one by one: sobel smooths along all axes
    across, down = (np.stack([ndimage.sobel(one, axis, mode="nearest") for one in channels], -1) for axis in (1, 0))
    channel = (np.abs(across) + np.abs(down)).argmax(2)[..., None]
    return tuple(np.take_along_axis(one, channel, 2)[..., 0] for one in (across, down))  # type: ignore[return-value]


def _ridges(across: npt.NDArray[np.float64], down: npt.NDArray[np.float64], strength: npt.NDArray[np.float64]) -> Bools:
    """Where the gradient is greater than on either side of it, in the nearest of four directions."""
    height, width = strength.shape
    around = np.pad(strength, 1)

    def beside(rows: int, columns: int) -> npt.NDArray[np.float64]:
        return around[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    steep, flat = np.tan(3 * np.pi / 8), np.tan(np.pi / 8)
    level, upright = np.abs(down) <= flat * np.abs(across), np.abs(down) >= steep * np.abs(across)
    falling = across * down > 0
    before = np.select([level, upright, falling], [beside(0, -1), beside(-1, 0), beside(-1, -1)], beside(-1, 1))
    after = np.select([level, upright, falling], [beside(0, 1), beside(1, 0), beside(1, 1)], beside(1, -1))
    ridges: Bools = (strength > before) & (strength >= after)
    return ridges
