"""Packs a run into a dataset folder: evenly sized, globally shuffled tars, metadata, provenance and a card.

Samples move as raw blocks of their tars, never decoded, in an order that follows from the seed and the keys alone. The
folder is made under a scratch name and gets its own name when all of it is on disk.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from synthgen import __version__, card, documents, durable, runs, tars
from synthgen import datasets_on_disk as layout
from synthgen.doors import Doors
from synthgen.errors import DamagedError, IncompleteError, InputError, ManifestError, PlanMismatchError
from synthgen.ledger import Ledger, Receipt
from synthgen.plan import Plan
from synthgen.sample import Record, field_types

_FORMAT = 1
_SHEET_PICTURES_A_CELL = 2
DrawSheet = Callable[[Sequence[tuple[Record, bytes]], Path, str], None]


@dataclass(frozen=True, slots=True)
class PackedShard:
    """One tar of the dataset: its path in the folder, how many samples it holds, and its bytes."""

    path: str
    samples: int
    size: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where one sample lies in the run: raw blocks of a work shard's tar."""

    order: bytes
    key: str
    tar: int
    offset: int
    size: int


def pack(root: Path, out: Path, doors: Doors, draw_sheet: DrawSheet, *, partial: bool = False) -> Iterator[PackedShard]:
    """Pack a run into ``out``; yields each tar as it is written.

    Packing what is packed there already yields nothing and changes nothing.

    Args:
        root: The run.
        out: The dataset folder; it must not exist, be empty, or hold this very dataset.
        doors: The strategies there are.
        draw_sheet: Draws samples onto a contact sheet: records and image bytes, the PNG's path, a title.
        partial: Pack what is there of a run that is not finished.

    Raises:
        IncompleteError: Shards are missing or damaged, and ``partial`` was not asked for.
        PlanMismatchError: ``out`` holds another dataset.
        InputError: ``out`` holds something else, or the run has no image.
    """
    plan = runs.read_plan(root, doors)
    receipts = _receipts(root, plan, partial=partial)
    digest = _digest(plan, receipts)
    if _is_packed(out, digest):
        return
    durable.sweep(out.resolve().parent, out.name)
    scratch = out.resolve().with_name(f".{out.name}.{durable.owner()}")
    scratch.mkdir(parents=True)
    try:
        dataset = _Dataset(scratch, plan, root, receipts, digest)
        yield from dataset.write_tars()
        dataset.write_rest(draw_sheet)
        if out.exists():
            out.rmdir()  # empty, or it would have been refused
        durable.publish(scratch, out)
    finally:
        if scratch.exists():
            shutil.rmtree(scratch)


def _receipts(root: Path, plan: Plan, *, partial: bool) -> list[Receipt]:
    found, missing = [], 0
    for name, entry in plan.entries.items():
        ledger = Ledger(root, name, entry.digest)
        receipts = [ledger.trusted(number) for number in range(entry.shards)]
        found += [receipt for receipt in receipts if receipt]
        missing += receipts.count(None)
    if missing and not partial:
        raise IncompleteError(
            f"{root}: {missing} of {plan.shards} work shards are missing or damaged; "
            "run `synthgen generate` again, or pack what is there with --partial"
        )
    if not any(receipt.count for receipt in found):
        raise InputError(f"{root}: the run holds no image yet; run `synthgen generate` first")
    return found


