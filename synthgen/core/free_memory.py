"""Freed memory, handed back to the system.

The C library keeps what a program frees, in case it wants it again. Denoising asks for blocks of many sizes for hours,
of which ever more are kept between others that are in use, so that a process whose need is the same grows by some
kilobytes an image. glibc's own ``malloc_trim`` hands their pages back. Neither Python nor torch calls it.
"""

import ctypes
import functools
from collections.abc import Callable


def hand_back() -> None:
    """Hand pages that nothing uses back to the system; does nothing where the C library has no ``malloc_trim``."""
    if (trim := _malloc_trim()) is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
