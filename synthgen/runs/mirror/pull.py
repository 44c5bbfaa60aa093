"""Work shards that a mirror holds and the run here does not, copied here and counted once every byte is checked."""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from synthgen.core import atomic, digits
from synthgen.errors import StoppedError
from synthgen.plan import Plan, ShardRef
from synthgen.runs import run_file
from synthgen.runs.mirror.store import Store, retried
from synthgen.runs.receipts import Ledger, Receipt

AT_ONCE = 8
_log = logging.getLogger(__name__)


class Progress(Protocol):
    """Told how many work shards are here, and of how many; may raise to stop."""

    def __call__(self, done: int, total: int) -> object:
        """So many are here."""


def name_of(ledger: Ledger, number: int) -> str:
    """The name that a work shard has on a mirror, which is its path in the run, however that is named."""
    return f"{ledger.entry}/{ledger.tar(number).relative_to(ledger.tar(0).parent).as_posix()}"


def receipt_there(store: Store, ledger: Ledger, number: int) -> Receipt | None:
    """The receipt that a mirror has of a work shard; ``None`` where it has none of this plan, or none that is whole.

    Raises:
        MirrorError: It can't be read.
    """
    content = store.read(f"{name_of(ledger, number).removesuffix('.tar')}.json")
    try:
        receipt = Receipt.from_json(content) if content is not None else None
    except ValueError:
        return None
    named = receipt and (receipt.entry, receipt.shard, receipt.digest)
    return receipt if named == (ledger.entry, number, ledger.digest_of(number)) else None


def bring_shard(store: Store, ledger: Ledger, number: int) -> Receipt | None:
    """The receipt of a work shard that was copied here; ``None`` where the mirror has none, or not the bytes of one.

    Raises:
        MirrorError: It can't be read.
    """
    receipt = receipt_there(store, ledger, number)
    if receipt is None:
        return None
    name, tar = name_of(ledger, number), ledger.tar(number)
    if not store.fetch(name, tar, receipt.sha256):
        _log.warning("%s/%s: not the bytes that its receipt names; it is made again", store.name, name)
        return None
    status = tar.stat()
    receipt = dataclasses.replace(receipt, mtime_ns=status.st_mtime_ns)
    atomic.write(ledger.receipt_path(number), receipt.to_json())
    ledger.rotten_path(number).unlink(missing_ok=True)
    return receipt


def ledgers_of(root: Path) -> Mapping[str, Ledger]:
    """The ledgers of every entry that a run has or had, as its ``run.json`` says; no manifest is read."""
    document = run_file.read(root)
    layouts = run_file.former(document) | run_file.layouts(document)
    digests: dict[str, str | Callable[[int], str]] = {
        name: str(one["digest"]) for name, one in document["entries"].items()
    }
    digests |= {name: layout.digest_of for name, layout in layouts.items()}
    return {name: Ledger(root, name, digest) for name, digest in digests.items()}


def bring_shards(
    store: Store,
    root: Path,
    *,
    wanted: frozenset[ShardRef] | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> frozenset[ShardRef]:
    """Copy here what the mirror has finished and the run lacks; gives the shards whose bytes there are not whole.

    Args:
        store: The mirror.
        root: The run, which follows the mirror's plan.
        wanted: The shards to copy; all that there are where left out, those set aside too.
        progress: Told how many are here, and of how many.
        stop: Whether to stop.

    Raises:
        MirrorError: Something can't be read.
        StoppedError: ``stop`` said so; what is here stays.
    """
    ledgers, damaged = ledgers_of(root), set[ShardRef]()
    todo = [ref for ref in _finished_there(store, ledgers) if wanted is None or ref in wanted]
    todo = [ref for ref in todo if ledgers[ref.entry].trusted(ref.number) is None]

    def bring(ref: ShardRef) -> Receipt | None:
        if stop():
            return None
        return retried(lambda: bring_shard(store, ledgers[ref.entry], ref.number), stop)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(bring, ref) for ref in todo]
        try:
            for done, (ref, future) in enumerate(zip(todo, futures, strict=True), 1):
                if future.result() is None:
                    damaged.add(ref)
                if stop():
                    raise StoppedError("stopped by a signal; run the same command again to go on")
                if progress:
                    progress(done, len(todo))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return frozenset(damaged)


def _finished_there(store: Store, ledgers: Mapping[str, Ledger]) -> Iterator[ShardRef]:
    """The shards of which the mirror lists both files, in order; one that its listing lacks yet is found later."""
    for name, ledger in ledgers.items():
        sizes = store.sizes(name)
        for path in sorted(sizes):
            stem, _, extension = path.rpartition("/")[2].partition(".")
            number = digits.whole(stem)
            if extension != "json" or number is None:
                continue
            tar = name_of(ledger, number)
            if tar in sizes and path == f"{tar.removesuffix('.tar')}.json":
                yield ShardRef(name, number)


def needed(plan: Plan, refs: Iterable[ShardRef]) -> frozenset[ShardRef]:
    """Some work shards and all that they start from."""
    found = set(refs)
    for name, entry in reversed(plan.entries.items()):
        if entry.parent:
            parent = plan.entries[entry.parent]
            for ref in [one for one in found if one.entry == name]:
                found.update(ShardRef(parent.name, one) for one in entry.starts_from(ref.number, parent))
    return frozenset(found)
