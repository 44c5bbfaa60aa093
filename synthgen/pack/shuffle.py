"""Sorts the samples of a run on disk: split by split, each shuffled by a hash of the seed and the key.

The key is the one that the dataset has, so that the order tells nothing of a name behind a pseudonym.

SQLite sorts them in its file as they arrive, with a cache of a fixed size whatever their number.

Not the shuffle of ``datasets`` or webdataset's buffer: the one wants the samples in Arrow tables first, the other mixes
neighbours alone.
"""

import errno
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from synthgen.core import atomic
from synthgen.core.hashing import stable_hash
from synthgen.errors import DamagedError, InputError
from synthgen.pack.inventory import Inventory
from synthgen.pack.public_record import public
from synthgen.pack.shuffled_order import CACHE_KIB, group_of
from synthgen.plan import Plan
from synthgen.plan.manifest import Pack
from synthgen.plan.model_names import names_folders
from synthgen.plan.real_index import SPLITS, split_of
from synthgen.plan.sample import FROM_REAL, Record
from synthgen.plan.source_names import Pseudonyms
from synthgen.runs import receipts, tar_samples, verdicts
from synthgen.runs.cell import Cell
from synthgen.runs.pseudonyms import PSEUDONYM
from synthgen.vision.images.codec import EXTENSIONS

_READ = ("key", "label", "skin_tone", "entry", "attributes", "source_license", *FROM_REAL)
# What SQLite says of the disk, by its primary codes.
_OF_THE_SYSTEM = {
    sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_IOERR: errno.EIO, sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}  # fmt: skip
_TABLES = """
CREATE TABLE tars(id INTEGER PRIMARY KEY, path TEXT);
CREATE TABLE cells(id INTEGER PRIMARY KEY, label TEXT, skin_tone TEXT, entry TEXT, UNIQUE(label, skin_tone, entry));
CREATE TABLE counts(split INTEGER, cell INTEGER, images INTEGER);
CREATE TABLE sources(dataset TEXT, license TEXT, PRIMARY KEY(dataset, license)) WITHOUT ROWID;
CREATE TABLE attributes(name TEXT, value TEXT, skin_tone TEXT, images INTEGER);
CREATE TABLE shuffled(split INTEGER, hash BLOB, key TEXT, tar INTEGER, start INTEGER, size INTEGER, cell INTEGER,
                      packed INTEGER, PRIMARY KEY(split, hash, key)) WITHOUT ROWID;
CREATE TABLE samples(position INTEGER PRIMARY KEY, split INTEGER, key TEXT, tar INTEGER, start INTEGER, size INTEGER,
                     cell INTEGER, packed INTEGER);
"""
_SORT = """
INSERT INTO samples(split, key, tar, start, size, cell, packed)
SELECT split, key, tar, start, size, cell, packed FROM shuffled ORDER BY split, hash, key;
DROP TABLE shuffled;
"""


