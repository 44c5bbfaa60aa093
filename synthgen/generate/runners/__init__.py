"""The runners door: a file here is one way to work through shards; a runner is ``map`` and knows nothing of images.

Each module has ``run(work, items, workers, stop)``: it hands items to copies of ``work`` and yields what they yield,
in any order. ``work`` takes an iterable of items and can be pickled.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

from synthgen.core.plugins import PluginFolder

door = PluginFolder(__name__)


class Runner(Protocol):
    """What every module behind this door is."""

    def run(
        self,
        work: Callable[[Iterable[Any]], Iterator[Any]],
        items: Sequence[Any],
        workers: int | None,
        stop: Callable[[], bool],
    ) -> Iterator[Any]:
        """Work through the items; raises StoppedError once ``stop`` says so."""


def runner(name: str) -> Runner:
    """The runner of that name.

    Raises:
        InputError: There is none.
    """
    return cast(Runner, door.module(name))
