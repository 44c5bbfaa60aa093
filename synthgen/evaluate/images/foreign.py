"""Synthetic images of anybody: a folder, tars or a dataset of the Hub with columns, read as real images are."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from synthgen.evaluate.design.trials import SyntheticImage
from synthgen.plan import real_index
from synthgen.plan.manifest import Manifest
from synthgen.plan.manifest.evaluate import ModelSaw, Strategy
from synthgen.plan.manifest.validation import ForeignImages
from synthgen.plan.real_index import Index, Source
from synthgen.real import indexing
from synthgen.real.indexing.splits import slug

HOME = "synthetic"  # of their index, in the report's folder
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ForeignListing:
    """Synthetic images that were made elsewhere.

    Attributes:
        images: What the design knows of them: a source where a column names one; what their generator saw is unknown
            unless the study says it.
        readers: What reads the bytes of each, by the key of its record.
        unusable: How many could not be read or are there twice, which train nothing.
    """

    images: tuple[SyntheticImage, ...]
    readers: Mapping[str, Callable[[], bytes]]
    unusable: int


def list_foreign(
    given: ForeignImages, read: Manifest, real: Collection[Source], out: Path, progress: Progress | None = None
) -> ForeignListing:
    """The images of a source that ``evaluate.synthetic`` describes.

    Args:
        given: Where they come from, under which name, and which column says what each was made from.
        read: The manifest.
        real: The real images, whose ids that column names.
        out: The report's folder, which keeps the index of them.
        progress: Told how many images were opened, of how many.

    Raises:
        InputError: There are no such images, or they lack what the settings name; one line a fault.
    """
    index = _indexed(given, read, out / HOME, progress)
    saw = _saw(read, given.name)
    trained = frozenset(one.id for one in real if one.split == "train" and not one.fault)
    pool = {"none": frozenset[str](), "train": trained, "unknown": None}[saw]
    open_image = indexing.open_images(given.images.source, given.images.settings, read.base, out / HOME)
    usable, ids = index.usable("train"), {one.id for one in real}

    def parent(image: Source) -> str:
        """The id of the real image that its column names; empty where there is no such column, or nothing in it."""
        named = slug(image.group) if given.has_parents else ""
        return "" if named == image.id and named not in ids else named

    strategy = Strategy(given.name)
    images = tuple(
        SyntheticImage(f"{given.name}-{one.id}", strategy, one.label, one.tone, parent(one), one.sha256, pool)
        for one in usable
    )
    readers = {image.record_key: partial(open_image, one) for image, one in zip(images, usable, strict=True)}
    return ForeignListing(images, readers, sum(bool(one.fault) for one in index.sources))


def _saw(read: Manifest, name: str) -> ModelSaw:
    """What the study says that their generator saw of the real images."""
    settings = read.document.evaluate
    said = settings.model_saw if settings else "unknown"
    return said if isinstance(said, str) else said.get(name, "unknown")


def _indexed(given: ForeignImages, read: Manifest, home: Path, progress: Progress | None) -> Index:
    """Their index, made once while settings and labels are the same."""
    document, settings = read.document, given.images.settings
    arguments = {
        "labels": document.labels,
        "scale": document.skin_tones.scale,
        "tones": document.skin_tones.values,
        "seed": document.seed,
    }
    described = json.dumps([given.images.source, settings.model_dump(mode="json"), arguments], sort_keys=True)
    recipe = hashlib.sha256(described.encode()).hexdigest()
    path = home / real_index.FILE
    kept = Index.read(path) if path.is_file() else None
    if kept and kept.recipe == recipe:
        return kept
    return indexing.build(
        given.images.source,
        settings,
        labels=document.labels,
        scale=document.skin_tones.scale,
        tones=document.skin_tones.values,
        seed=document.seed,
        base=read.base,
        root=home,
        recipe=recipe,
        progress=progress,
    )
