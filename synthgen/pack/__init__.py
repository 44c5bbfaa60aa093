"""Packs a run into a dataset folder: evenly sized, globally shuffled shards, metadata, provenance and a card.

Samples move as raw blocks of their tars, never decoded, in an order that follows from the seed and the keys alone. The
order is sorted on disk and shards are written one after the other, so memory does not grow with the dataset. The folder
is made under a scratch name and gets its own name when all of it is on disk; killed, the same pack goes on.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from synthgen.core import releases
from synthgen.errors import DamagedError, PlanMismatchError
from synthgen.pack import (
    card,
    formats,
    inventory,
    public_record,
    replacement,
    scratch,
    shard_plan,
    shuffle,
    write_shards,
)
from synthgen.pack.card.results import add_report, finish
from synthgen.pack.dataset_files import DatasetFiles
from synthgen.pack.inventory import Inventory
from synthgen.pack.published_manifest import has_persons, published
from synthgen.pack.scratch import PackJob, Scratch
from synthgen.pack.shuffled_order import Order
from synthgen.pack.write_shards import PackedShard
from synthgen.plan import model_names, packed_layout
from synthgen.plan.manifest import Layout, Pack
from synthgen.plan.source_names import Pseudonyms
from synthgen.runs import dataset_folder, pseudonyms
from synthgen.runs.folders import Run

# The sha256 of the template that shipped with the oldest release that makes the same bytes as this one.
_SHIPPED_CARD = "b377fd453b9b03d8f3e06d35da3deb628eb0d306fe75aa03e09fa631977bfde4"
__all__ = ["PackedShard", "add_report", "pack"]


def pack(
    run: Run,
    out: Path,
    *,
    partial: bool = False,
    workers: int = 1,
    layout: Layout | None = None,
    template: Path | None = None,
    replace: bool = False,
) -> Iterator[PackedShard]:
    """Pack a run into ``out``; yields each shard as it is there, those of a pack that was broken off first.

    Packing what is packed there already yields nothing and changes nothing.

    Args:
        run: The run.
        out: The dataset folder; it must not exist, be empty, or hold a dataset of this run. Another one than this is
            kept until all of the new one is on disk, which then takes its place.
        partial: Pack what is there of a run that is not finished.
        workers: How many processes write shards; the bytes are the same with any number.
        layout: How the dataset is laid out; as the manifest says where left out.
        template: A template for the card; the one that ships where left out.
        replace: Put the dataset in the place of another run's, or of one with other pseudonyms, too.

    Raises:
        IncompleteError: Shards are missing or damaged, and ``partial`` was not asked for.
        PlanMismatchError: ``out`` holds files of somebody else, or an edited card; or another run's dataset or one with
            pseudonyms of another salt, and ``replace`` was not asked for.
        DamagedError: The provenance of the dataset there, or a work shard, is not what was written.
        InputError: ``out`` holds something else or is being packed, the run has no image, a split is empty, or the
            template has a placeholder that nothing fills.
    """
    found = inventory.collect(run, partial=partial)
    pack = found.plan.manifest.document.pack
    known = formats.plugins.with_files(found.plan.manifest.plugins)
    chosen = packed_layout.chosen(layout or pack.format, found.size)
    pack = pack.model_copy(update={"format": known.named(chosen)})
    known.module(pack.format)  # refused before anything is written, if there is none
    read = card.Template(template)
    private = pack.identifiers == pseudonyms.PSEUDONYM
    if private and dataset_folder.is_dataset(out):
        pseudonyms.check_salt(run, out, replace=replace)
    names = pseudonyms.of_run(run) if private else None
    text = found.plan.manifest.text
    unseen = private and found.plan.index is None and has_persons(text)  # real images that nothing starts from
    manifest = published(text, private=private, renamed=names is not None or unseen)
    withheld = manifest if manifest != published(text, private=False, renamed=False) else ""
    digest = _digest(found, pack, read.text if template else "", withheld, names)
    dataset = DatasetFiles(found, pack, digest, read, manifest=manifest, withheld=bool(withheld), names=names)
    if _is_packed(run, out, digest, names, replace=replace) and not scratch.leftovers(out):
        finish(out)  # a report's way into its card, if that was broken off
        return
    with scratch.reserve(out, digest) as held:
        if not _is_packed(run, out, digest, names, replace=replace):
            yield from _fill(held, dataset, workers)
            held.publish()


def _fill(held: Scratch, dataset: DatasetFiles, workers: int) -> Iterator[PackedShard]:
    """Write every file of the dataset that is not there yet."""
    found, pack = dataset.found, dataset.pack
    if not held.order.exists():
        shuffle.sort_samples(held.order, found, pack, dataset.names)
    with Order(held.order, found.root) as sorted_samples:
        todo = shard_plan.plan_parts(sorted_samples, pack, masks=found.plan.manifest.document.output.mask)
        labels = tuple(found.plan.manifest.document.labels)
        masks = found.plan.manifest.document.output.mask
        private, chunking = pack.identifiers == pseudonyms.PSEUDONYM, pack.content_defined_chunking
        job = PackJob(held, found.root, pack.format, labels, dataset.names, chunking, masks, private)
        shards = []
        for shard in write_shards.write_all(job, todo, workers):
            shards.append(shard)
            yield shard
        dataset.finish(job, todo, shards, sorted_samples)


def _digest(found: Inventory, pack: Pack, template: str, manifest: str, names: Pseudonyms | None) -> str:
    """The sha256 that names a dataset: what is in it and how it is cut and described.

    It is the same whichever release packs it of those that make the same bytes, and whatever words such a release gives
    the card that ships; so a later one finds packed what an earlier one has packed.

    Args:
        found: What the run holds.
        pack: How it is laid out, split and cut.
        template: The text of the card's template; empty for the one that ships.
        manifest: The text of its manifest where some of it is withheld; empty otherwise.
        names: What it calls real images; ``None`` for their own names.
    """
    usual = {"identifiers"} if pack.identifiers == pseudonyms.PSEUDONYM else set[str]()  # no part where nobody asked
    if not pack.content_defined_chunking or pack.format != "parquet":
        usual |= {"content_defined_chunking"}
    content = {
        "plan": found.plan.digest,
        "shards": found.digest,
        "pack": pack.model_dump(mode="json", exclude=usual),
        "publish": found.plan.manifest.document.publish.content(),
        "card": hashlib.sha256(template.encode()).hexdigest() if template else _SHIPPED_CARD,
        "generator": releases.generation(),
    }
    if code := formats.plugins.versions(pack.format):
        content["format"] = code
    if found.judged:
        content["verdicts"] = found.judged.document()
    if found.plan.index and found.plan.index.excluded:  # one that starts nothing is in no shard, yet among the sources
        content["real_images"] = found.plan.index.digest
    if manifest:
        content["manifest"] = hashlib.sha256(manifest.encode()).hexdigest()
    if names is not None:
        content["pseudonyms"] = names.mark
    judged = found.judged.document()["curate"] if found.judged else None
    private = pack.identifiers == pseudonyms.PSEUDONYM
    if private and model_names.withholds([*public_record.names_of(found.plan), judged]):
        content["folders"] = "withheld"  # which releases before this rule have told in records
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_packed(run: Run, out: Path, digest: str, names: Pseudonyms | None, *, replace: bool) -> bool:
    dataset_folder.check_ours(out)
    if not dataset_folder.is_dataset(out):
        return False
    said = dataset_folder.read_provenance(out)
    held = said["dataset_digest"]
    if held != digest:
        why = ""
        if replace:
            with suppress(DamagedError):  # of which nothing is left to lose
                why = replacement.of_somebody(out)
        else:
            why = _renamed(said, names) or replacement.objection(run, out)
        if why:
            raise PlanMismatchError(
                f"{out} holds another dataset (there {held[:12]}, asked {digest[:12]}): {why}; "
                "move it away, or use another --out"
            )
        return False
    dataset_folder.check_seal(out)
    return True


def _renamed(said: Mapping[str, Any], names: Pseudonyms | None) -> str:
    """What of two datasets differs in the names of real images, where nobody asked for that; empty where nothing does.

    Args:
        said: The provenance of the dataset there.
        names: What the other calls real images; ``None`` for their own names.
    """
    if names is None or said.get("pseudonyms") == names.mark:
        return ""
    if "pseudonyms" in said:
        return "it has pseudonyms of another salt"
    return "" if "identifiers" in said else "it has the own names of real images"  # of an earlier version
