"""Which worker is given which item, and what becomes of the items that a worker had when it died."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from synthgen.errors import LostWorkError

Item = TypeVar("Item")
TRIES = 3  # workers that an item may end before it is given up


class Deal(Generic[Item]):
    """Items to hand out; each worker may hold several, of which nobody knows which one ended it.

    So all that a dead worker held is handed out once more, and each of it alone: an item that merely lay beside a
    deadly one is done then, and the deadly one is given up after :data:`TRIES` deaths.

    Args:
        items: What is to be done, in this order; hashable.
        workers: How many there are, which bounds how often they may die one after the other with nothing done.

    Attributes:
        lost: Items that are given up, each with the last words of the last worker that it ended.
    """

    def __init__(self, items: Iterable[Item], workers: int) -> None:
        self._todo, self._suspects = deque(items), deque[Item]()
        self._held: dict[Any, list[Item]] = {}
        self._deaths: dict[Item, int] = {}
        self._in_a_row, self._most_in_a_row = 0, TRIES * (workers + 1)
        self.lost: dict[Item, str] = {}

    def take(self, worker: Any) -> list[Item]:
        """One item for a worker; none where there is none now, or where it has to finish first what it holds."""
        held = self._held.setdefault(worker, [])
        if any(item in self._deaths for item in held):
            return []
        queue = self._todo if held or not self._suspects else self._suspects
        if not queue:
            return []
        held.append(queue.popleft())
        return held[-1:]

    def holds(self, worker: Any) -> bool:
        """Whether a worker holds anything."""
        return bool(self._held.get(worker))

    def done(self, worker: Any, item: Item) -> None:
        """An item of a worker is done."""
        self._held[worker].remove(item)
        self._in_a_row = 0

    def died(self, worker: Any, words: str) -> list[Item]:
        """A worker is dead; returns what it held.

        Raises:
            LostWorkError: Worker after worker dies and nothing gets done, so that the rest is not tried.
        """
        held = self._held.pop(worker, [])
        for item in held:
            self._deaths[item] = self._deaths.get(item, 0) + 1
            if self._deaths[item] < TRIES:
                self._suspects.append(item)
            else:
                self.lost[item] = words
        self._in_a_row += 1
        if self._in_a_row >= self._most_in_a_row:
            raise LostWorkError(
                f"{self._in_a_row} workers died one after the other and nothing got done; the last one: {words}; is "
                "there memory enough? Run the same command again, or with fewer --workers",
                items=(
                    *self.lost,
                    *self._suspects,
                    *self._todo,
                    *(one for rest in self._held.values() for one in rest),
                ),
            )
        return held

    def leave(self, worker: Any) -> None:
        """A worker ends by itself; what it holds is not tried again."""
        self._held.pop(worker, None)

    @property
    def left(self) -> bool:
        """Whether anything is still to be handed out."""
        return bool(self._todo or self._suspects)

    @property
    def over(self) -> bool:
        """Whether everything is done or given up."""
        return not self.left and not any(self._held.values())

    def check(self) -> None:
        """Say what was given up, a line each.

        Raises:
            LostWorkError: Something was.
        """
        if self.lost:
            raise LostWorkError(
                *(f"{item}: given up after {TRIES} workers died at it; the last one: {words}" for item, words in
                  self.lost.items()),
                "everything else that could be done is; run the same command again to try the rest once more",
                items=tuple(self.lost),
            )  # fmt: skip