def sort_samples(path: Path, found: Inventory, pack: Pack, names: Pseudonyms | None = None) -> None:
    """Sort the samples of a run into a file that is there whole or not at all.

    Args:
        path: The file.
        found: What the run holds.
        pack: How it is split.
        names: What the dataset calls real images and their groups; ``None`` for their own names.

    Raises:
        DamagedError: A work shard can't be read.
        InputError: The run changed since its receipts were read, or no sample falls into a split.
    """
    scratch = path.with_suffix(".unsorted")
    scratch.unlink(missing_ok=True)
    with _told_as_the_system_does(path), closing(_connect(scratch)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        with connection, _refuse_duplicate_keys(found.root):
            rows = _rows(connection, found, pack, names)
            connection.executemany("INSERT INTO shuffled VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.executescript(_SORT)
        held = {SPLITS[number] for (number,) in connection.execute("SELECT DISTINCT split FROM counts")}
    _check_splits(held, pack)
    with scratch.open("rb") as file:
        os.fsync(file.fileno())
    atomic.publish(scratch, path)


@contextmanager
def _told_as_the_system_does(path: Path) -> Iterator[None]:
    """Raise what SQLite says of a full disk, or of one that fails, as the system says it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        number = _OF_THE_SYSTEM.get(error.sqlite_errorcode & 0xFF)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


@contextmanager
def _refuse_duplicate_keys(root: Path) -> Iterator[None]:
    """Say of a key that comes a second time that it is damage."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise DamagedError(f"{root}: two work shards hold an image of one key; run `synthgen verify`") from None


def _check_splits(held: set[Any], pack: Pack) -> None:
    empty = [name for name in SPLITS if name in pack.splits and name not in held]
    if empty:
        names = ", ".join(f"`{name}`" for name in empty)
        raise InputError(
            f"pack.splits: no group of images falls into {names}; give it a larger fraction, or take it out"
        )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def _rows(
    connection: sqlite3.Connection, found: Inventory, pack: Pack, names: Pseudonyms | None
) -> Iterator[tuple[Any, ...]]:
    """A row for each sample of the run: its key in the dataset, where it is stored, and how much it takes up there."""
    digests, accepted = list[str](), verdicts.acceptance_in_order(found.root, found.judged)
    cells: dict[Cell[str], int] = {}
    counts: Counter[tuple[int, int]] = Counter()
    sources, taught = set[tuple[str, str]](), _seen_by_adapters(found.plan)
    real, attributes = found.plan.manifest.real, Counter[tuple[str, str, str]]()
    named = tuple(real.settings.columns.attributes or ()) if real else ()
    document, private = found.plan.manifest.document, pack.identifiers == PSEUDONYM
    seed, extensions = document.seed, [EXTENSIONS[document.output.image_format]]
    extensions += [tar_samples.MASK] if document.output.mask else []
    for tar, shard in enumerate(receipts.finished_shards(found.plan, found.root)):
        path = shard.tar
        digests.append(shard.digest)
        shard.check()
        connection.execute("INSERT INTO tars VALUES (?, ?)", (tar, path.relative_to(found.root).as_posix()))
        for sample in shard.read(only={"json"}):
            if not accepted(sample.key):
                continue
            record = _record(path, sample)
            cell = Cell[str](record["entry"], record["label"], record["skin_tone"])
            number = cells.setdefault(cell, len(cells))
            if any(record[name] for name in FROM_REAL if name != "adapter"):
                sources.add((record["source_dataset"], record["source_license"]))
            if record["adapter"]:
                sources |= taught.get(record["adapter"], {("", "")})
            key, packed = _packed(path, sample, record, names, extensions, private=private)
            shuffled = stable_hash(seed, "pack", key, size=16)
            place = SPLITS.index(split_of(seed, group_of(record), pack.splits))
            counts[place, number] += 1
            said = json.loads(record["attributes"] or "{}") if named else {}
            attributes.update((name, str(said.get(name, "")), record["skin_tone"]) for name in named)
            yield place, shuffled, key, tar, sample.offset, sample.size, number, packed
    if receipts.shards_digest(digests) != found.digest:
        raise InputError(f"{found.root}: the run changed while it was being packed; run the same command again")
    rows = [(number, *cell) for cell, number in cells.items()]
    connection.executemany("INSERT INTO cells(id, entry, label, skin_tone) VALUES (?, ?, ?, ?)", rows)
    connection.executemany("INSERT INTO counts VALUES (?, ?, ?)", [(*both, images) for both, images in counts.items()])
    connection.executemany("INSERT INTO sources VALUES (?, ?)", sorted(sources))
    rows_of = [(*one, images) for one, images in sorted(attributes.items())]
    connection.executemany("INSERT INTO attributes VALUES (?, ?, ?, ?)", rows_of)


def _packed(
    path: Path,
    sample: tar_samples.TarSample,
    record: dict[str, Any],
    names: Pseudonyms | None,
    extensions: list[str],
    *,
    private: bool,
) -> tuple[str, int]:
    """The key that a sample has in the dataset, and the bytes that it takes up in a tar there."""
    renamed = names is not None and (record["source_id"] or record["source_group"])
    folders = private and names_folders(str(record.get("model", "")), str(record.get("attributes", "")))
    if not renamed and not folders:
        return sample.key, sample.size
    try:
        shown = public(Record.from_json(sample.files["json"]), names, private=private)
    except ValueError:
        raise _unreadable(path, sample) from None
    return shown.key, tar_samples.packed_size(sample, extensions, shown.key, shown.to_json())


def _seen_by_adapters(plan: Plan) -> dict[str, set[tuple[str, str]]]:
    """The (dataset, licence) pairs of the real images that each adapter has seen, as far as that is known."""
    pools = ((str(one.adapter), one.pool) for one in plan.adapter_plans.values())
    return {name: {(source.dataset, source.license) for source in pool} for name, pool in pools}


def _record(path: Path, sample: tar_samples.TarSample) -> dict[str, Any]:
    """The record's fields, not checked here: every sample is, when it is copied."""
    try:
        record = dict(json.loads(sample.files["json"]))
        for name in _READ:
            record[name]
    except (ValueError, LookupError, TypeError):
        raise _unreadable(path, sample) from None
    return record


def _unreadable(path: Path, sample: tar_samples.TarSample) -> DamagedError:
    return DamagedError(f"{path}: {sample.key} has no readable record; run `synthgen verify`")