def _digest(plan: Plan, receipts: Sequence[Receipt]) -> str:
    """The sha256 that names a dataset: what is in it and how it is cut and described."""
    content = {
        "plan": plan.digest,
        "shards": [receipt.sha256 for receipt in receipts],
        "pack": plan.manifest.document.pack.model_dump(mode="json"),
        "publish": plan.manifest.document.publish.model_dump(mode="json"),
        "generator": __version__,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_packed(out: Path, digest: str) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not layout.is_dataset(out):
        raise InputError(f"{out} is not empty and not a packed dataset; choose another folder")
    held = layout.read_provenance(out)["dataset_digest"]
    if held != digest:
        raise PlanMismatchError(
            f"{out} holds another dataset (there {held[:12]}, asked {digest[:12]}); move it away, or use another --out"
        )
    return True


class _Dataset:
    """A dataset folder being written."""

    def __init__(self, folder: Path, plan: Plan, root: Path, receipts: list[Receipt], digest: str) -> None:
        self._folder = folder
        self._plan = plan
        self._receipts = receipts
        self._digest = digest
        self._tars = [Ledger(root, r.entry, r.digest).tar(r.shard) for r in receipts]
        self._files: dict[str, dict[str, Any]] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self._sheet: list[tuple[Record, bytes]] = []
        self._tar_count = 0

    def write_tars(self) -> Iterator[PackedShard]:
        """Write every tar and, row by row, the metadata."""
        import pyarrow.parquet

        stored = self._index()
        cuts = _cut(stored, self._plan.manifest.document.pack)
        self._tar_count = len(cuts)
        (self._folder / "data").mkdir()
        path = self._folder / layout.METADATA
        with pyarrow.parquet.ParquetWriter(path, _schema(), compression="zstd") as metadata:
            for number, part in enumerate(cuts):
                name = f"data/train-{number:05d}-of-{len(cuts):05d}.tar"
                with (self._folder / name).open("wb") as file:
                    rows = self._copy(file, name, part)
                    tars.finish(file)
                metadata.write_table(pyarrow.Table.from_pylist(rows, schema=_schema()))
                self._note(name, samples=len(part))
                yield PackedShard(name, len(part), self._files[name]["size"])

    def write_rest(self, draw_sheet: DrawSheet) -> None:
        """Write the manifest, the prompts, the contact sheet, the card and the provenance."""
        manifest = self._plan.manifest
        self._write(layout.MANIFEST, _repoint_prompts(manifest.text).encode())
        self._write(layout.PROMPTS, manifest.prompts_text.encode())
        sheet = self._folder / layout.SHEET
        sheet.parent.mkdir()
        title = manifest.document.publish.pretty_name or manifest.document.name
        draw_sheet(sorted(self._sheet, key=lambda pair: pair[0].key), sheet, title)
        facts = card.Facts(self._plan, self._receipts, self._counts, self._tar_count, self._digest)
        self._write(layout.CARD, card.render(facts).encode())
        for name in (layout.METADATA, layout.SHEET):
            self._note(name)
        durable.write(self._folder / layout.PROVENANCE, self._provenance())

    def _index(self) -> list[_Stored]:
        """Every sample of the run in shuffled order: by a hash of the seed and its key."""
        seed = self._plan.manifest.document.seed
        found = []
        for number, path in enumerate(self._tars):
            for key, offset, size in tars.index(path):
                order = hashlib.blake2b(f"{seed}\0pack\0{key}".encode(), digest_size=16).digest()
                found.append(_Stored(order, key, number, offset, size))
        return sorted(found, key=lambda stored: stored.order)

    def _copy(self, out: BinaryIO, name: str, part: Sequence[_Stored]) -> list[dict[str, Any]]:
        """Copy samples into a tar; returns their rows of metadata."""
        rows = []
        for stored in part:
            with self._tars[stored.tar].open("rb") as file:
                file.seek(stored.offset)
                blocks = file.read(stored.size)
            record = self._check(stored, tars.unpack(blocks))
            rows.append(asdict(record) | {"shard": name, "offset": out.tell()})
            out.write(blocks)
        return rows

    def _check(self, stored: _Stored, files: dict[str, bytes]) -> Record:
        """Check a sample on its way through, count it, and keep a few for the contact sheet."""
        record = Record.from_json(files.pop("json"))
        files.pop("cls")
        content = next(iter(files.values()))
        if hashlib.sha256(content).hexdigest() != record.image_sha256 or record.key != stored.key:
            raise DamagedError(f"{self._tars[stored.tar]}: {stored.key} is damaged; run `synthgen verify`")
        cell = (record.label, record.skin_tone, record.entry)
        self._counts[cell] = self._counts.get(cell, 0) + 1
        if self._counts[cell] <= _SHEET_PICTURES_A_CELL:
            self._sheet.append((record, content))
        return record

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        durable.write(path, content)
        self._note(name)

    def _note(self, name: str, **facts: int) -> None:
        """Note a finished file's size and sha256."""
        path = self._folder / name
        with path.open("rb") as file:
            os.fsync(file.fileno())
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self._files[name] = {"sha256": sha256, "size": path.stat().st_size, **facts}

    def _provenance(self) -> bytes:
        environments = {receipt.entry: receipt.environment for receipt in reversed(self._receipts)}
        document = self._plan.manifest.document
        provenance = {
            "format": _FORMAT,
            "generator": f"synthgen {__version__}",
            "name": document.name,
            "title": document.publish.pretty_name or document.name,
            "seed": str(document.seed),
            "models": sorted({entry.recipe.model.name for entry in self._plan.entries.values()}),
            "dataset_digest": self._digest,
            "plan_digest": self._plan.digest,
            "entry_digests": {name: entry.digest for name, entry in self._plan.entries.items()},
            "planned": self._plan.samples,
            "packed": sum(self._counts.values()),
            "failed": sum(receipt.failed for receipt in self._receipts),
            "near_copy_audit": "not done: no real images were used",
            "environments": environments,
            "files": dict(sorted(self._files.items())),
        }
        return json.dumps(provenance, indent=1).encode()


def _cut(stored: Sequence[_Stored], pack: Any) -> list[Sequence[_Stored]]:
    """Cut samples into the fewest parts of equal count (within one) that keep to both limits.

    Raises:
        InputError: A single sample is larger than a shard may be.
    """
    parts = -(-len(stored) // pack.images_per_shard)
    overhead = 2 * 10_240
    if max(one.size for one in stored) + overhead > pack.max_shard_bytes:
        raise InputError(f"pack.max_shard_bytes: {pack.max_shard_bytes} can't hold even one sample")
    while True:
        bounds = [len(stored) * part // parts for part in range(parts + 1)]
        cuts = [stored[first:last] for first, last in itertools.pairwise(bounds)]
        if all(sum(one.size for one in cut) + overhead <= pack.max_shard_bytes for cut in cuts):
            return cuts
        parts += 1


def _schema() -> Any:
    import pyarrow

    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    fields = [pyarrow.field(name, kinds[kind], nullable=False) for name, kind in field_types().items()]
    return pyarrow.schema([*fields, ("shard", pyarrow.string()), ("offset", pyarrow.int64())])


def _repoint_prompts(manifest: str) -> str:
    """The manifest with its prompts taken from the dataset folder, so that it stands on its own."""
    line = f"prompts: {layout.PROMPTS}"
    text, found = re.subn(r"(?m)^prompts:.*$", line, manifest, count=1)
    text = text if found else f"{manifest.rstrip()}\n{line}\n"
    document = documents.parse(manifest, layout.MANIFEST) | {"prompts": layout.PROMPTS}
    try:
        if documents.parse(text, layout.MANIFEST) == document:
            return text
    except ManifestError:  # written in a way that a line can't replace: keep the content, lose the comments
        pass
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
