"""The arrays that annotations speak of, by what is in them; nothing of it is there but for a type checker.

Import from here under ``if TYPE_CHECKING`` alone, so that neither numpy nor torch is loaded for a name.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    __all__ = ["AnyFloats", "Bools", "Doubles", "Floats", "Pixels", "Rows", "Tensor"]

    Pixels = NDArray[np.uint8]  # red, green and blue along the last axis
    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
    AnyFloats = NDArray[np.floating[Any]]
    Rows = NDArray[np.int64]  # numbers of rows
