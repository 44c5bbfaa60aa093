"""How many pixels the threads of a process work on at once: a picture of 100 megapixels takes a gigabyte and more.

Not a semaphore of the standard library, which counts by ones: pictures are as large as they are.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """So many of something for all threads together; one that asks for more than that has it when it is alone.

    Args:
        size: How many.
    """

    def __init__(self, size: int) -> None:
        self._size, self._used = size, 0
        self._freed = threading.Condition()

    @contextmanager
    def held(self, count: int) -> Iterator[None]:
        """Have so many of them, once they are free."""
        with self._freed:
            self._freed.wait_for(lambda: not self._used or self._used + count <= self._size)
            self._used += count
        try:
            yield
        finally:
            with self._freed:
                self._used -= count
                self._freed.notify_all()
