"""Downloads a real dataset that is given as addresses: politely, whole files only, and resumable.

A file counts once it is there: the image was opened, its MD5 compared where there is one, and then it was renamed. So
the same call again asks for what is missing and for nothing else.

Not img2dataset: it keeps no pace for each host, and what it goes on with is a shard, not an image.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.core import atomic
from synthgen.errors import StoppedError
from synthgen.plan.manifest.fetch import Fetch
from synthgen.real.fetch import report
from synthgen.real.fetch.report import OUTCOMES, PRESENT, REPORT, Fetched
from synthgen.real.fetch.targets import Target, read, targets

if TYPE_CHECKING:
    import httpx2

__all__ = ["OUTCOMES", "PRESENT", "REPORT", "Fetched", "fetch", "read", "targets"]

_THREADS = 8


def fetch(
    rows: Iterable[Mapping[str, object]],
    settings: Fetch,
    folder: Path,
    *,
    client: "httpx2.Client | None" = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Fetched]:
    """Download what is not there yet; yields the outcome of each address as it is known.

    However it ends, ``FOLDER/fetch.csv`` says what became of every address, in the order of the rows.

    Args:
        rows: The metadata, by column.
        settings: Which columns are what.
        folder: Where files go; nothing is written outside.
        client: Asks for the addresses; one that is polite and bounded if left out.
        stop: Asked often; what is under way is then given up.

    Raises:
        StoppedError: ``stop`` said so.
    """
    wanted = targets(rows, settings)
    done: dict[Target, Fetched] = {}
    _sweep(folder, wanted)
    try:
        with closing(_each(wanted, settings, folder, client, stop)) as each:
            for outcome, target in each:
                done[target] = outcome
                if outcome.outcome != report.NOT_TRIED:
                    yield outcome
    finally:
        report.write(folder / REPORT, [done.get(target, target.not_tried()) for target in wanted])
    if stop():
        known = sum(outcome.outcome != report.NOT_TRIED for outcome in done.values())
        raise StoppedError(f"stopped with {known:,} of {len(wanted):,} addresses done; the same command goes on")


def _each(
    wanted: list[Target], settings: Fetch, folder: Path, client: "httpx2.Client | None", stop: Callable[[], bool]
) -> Generator[tuple[Fetched, Target]]:
    """The outcome of every target, in no order; a thread's fault ends it."""
    from synthgen.real.fetch.download import Downloader, polite_client

    left = False
    own = polite_client(settings) if client is None else None
    downloader = Downloader(settings, folder, client or own, lambda: left or stop())  # type: ignore[arg-type]
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch")
    try:
        futures: dict[Future[Fetched], Target] = {
            pool.submit(downloader.get, target): target for target in _mixed(wanted)
        }
        for future in as_completed(futures):
            yield future.result(), futures[future]
    finally:
        left = True  # whoever reads us may have stopped in the middle
        pool.shutdown(cancel_futures=True)
        if own is not None:
            own.close()


def _mixed(wanted: list[Target]) -> list[Target]:
    """The hosts in turns, so that one that is slow holds up no other."""
    hosts: dict[str, list[Target]] = {}
    for target in wanted:
        hosts.setdefault(target.host, []).append(target)
    return [target for target in chain.from_iterable(zip_longest(*hosts.values())) if target is not None]


def _sweep(folder: Path, wanted: list[Target]) -> None:
    """Remove what a killed process left half written."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in {(folder / target.file).parent for target in wanted if not target.fault} | {folder}:
        if place.is_dir():
            atomic.sweep(place)
