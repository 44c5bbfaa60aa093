"""Runners: a module here is one way to work through shards; a runner is ``map`` and knows nothing of images.

Plug-ins of one's own may lie elsewhere: docs/plugins/runner.md. Each module has ``run(work, items, workers, stop)``: it
hands items to copies of ``work`` and yields what they yield, in any order. ``work`` takes an iterable of items and can
be pickled.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

from synthgen.core.plugins import PluginFile, PluginFolder, Promise

plugins = PluginFolder(__name__, Promise({"run": "work, items, workers, stop"}))


class Runner(Protocol):
    """What every runner is."""

    def run(
        self,
        work: Callable[[Iterable[Any]], Iterator[Any]],
        items: Sequence[Any],
        workers: int | None,
        stop: Callable[[], bool],
    ) -> Iterator[Any]:
        """Work through the items; raises StoppedError once ``stop`` says so."""


def results(work: Callable[[Iterable[Any]], Iterator[Any]], items: Iterable[Any]) -> list[Any]:
    """All that some items give, for processes that can't hand back an iterator."""
    return list(work(items))


def runner(name: str, files: Iterable[PluginFile] = ()) -> Runner:
    """The runner of that name, among those that a manifest names by their files too.

    Raises:
        InputError: There is none.
    """
    return cast(Runner, plugins.with_files(files).module(name))
