"""One worker in this process, shard after shard."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from synthgen.errors import InputError, StoppedError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run(
    work: Callable[[Iterable[Item]], Iterator[Result]],
    items: Sequence[Item],
    workers: int | None,
    stop: Callable[[], bool],
) -> Iterator[Result]:
    """Work through the items here.

    Raises:
        InputError: More than one worker was asked for.
        StoppedError: ``stop`` said so before the end.
    """
    if workers not in (None, 1):
        raise InputError(
            f"--workers {workers}: the local runner is one worker; use --runner ray, "
            "or start several processes with --array I/N"
        )
    yield from work(_until(items, stop))


def _until(items: Sequence[Item], stop: Callable[[], bool]) -> Iterator[Item]:
    for item in items:
        if stop():
            raise StoppedError("stopped by a signal; run the same command again to go on")
        yield item
