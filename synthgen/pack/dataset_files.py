"""Everything in a dataset's folder beside its shards: metadata, manifest, prompts, contact sheet, card, provenance."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from synthgen.core import adapter_folder, atomic, seal
from synthgen.core.releases import __version__
from synthgen.pack import card, croissant, formats, metadata, read_sample
from synthgen.pack.card import CardFacts, Size, Template
from synthgen.pack.inventory import Inventory
from synthgen.pack.scratch import PackJob
from synthgen.pack.shard_plan import Part
from synthgen.pack.shuffled_order import Order
from synthgen.pack.write_shards import PackedShard, size_and_sha256
from synthgen.plan import top_ups
from synthgen.plan.manifest import Pack, plugin_files
from synthgen.plan.model_names import last_name, last_names
from synthgen.plan.source_names import Pseudonyms
from synthgen.runs import dataset_folder as layout
from synthgen.runs import pseudonyms
from synthgen.vision import contact_sheet
from synthgen.vision.picture import Picture

_FORMAT = 1
_PICTURES_A_CELL = 2


class DatasetFiles:
    """What a dataset is made of and described by.

    Args:
        found: What the run holds.
        pack: How it is laid out, split and cut.
        digest: The dataset's digest.
        template: The card's template.
        manifest: The text of its manifest.
        withheld: Whether that text lacks some of what the run's has.
        names: What it calls real images and their groups; ``None`` for their own names.

    Raises:
        InputError: The template can't be filled.
    """

    def __init__(
        self,
        found: Inventory,
        pack: Pack,
        digest: str,
        template: Template,
        *,
        manifest: str,
        withheld: bool = False,
        names: Pseudonyms | None = None,
    ) -> None:
        self.found = found
        self.pack = pack
        self.names = names
        self._digest = digest
        self._manifest, self._withheld = manifest, withheld
        self._template = template
        card.render(CardFacts(counts={}, splits={"train": Size(0, 1)}, **self._known), template)

    @property
    def _known(self) -> dict[str, Any]:
        """What is known for the card before an image is packed."""
        return {
            "plan": self.found.plan,
            "entries": self.found.entries,
            "digest": self._digest,
            "layout": self.pack.format,
            "judged": self.found.judged,
            "withheld": self._withheld,
            "placeless": layout.is_placeless(self._manifest),
            "renamed": self.names is not None,
        }

    def finish(self, job: PackJob, parts: Sequence[Part], shards: Sequence[PackedShard], order: Order) -> None:
        """Write all files beside the shards; provenance last."""
        folder, manifest, facts = job.scratch.dataset, self.found.plan.manifest, self._facts(parts, order)
        texts = {
            layout.MANIFEST: self._manifest,
            layout.PROMPTS: manifest.prompts_text,
            layout.CARD: card.render(facts, self._template),
        }
        for name, text in texts.items():
            (folder / name).parent.mkdir(exist_ok=True)
            atomic.write(folder / name, text.encode())
        index = [layout.SOURCES] if self._write_index(folder) else []
        metadata.write(job, parts)
        self._draw(job, order)
        listings = {name: facts.splits[split].images for split, name in metadata.listings(job, parts)}
        files = {
            one.path: {"sha256": one.sha256, "size": one.size, "samples": one.samples} for one in shards if one.sha256
        }
        for name in (*texts, *index, layout.METADATA, layout.SHEET, *listings):
            size, sha256 = size_and_sha256(folder / name)
            files[name] = {"sha256": sha256, "size": size}
            if name in listings:
                files[name]["samples"] = listings[name]
        described = croissant.write(facts, files, identifiers=self._identifiers().get("identifiers", ""))
        atomic.write(folder / layout.CROISSANT, described)
        files[layout.CROISSANT] = {"sha256": hashlib.sha256(described).hexdigest(), "size": len(described)}
        atomic.write(folder / layout.PROVENANCE, self._provenance(facts, files))

    def _write_index(self, folder: Path) -> bool:
        """Keep what the plan knows of real images that it could start from, and of no other; whether there are any."""
        index = self.found.plan.index
        if index is None:
            return False
        kept = replace(index, sources=index.usable("train"), left_out={})
        if self.names is not None:
            sources = sorted(map(self.names.source, kept.sources), key=lambda source: source.id)
            kept = replace(kept, sources=tuple(sources), recipe="")
        kept.write(folder / layout.SOURCES, sealed=False)
        return True

    def _draw(self, job: PackJob, order: Order) -> None:
        document = self.found.plan.manifest.document
        path = job.scratch.dataset / layout.SHEET
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        chosen = order.first_of_each_cell(_PICTURES_A_CELL)
        read = (read_sample.read(stored, job.labels, self.names, private=job.private) for stored in chosen)
        pictures = sorted((Picture(asdict(one.record), one.image) for one in read), key=lambda picture: picture.key)
        contact_sheet.write_contact_sheet(pictures, path, title=document.publish.pretty_name or document.name)

    def _facts(self, parts: Sequence[Part], order: Order) -> CardFacts:
        shards = {split: sum(part.split == split for part in parts) for split in order.spans()}
        splits = {split: Size(images, shards[split]) for split, (_, images) in order.spans().items()}
        return CardFacts(
            counts=order.counts(),
            splits=splits,
            sources=order.sources(),
            attributes=order.attributes(),
            **self._known,
        )

    def _curation(self) -> dict[str, Any]:
        """The filters with how many images each rejects, what they follow from, and which scorers learn from labels.

        The last is kept since a dataset has no code to ask.
        """
        if self.found.judged is None:
            return {}
        facts = self.found.judged.document()
        asked = self.found.plan.manifest.curation
        learned = (
            {"learns_labels": asked.learns_labels} if asked and asked.learns_labels else {}
        )  # a dataset has no code
        if self.pack.identifiers == pseudonyms.PSEUDONYM:
            facts["curate"] = last_names(facts["curate"])
        return {"curation": {name: value for name, value in facts.items() if name != "audit"} | learned}

    def _adapters(self) -> dict[str, Any]:
        """Every adapter that images were made with, the real images that it has seen, and its weights' sha256."""
        found = adapter_folder.table(self.found.plan.adapters.values())
        for summary in self.found.entries.values():
            for name, sha256 in summary.environment.get("adapters", {}).items():
                found[name]["weights_sha256"] = sha256
        if (names := self.names) is not None:
            for facts in found.values():
                facts["pool"] = facts["pool"] and sorted(map(names.image, facts["pool"]))
        return found

    def _identifiers(self) -> dict[str, str]:
        """What the names of real images are; nothing where none of them could be a person's."""
        if self.names is not None:
            return {"identifiers": pseudonyms.PSEUDONYM, "pseudonyms": self.names.mark}
        return {"identifiers": self.pack.identifiers} if self.pack.identifiers != pseudonyms.PSEUDONYM else {}

    def _parts(self) -> dict[str, dict[str, str]]:
        """What entries were made with beside model and adapter, by entry and key: name and commit, or sha256."""
        revisions = {name: summary.environment.get("parts", {}) for name, summary in self.found.entries.items()}
        entries = self.found.plan.entries.items()
        found = {name: entry.recipe.named_parts(revisions.get(name, {})) for name, entry in entries}
        return {name: {key: self._shown(one) for key, one in parts.items()} for name, parts in found.items() if parts}

    def _shown(self, name: str) -> str:
        """A model's name as the dataset tells it."""
        return last_name(name) if self.pack.identifiers == pseudonyms.PSEUDONYM else name

    def _plugins(self) -> list[dict[str, str]]:
        table = plugin_files.table(self.found.plan.manifest.plugins)
        return [one | {"file": self._shown(one["file"])} for one in table]

    def _provenance(self, facts: CardFacts, files: dict[str, dict[str, Any]]) -> bytes:
        plan, entries = self.found.plan, self.found.entries
        document = plan.manifest.document
        provenance = {
            "format": _FORMAT,
            "generator": f"synthgen {__version__}",
            "name": document.name,
            "title": document.publish.pretty_name or document.name,
            "seed": str(document.seed),
            "adapters": self._adapters(),
            "models": sorted({self._shown(entry.recipe.model.name) for entry in plan.entries.values()}),
            **({"without_model": without} if (without := plan.without_model) else {}),
            **({"parts": parts} if (parts := self._parts()) else {}),
            "dataset_digest": self._digest,
            "plan_digest": plan.digest,
            "entry_digests": {name: entry.digest for name, entry in plan.entries.items()},
            "layout": str(self.pack.format),
            **({"layout_plugin": code} if (code := formats.plugins.versions(self.pack.format)) else {}),
            **({"plugins": self._plugins()} if plan.manifest.plugins else {}),
            "splits": {split: size.images for split, size in facts.splits.items()},
            "planned": plan.samples,
            "packed": facts.images,
            "failed": sum(summary.failed for summary in entries.values()),
            "near_copy_audit": facts.audit_text,
            **self._curation(),
            **({"top_up": top_ups.plain(plan.rounds)} if plan.rounds else {}),
            "real_images_digest": plan.index.digest if plan.index else "",
            "sources": [{"dataset": dataset, "license": licence} for dataset, licence in facts.sources],
            **self._identifiers(),
            "environments": {name: summary.environment for name, summary in entries.items()},
            "files": dict(sorted(files.items())),
        }
        return seal.dumps(provenance)
