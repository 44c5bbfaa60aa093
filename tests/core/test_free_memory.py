"""What is freed between blocks that are in use goes back to the system."""

import sys

import numpy as np
import psutil
import pytest

from synthgen.core import free_memory

BLOCK, BLOCKS = 96 << 10, 640  # small enough for the C library's heap, 60 MiB together


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's")
def test_freed_pages_are_handed_back() -> None:
    """A block in use at the end keeps all before it with the process, until they are handed back."""
    blocks = [np.ones(BLOCK, np.uint8) for _ in range(BLOCKS)]
    kept = blocks[:: BLOCKS // 10]
    del blocks
    before = psutil.Process().memory_info().rss
    free_memory.hand_back()
    assert before - psutil.Process().memory_info().rss > BLOCK * BLOCKS / 2
    assert all(block[0] == 1 for block in kept)
